internal import Glibc
internal import Synchronization

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The memory that files being registered may take together.
final class ReadingMemory: Sendable {
    private let taken = Mutex(0)
    private let limit: @Sendable () -> Int

    init(limit: @escaping @Sendable () -> Int) { self.limit = limit }

    /// Calls `body` with a function that takes so many bytes in all for it, or says that they are not there; gives them back.
    func sharing<T>(_ body: ((Int) -> Bool) throws -> T) rethrows -> T {
        var own = 0
        defer { taken.withLock { $0 -= own } }
        return try body { bytes in
            let more = max(0, bytes - own)
            let isThere = taken.withLock { taken in
                guard taken + more <= limit() else { return false }
                taken += more
                return true
            }
            if isThere { own += more }
            return isThere
        }
    }
}

/// Bytes of memory that this process may count on: the machine's, or what its control groups leave of it.
func availableMemory() -> Int {
    var least = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    // Of the second version there is one line, `0::/path`; a limit of any group above holds too.
    guard let text = try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8),
        let line = text.split(separator: "\n").first(where: { $0.hasPrefix("0::") })
    else { return least }
    var path = String(line.dropFirst(3))
    while !path.isEmpty {
        if let limit = try? String(contentsOfFile: "/sys/fs/cgroup\(path)/memory.max", encoding: .utf8),
            let bytes = Int(limit.filter { !$0.isWhitespace })
        {
            least = min(least, bytes)
        }
        path = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    }
    return least
}
