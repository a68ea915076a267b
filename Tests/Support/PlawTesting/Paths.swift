internal import Glibc

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Where tests find things.
package enum Paths {
    /// Root of the source tree.
    package static let root: String = {
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(4)
        return parts.joined(separator: "/")
    }()

    /// Folder of the built programs: the one that `PLAW_PROGRAMS` names, else the one the tests run from.
    package static let programs: String = {
        if let named = ProcessInfo.processInfo.environment["PLAW_PROGRAMS"] { return named }
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return own.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    }()

    package static func program(_ name: String) -> String { programs + "/" + name }

    /// A real dataset, nil where the folder of real data is absent.
    package static func realData(_ name: String) -> String? {
        let folder = ProcessInfo.processInfo.environment["PLAW_DATA"] ?? root + "/../shared/data"
        let path = folder + "/" + name
        return access(path, R_OK) == 0 ? path : nil
    }
}

/// A folder of its own, removed when `body` is over; its path is short enough for a socket.
package func withTemporaryFolder<T>(
    in parent: String = "/tmp", _ body: (String) async throws -> T
) async throws -> T {
    let path = "\(parent)/plaw-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    // Best effort: a test's outcome does not depend on it.
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}

/// How many times as long as usual things may take: more than 1 where `PLAW_PATIENCE` says so, as under a sanitizer.
package let patience = ProcessInfo.processInfo.environment["PLAW_PATIENCE"].flatMap { Double($0) } ?? 1

/// Whether programs take memory of a sanitizer's beside their own.
package let isSanitized = ProcessInfo.processInfo.environment["PLAW_SANITIZED"] != nil

/// Waits until `condition` holds; false when the time is over first. The time is for machines that are busy: no test waits for it to pass.
package func waitUntil(seconds: Double = 60, _ condition: () async throws -> Bool) async rethrows -> Bool {
    let end = ContinuousClock.now + .seconds(seconds * patience)
    while ContinuousClock.now < end {
        if try await condition() { return true }
        do { try await Task.sleep(for: .milliseconds(20)) } catch { return false }
    }
    return try await condition()
}
