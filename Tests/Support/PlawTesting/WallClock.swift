internal import Glibc

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The wall clock of programs that a test starts: it is set by a file, while they run. Monotonic clocks go on as ever.
package struct WallClock: Sendable {
    private let library: String
    private let file: String

    /// Whether there is a compiler for the library that does it.
    package static let canBeSet = compiler != nil

    private static let compiler: String? = {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.map { $0 + "/clang" }.first { access($0, X_OK) == 0 }
    }()

    /// - Throws: `ClockError` with the compiler's words.
    package init(in folder: String) async throws {
        (library, file) = (folder + "/clock.so", folder + "/clock")
        let made = try await runProgram(
            path: Self.compiler ?? "clang",
            ["-shared", "-fPIC", "-O1", "-o", library, Paths.root + "/Tests/Clock/clock.c"])
        guard made.code == 0 else { throw ClockError(description: made.errors) }
        try set(0)
    }

    /// What makes a program follow it, and what it starts in turn.
    package var environment: [String: String] { ["LD_PRELOAD": library, "PLAW_CLOCK": file] }

    /// Sets the clock some seconds off the true time.
    package func set(_ seconds: Int) throws {
        // Renamed into place: a program that looks sees the one or the other.
        try Data("\(seconds)".utf8).write(to: URL(filePath: file), options: .atomic)
    }

    private struct ClockError: Error, CustomStringConvertible { var description: String }
}
