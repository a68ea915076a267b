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

    /// Takes the lock.
    ///
    /// - Throws: `StateLockError` with the holder's pid.
    package init(directory: String) throws {
        let path = directory + "/plawd.lock"
        // Neither what a link leads to nor a pipe is written to, and none holds the opening up.
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o600)
        guard descriptor >= 0 else {
            let reason = errno == ELOOP ? "is a symbolic link, expected a file" : String(cString: strerror(errno))
            throw StateLockError(path: path, pid: 0, reason: "\(path): cannot be opened: \(reason)")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw StateLockError(path: path, pid: 0, reason: "\(path): is no regular file, and one is needed there")
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
        // The last member is set here: from now on its deinit closes the descriptor, and nothing below may fail.
        self.descriptor = descriptor
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
