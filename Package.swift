// swift-tools-version: 6.2
import PackageDescription

// Language mode 6 and the upcoming features are on for every target; imports read as a contract.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-warnings-as-errors"]),
]

// Numeric code and what reads and writes long texts is optimised in debug builds too, so that tests run on it at speed.
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
        // Base and text
        .target(name: "Domain", swiftSettings: strict),
        .target(name: "Files", swiftSettings: strict),
        .testTarget(name: "FilesTests", dependencies: ["Files", "PlawTesting"], swiftSettings: strict),
        .target(name: "Text", dependencies: ["Files"], swiftSettings: strict),
        .testTarget(name: "TextTests", dependencies: ["PlawTesting", "Text"], swiftSettings: strict),
        .target(name: "StrictJSON", swiftSettings: fast),
        .testTarget(
            name: "StrictJSONTests", dependencies: ["Domain", "PlawTesting", "StrictJSON", "Wire"],
            swiftSettings: strict),

        // Kernels, numerics, data
        .target(name: "CKernels"),
        .target(name: "CPlaw"),
        // AVX2 and AVX512 are symbolic links to Baseline.
        .target(
            name: "KernelsBaseline", dependencies: ["CKernels"], path: "Sources/Kernels/Baseline",
            swiftSettings: kernels(nil, "K_NOFMA")),
        .target(
            name: "KernelsAVX2", dependencies: ["CKernels"], path: "Sources/Kernels/AVX2",
            swiftSettings: kernels("x86-64-v3", nil)),
        .target(
            name: "KernelsAVX512", dependencies: ["CKernels"], path: "Sources/Kernels/AVX512",
            swiftSettings: kernels("x86-64-v4", "K_AVX512")),
        .target(
            name: "Kernels",
            dependencies: ["CKernels", "CPlaw", "KernelsAVX2", "KernelsAVX512", "KernelsBaseline", "Text"],
            exclude: ["Baseline", "AVX2", "AVX512"], swiftSettings: fast),
        .testTarget(name: "KernelsTests", dependencies: ["Domain", "Kernels"], swiftSettings: fast),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(
            name: "Interactions", dependencies: ["CZlib", "Domain", "Files", "StrictJSON", "Text"], swiftSettings: fast),
        .testTarget(
            name: "InteractionsTests", dependencies: ["CZlib", "Domain", "Interactions"], swiftSettings: strict),
        .target(name: "Numerics", dependencies: ["Domain"], swiftSettings: fast),
        .testTarget(
            name: "NumericsTests", dependencies: ["Domain", "Numerics", "PlawTesting"], swiftSettings: strict),
        .target(name: "PerformanceLaws", dependencies: ["Domain", "Numerics"], swiftSettings: fast),
        .testTarget(
            name: "PerformanceLawsTests", dependencies: ["Domain", "Numerics", "PerformanceLaws", "PlawTesting"],
            swiftSettings: strict),
        .target(name: "Observations", dependencies: ["Domain", "Text"], swiftSettings: fast),
        .testTarget(
            name: "ObservationsTests", dependencies: ["Domain", "Observations"], exclude: ["Fixtures"],
            swiftSettings: strict),
        .target(name: "Trials", dependencies: ["Domain", "Files", "Numerics"], swiftSettings: fast),
        .target(
            name: "Wire",
            dependencies: [
                "Domain", "StrictJSON", "Trials",
                .product(name: "NIOCore", package: "swift-nio"),
            ], swiftSettings: strict),

        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .target(name: "Host", dependencies: ["CSystemd", "Files", "Text", logging], swiftSettings: strict),

        // Models and answers
        .target(name: "Costs", dependencies: ["Domain", "Interactions", "Numerics", "Trials"], swiftSettings: fast),
        .testTarget(
            name: "CostsTests", dependencies: ["Costs", "Domain", "Interactions", "Kernels", "Transformer", "Trials"],
            swiftSettings: strict),
        .target(
            name: "Advisor", dependencies: ["Costs", "Domain", "Numerics", "PerformanceLaws"], swiftSettings: fast),
        .testTarget(
            name: "AdvisorTests",
            dependencies: ["Advisor", "Costs", "Domain", "Numerics", "PerformanceLaws", "Trials"],
            swiftSettings: strict),
        .target(
            name: "SequentialDesign", dependencies: ["Domain", "Numerics", "PerformanceLaws"], swiftSettings: fast),
        .testTarget(
            name: "SequentialDesignTests",
            dependencies: ["DesignReplay", "Domain", "PerformanceLaws", "SequentialDesign"],
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
        .target(name: "Reports", dependencies: ["Domain", "Wire"], swiftSettings: strict),
        .testTarget(
            name: "ReportsTests", dependencies: ["Domain", "Reports", "Wire"], swiftSettings: strict),
        .target(
            name: "Store",
            dependencies: ["Domain", "Files", "Observations", "StrictJSON", "Trials", grdb],
            swiftSettings: strict),

        .target(
            name: "Server",
            dependencies: [
                "Files", "Host", "StrictJSON", "Wire", logging,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ], swiftSettings: strict),

        // Client and calibration
        .target(
            name: "Client",
            dependencies: [
                "StrictJSON", "Wire",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ], swiftSettings: strict),

        .target(
            name: "Calibration",
            dependencies: [
                "Costs", "Domain", "Files", "Host", "Interactions", "PerformanceLaws", "SequentialDesign", "Store",
                "StrictJSON", "Trials", "Wire", logging,
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ], swiftSettings: strict),

        // Service
        .target(
            name: "PlawService",
            dependencies: [
                "Advisor", "Calibration", "Costs", "Domain", "Files", "Host", "Interactions", "Observations",
                "PerformanceLaws", "Reports", "SequenceEntropy", "Server", "Store",
                "StrictJSON", "Text", "Trials", "Wire", logging,
            ], swiftSettings: strict),

        // For tests
        .target(name: "CPlawTesting", path: "Tests/Support/CPlawTesting"),
        .target(
            name: "PlawTesting",
            dependencies: [
                "CPlawTesting", "Files", "StrictJSON", "Wire",
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ], path: "Tests/Support/PlawTesting", swiftSettings: strict),
        .testTarget(
            name: "WireTests", dependencies: ["Domain", "PlawTesting", "StrictJSON", "Wire"], swiftSettings: strict),
        .testTarget(
            name: "PlawServiceTests",
            dependencies: [
                "Client", "Domain", "Fuzzing", "Host", "Interactions", "Observations", "PlawService",
                "PlawTesting", "Server", "Store", "StrictJSON", "Trials", "Wire", "plaw", "plaw-trial", "plawd",
            ], swiftSettings: strict),
        .testTarget(
            name: "plawTests",
            dependencies: [
                "Domain", "PlawTesting", "StrictJSON", "Wire", "plaw", "plaw-trial", "plawd",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "StoreTests",
            dependencies: ["Calibration", "Domain", "Observations", "PlawTesting", "Store", "Trials", "Wire", grdb],
            swiftSettings: strict),
        .testTarget(
            name: "HostTests", dependencies: ["Host", "PlawTesting", "Wire", "plawd", logging],
            swiftSettings: strict),
        .testTarget(
            name: "CalibrationTests",
            dependencies: [
                "Calibration", "Domain", "Interactions", "PlawTesting", "SequentialDesign", "Store", "StrictJSON",
                "Trials", "Wire", "plaw-trial", logging,
            ], swiftSettings: strict),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "Client", "Host", "PlawTesting", "Server", "StrictJSON", "Wire", logging,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            swiftSettings: strict),

        // Programs
        .executableTarget(
            name: "plawd",
            dependencies: [
                "CPlaw", "Calibration", "Domain", "Files", "Host", "PlawService", "Server", "Text", "Wire",
                argumentParser,
                logging,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ], swiftSettings: strict),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .executableTarget(
            name: "plaw",
            dependencies: [
                "CArchive", "Client", "Domain", "Files", "Interactions", "Observations", "StrictJSON", "Text", "Trials",
                "Wire",
                argumentParser,
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "plaw-trial",
            dependencies: [
                "CPlaw", "Costs", "Domain", "Files", "Interactions", "Text", "Transformer", "Trials", argumentParser,
            ],
            swiftSettings: strict),

        // Benchmarks and studies: built with everything, shipped with nothing
        .executableTarget(
            name: "cost-bench",
            dependencies: ["Advisor", "Costs", "Domain", "PerformanceLaws", "Trials", argumentParser],
            path: "Benchmarks/Sources/cost-bench", swiftSettings: strict),
        .target(
            name: "DesignReplay", dependencies: ["Domain", "Numerics", "PerformanceLaws", "SequentialDesign"],
            path: "Benchmarks/Sources/DesignReplay", swiftSettings: fast),
        .executableTarget(
            name: "design-replay",
            dependencies: [
                "DesignReplay", "Domain", "Observations", "PerformanceLaws", "SequentialDesign", argumentParser,
            ],
            path: "Benchmarks/Sources/design-replay", swiftSettings: fast),
        .executableTarget(
            name: "entropy-bench",
            dependencies: ["Domain", "Interactions", "SequenceEntropy", argumentParser],
            path: "Benchmarks/Sources/entropy-bench", swiftSettings: strict),
        .executableTarget(
            name: "kernel-bench", dependencies: ["Kernels"], path: "Benchmarks/Sources/kernel-bench",
            swiftSettings: fast),
        .executableTarget(
            name: "law-bench", dependencies: ["Domain", "PerformanceLaws", argumentParser],
            path: "Benchmarks/Sources/law-bench", swiftSettings: strict),
        .executableTarget(
            name: "law-study",
            dependencies: [
                "Advisor", "Costs", "Domain", "Numerics", "Observations", "PerformanceLaws", "Trials", argumentParser,
            ],
            path: "Benchmarks/Sources/law-study", swiftSettings: strict),

        // Fuzz targets; the tests replay their cases
        .target(
            name: "Fuzzing",
            dependencies: [
                "Domain", "Files", "Interactions", "Kernels", "Observations", "Server", "Transformer", "Trials",
                "Wire",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ], path: "Fuzz/Sources/Fuzzing", swiftSettings: strict),
        .testTarget(
            name: "FuzzingTests", dependencies: ["Domain", "Fuzzing", "PlawTesting"], exclude: ["Fixtures"],
            swiftSettings: strict),
    ]
)

// libFuzzer brings the main function: the program exists only where scripts/fuzz asks for it.
if Context.environment["PLAW_FUZZ"] == "1" {
    package.targets.append(
        .executableTarget(
            name: "plaw-fuzz", dependencies: ["Fuzzing"], path: "Fuzz/Sources/plaw-fuzz", swiftSettings: strict))
}

// What the thread sanitizer must know of Swift's locks (Tests/Support/CSanitizer), linked into every program and test.
if Context.environment["PLAW_SANITIZE"] == "thread" {
    let leaves = [
        "CArchive", "CKernels", "CPlaw", "CZlib", "CSystemd", "KernelsAVX2", "KernelsAVX512", "KernelsBaseline",
    ]
    for target in package.targets where !leaves.contains(target.name) { target.dependencies.append("CSanitizer") }
    package.targets.append(.target(name: "CSanitizer", path: "Tests/Support/CSanitizer"))
}
