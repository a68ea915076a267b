internal import Files
internal import Glibc

/// Another process holds a state directory.
package struct StateLockError: Error, Sendable, CustomStringConvertible {
    package var path: String
    /// The holder's process number, 0 where it could not be read.
    package var pid: Int32
    package var reason: String
    package var description: String { reason }
}

/// One daemon per state directory: a lock on `plawd.lock` that the kernel drops with the process, whatever ends it.
package struct StateLock: ~Copyable {
    private let descriptor: Int32

    /// Takes the lock. Errors: `StateLockError` with the holder's pid.
    package init(directory: String) throws {
        let path = directory + "/plawd.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StateLockError(
                path: path, pid: 0, reason: "\(path): cannot be opened: \(String(cString: strerror(errno)))")
        }
        var pid = Self.take(descriptor)
        // A worker that a dead daemon was just starting holds the lock until it runs, which is a matter of milliseconds.
        for _ in 0..<Self.patience where pid.map(Self.isGone) == true {
            usleep(20_000)
            pid = Self.take(descriptor)
        }
        if let pid {
            close(descriptor)
            throw StateLockError(
                path: path, pid: pid,
                reason: "\(directory): another plawd (pid \(pid)) works in this state directory")
        }
        ftruncate(descriptor, 0)
        _ = writeAll(descriptor, "\(getpid())\n")
    }

    deinit { close(descriptor) }

    /// Tries of 20 ms each for a lock whose holder is dead.
    private static let patience = 250

    /// Takes the lock, or says which process wrote that it holds it; 0 where that cannot be read.
    private static func take(_ descriptor: Int32) -> Int32? {
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return nil }
        var text = [UInt8](repeating: 0, count: 32)
        let count = text.withUnsafeMutableBytes { readAll(descriptor, into: $0, at: 0) }
        let digits = String(decoding: text.prefix(max(0, count)), as: UTF8.self).prefix { $0.isNumber }
        return Int32(digits) ?? 0
    }

    private static func isGone(_ pid: Int32) -> Bool { pid > 0 && kill(pid, 0) != 0 && errno == ESRCH }
}
