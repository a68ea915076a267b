// swift-tools-version: 6.2
import PackageDescription

// Language mode 6 and the upcoming features are on for every target; imports read as a contract.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-warnings-as-errors"]),
]

// Numeric code is optimised in debug builds too, so that tests run on it at speed.
let fast = strict + [.unsafeFlags(["-O"])]

// One source folder compiled three times, for three instruction sets (docs/contributors/kernels.md says by which rules).
func kernels(_ march: String?, _ define: String?) -> [SwiftSetting] {
    var settings = fast
    #if arch(x86_64)
    if let march { settings.append(.unsafeFlags(["-Xcc", "-march=\(march)"])) }
    #endif
    if let define { settings.append(.define(define)) }
    // As one module in debug builds too: else nothing is inlined from one file into another.
    settings.append(.unsafeFlags(["-whole-module-optimization", "-num-threads", "1", "-disable-batch-mode"]))
    return settings
}

let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "plawd",
    products: [
        .executable(name: "plawd", targets: ["plawd"]),
        .executable(name: "plaw", targets: ["plaw"]),
        .executable(name: "plaw-trial", targets: ["plaw-trial"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        // Floor 0
        .target(name: "Domain", swiftSettings: strict),
        .target(name: "Files", swiftSettings: strict),
        .testTarget(name: "FilesTests", dependencies: ["Files", "PlawTesting"], swiftSettings: strict),
        .target(name: "Text", dependencies: ["Files"], swiftSettings: strict),
        .testTarget(name: "TextTests", dependencies: ["PlawTesting", "Text"], swiftSettings: strict),
        .target(name: "StrictJSON", swiftSettings: strict),
        .testTarget(
            name: "StrictJSONTests", dependencies: ["Domain", "PlawProtocol", "PlawTesting", "StrictJSON"],
            swiftSettings: strict),

        // Floor 1
        .target(name: "CKernels"),
        .target(name: "CPlaw"),
        .target(name: "CPlawTesting"),
        .target(name: "KernelsV2", dependencies: ["CKernels"], swiftSettings: kernels(nil, "K_NOFMA")),
        .target(name: "KernelsV3", dependencies: ["CKernels"], swiftSettings: kernels("x86-64-v3", nil)),
        .target(name: "KernelsV4", dependencies: ["CKernels"], swiftSettings: kernels("x86-64-v4", "K_AVX512")),
        .target(
            name: "Kernels", dependencies: ["CKernels", "CPlaw", "KernelsV2", "KernelsV3", "KernelsV4", "Text"],
            swiftSettings: fast),
        .testTarget(name: "KernelsTests", dependencies: ["Domain", "Kernels"], swiftSettings: fast),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(
            name: "Interactions", dependencies: ["CZlib", "Domain", "Files", "StrictJSON", "Text"], swiftSettings: fast),
        .testTarget(
            name: "InteractionsTests", dependencies: ["CZlib", "Domain", "Interactions"], swiftSettings: strict),
        .target(name: "PerformanceLaws", dependencies: ["Domain"], swiftSettings: fast),
        .testTarget(
            name: "PerformanceLawsTests", dependencies: ["Domain", "PerformanceLaws"], swiftSettings: strict),
        .target(name: "Observations", dependencies: ["Domain", "Text"], swiftSettings: fast),
        .testTarget(
            name: "ObservationsTests", dependencies: ["Domain", "Observations"], exclude: ["Fixtures"],
            swiftSettings: strict),
        .target(name: "Trials", dependencies: ["Domain", "Files"], swiftSettings: fast),
        .target(name: "PlawProtocol", dependencies: ["Domain", "StrictJSON", "Trials"], swiftSettings: strict),

        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .target(name: "Systemd", dependencies: ["CSystemd", "Files", "Text", logging], swiftSettings: strict),

        // Floor 2
        .target(
            name: "Advisor", dependencies: ["Domain", "Interactions", "PerformanceLaws", "Trials"], swiftSettings: fast),
        .testTarget(
            name: "AdvisorTests",
            dependencies: ["Advisor", "Domain", "Interactions", "Kernels", "PerformanceLaws", "Transformer", "Trials"],
            swiftSettings: strict),
        .target(name: "SequentialDesign", dependencies: ["Domain", "PerformanceLaws"], swiftSettings: fast),
        .testTarget(
            name: "SequentialDesignTests", dependencies: ["Domain", "PerformanceLaws", "SequentialDesign"],
            swiftSettings: fast),
        .target(
            name: "SequenceEntropy", dependencies: ["CZlib", "Domain", "Interactions", "Trials"], swiftSettings: fast),
        .testTarget(
            name: "SequenceEntropyTests", dependencies: ["Domain", "Interactions", "SequenceEntropy", "Trials"],
            exclude: ["Fixtures"],
            swiftSettings: strict),
        .target(
            name: "Transformer", dependencies: ["Domain", "Interactions", "Kernels", "Text", "Trials"],
            swiftSettings: fast),
        .testTarget(
            name: "TransformerTests", dependencies: ["Domain", "Interactions", "Kernels", "Transformer", "Trials"],
            exclude: ["Fixtures"],
            swiftSettings: fast),
        .target(name: "Reports", dependencies: ["Domain", "PlawProtocol"], swiftSettings: strict),
        .testTarget(
            name: "ReportsTests", dependencies: ["Domain", "PlawProtocol", "Reports"], swiftSettings: strict),
        .target(
            name: "Store",
            dependencies: ["Domain", "Files", "Observations", "PlawProtocol", "StrictJSON", "Trials", grdb],
            swiftSettings: strict),

        .target(
            name: "PlawTransport",
            dependencies: [
                "PlawProtocol", "StrictJSON", "Systemd", logging,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ], swiftSettings: strict),

        // Floor 3
        .target(
            name: "PlawClient",
            dependencies: [
                "PlawProtocol", "PlawTransport", "StrictJSON",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ], swiftSettings: strict),

        .target(
            name: "Calibration",
            dependencies: [
                "Domain", "Files", "PlawProtocol", "SequentialDesign", "Store", "Trials", logging,
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ], swiftSettings: strict),

        // Floor 4
        .target(
            name: "PlawService",
            dependencies: [
                "Advisor", "Calibration", "Domain", "Files", "Interactions", "Observations", "PerformanceLaws",
                "PlawProtocol",
                "PlawTransport",
                "Reports", "SequenceEntropy", "SequentialDesign", "Store", "StrictJSON", "Systemd", "Text", "Trials",
                logging,
            ], swiftSettings: strict),

        // For tests
        .target(
            name: "PlawTesting",
            dependencies: [
                "CPlawTesting", "Domain", "PlawProtocol",
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ], swiftSettings: strict),
        .testTarget(
            name: "PlawProtocolTests", dependencies: ["Domain", "PlawProtocol", "PlawTesting", "Trials"],
            swiftSettings: strict),
        .testTarget(
            name: "PlawServiceTests",
            dependencies: [
                "Domain", "Fuzzing", "PlawClient", "PlawProtocol", "PlawService", "PlawTesting", "Store", "Systemd",
                "Trials",
                "plaw",
                "plawd", "plaw-trial",
            ], swiftSettings: strict),
        .testTarget(
            name: "plawTests", dependencies: ["Domain", "PlawProtocol", "PlawTesting", "plaw", "plaw-trial", "plawd"],
            swiftSettings: strict),
        .testTarget(
            name: "StoreTests", dependencies: ["Domain", "PlawProtocol", "PlawTesting", "Store", "Trials", grdb],
            swiftSettings: strict),
        .testTarget(
            name: "SystemdTests", dependencies: ["PlawProtocol", "PlawTesting", "Systemd", "plawd", logging],
            swiftSettings: strict),
        .testTarget(
            name: "CalibrationTests",
            dependencies: [
                "Calibration", "Domain", "Interactions", "PlawProtocol", "PlawTesting", "SequentialDesign", "Store",
                "Trials", "plaw-trial",
                logging,
            ], swiftSettings: strict),
        .testTarget(
            name: "PlawTransportTests",
            dependencies: [
                "PlawClient", "PlawProtocol", "PlawTesting", "PlawTransport", "StrictJSON", "Systemd", logging,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            swiftSettings: strict),

        .target(
            name: "Fuzzing",
            dependencies: [
                "Domain", "Files", "Interactions", "Kernels", "Observations", "PlawProtocol", "PlawTransport",
                "Transformer",
                "Trials",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ], swiftSettings: strict),
        .testTarget(
            name: "FuzzingTests", dependencies: ["Domain", "Fuzzing", "PlawTesting"], exclude: ["Fixtures"],
            swiftSettings: strict),

        // Floor 5
        .executableTarget(
            name: "plawd",
            dependencies: [
                "CPlaw", "Calibration", "Domain", "PlawProtocol", "PlawService", "PlawTransport", "Systemd", "Text",
                argumentParser,
                logging,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ], swiftSettings: strict),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .executableTarget(
            name: "plaw",
            dependencies: [
                "CArchive", "Domain", "Files", "Observations", "PlawClient", "PlawProtocol", "PlawTransport",
                "StrictJSON", "Text",
                "Trials", argumentParser,
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .executableTarget(name: "kernel-bench", dependencies: ["Kernels"], swiftSettings: fast),
        .executableTarget(
            name: "cost-bench", dependencies: ["Advisor", "Domain", "PerformanceLaws", "Trials", argumentParser],
            swiftSettings: strict),
        .executableTarget(
            name: "law-study",
            dependencies: ["Advisor", "Domain", "Observations", "PerformanceLaws", "Trials", argumentParser],
            swiftSettings: strict),
        .executableTarget(
            name: "entropy-bench",
            dependencies: ["Domain", "Interactions", "SequenceEntropy", argumentParser], swiftSettings: strict),
        .executableTarget(
            name: "law-bench", dependencies: ["Domain", "PerformanceLaws", argumentParser], swiftSettings: strict),
        .executableTarget(
            name: "design-replay",
            dependencies: ["Domain", "Observations", "PerformanceLaws", "SequentialDesign", argumentParser],
            swiftSettings: fast),
        .executableTarget(
            name: "plaw-trial",
            dependencies: [
                "CPlaw", "Domain", "Files", "Interactions", "Text", "Transformer", "Trials", argumentParser,
            ],
            swiftSettings: strict),
    ]
)

// libFuzzer brings the main function: the program exists only where scripts/fuzz asks for it.
if Context.environment["PLAW_FUZZ"] == "1" {
    package.targets.append(.executableTarget(name: "plaw-fuzz", dependencies: ["Fuzzing"], swiftSettings: strict))
}

// What the thread sanitizer must know of Swift's locks (Sources/CSanitizer), linked into every program and test.
if Context.environment["PLAW_SANITIZE"] == "thread" {
    let leaves = ["CArchive", "CKernels", "CPlaw", "CZlib", "CSystemd", "KernelsV2", "KernelsV3", "KernelsV4"]
    for target in package.targets where !leaves.contains(target.name) { target.dependencies.append("CSanitizer") }
    package.targets.append(.target(name: "CSanitizer"))
}
