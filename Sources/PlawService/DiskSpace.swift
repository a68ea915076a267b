internal import Glibc
internal import PlawProtocol

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// What the state directory may still take: the quota of the configuration, and what the disk has left.
struct DiskSpace: Sendable {
    private let root: String
    /// Most bytes of the state directory; nil for as many as the disk has.
    private let maximum: @Sendable () -> Int?
    private let offload = Offload()

    init(root: String, maximum: @escaping @Sendable () -> Int?) {
        self.root = root
        self.maximum = maximum
    }

    /// Bytes that may still be written, and what limits them.
    func left() async throws -> (bytes: Int, limit: String) {
        let (root, maximum) = (root, maximum())
        return try await offload.run {
            var status = statvfs()
            guard statvfs(root, &status) == 0 else {
                throw RPCError(.storeFailed, "\(root): \(String(cString: strerror(errno)))")
            }
            let free = Int(status.f_bavail) * Int(status.f_frsize)
            guard let maximum else { return (free, "the disk") }
            let quota = maximum - Self.used(root)
            return quota < free ? (quota, "maxStateBytes, \(maximum) bytes,") : (free, "the disk")
        }
    }

    /// Errors: `noSpace` when `bytes` more would not fit, with how much there is and what it is for.
    func check(_ bytes: Int, for purpose: String) async throws {
        let left = try await left()
        guard bytes > left.bytes else { return }
        throw RPCError(
            .noSpace, "\(purpose) needs about \(bytes) bytes; \(left.limit) has \(max(0, left.bytes)) left",
            ["neededBytes": .integer(Int64(bytes)), "leftBytes": .integer(Int64(max(0, left.bytes)))])
    }

    /// Bytes of all files under a folder as the disk counts them, each file once however many names it has.
    static func used(_ root: String) -> Int {
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: root)) ?? []
        var seen: Set<UInt> = []
        var bytes = 0
        for name in names {
            var status = stat()
            guard lstat(root + "/" + name, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            if status.st_nlink > 1, !seen.insert(UInt(status.st_ino)).inserted { continue }
            bytes += Int(status.st_blocks) * 512
        }
        return bytes
    }
}
