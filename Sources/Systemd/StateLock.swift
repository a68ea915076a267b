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
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            var text = [UInt8](repeating: 0, count: 32)
            let count = read(descriptor, &text, 31)
            close(descriptor)
            let digits = String(decoding: text.prefix(max(0, count)), as: UTF8.self).prefix { $0.isNumber }
            let pid = Int32(digits) ?? 0
            throw StateLockError(
                path: path, pid: pid,
                reason: "\(directory): another plawd (pid \(pid)) works in this state directory")
        }
        ftruncate(descriptor, 0)
        let text = "\(getpid())\n"
        _ = text.withCString { pwrite(descriptor, $0, strlen($0), 0) }
    }

    deinit { close(descriptor) }
}
