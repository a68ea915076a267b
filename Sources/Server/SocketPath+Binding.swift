internal import Files
internal import Glibc
internal import Wire

/// A socket that cannot be opened, with the path and the reason.
package struct SocketError: Error, Sendable, CustomStringConvertible {
    package var path: String
    package var reason: String
    package var description: String { "\(path): \(reason)" }
}

extension SocketPath {
    /// Makes way for a new socket: removes one that nobody answers on.
    ///
    /// - Throws: `SocketError` for a path that is too long,
    ///   is answered, or is no socket.
    static func clear(_ path: String) throws {
        guard path.utf8.count < 108 else {
            throw SocketError(path: path, reason: "longer than the 107 bytes a socket's path may have")
        }
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw SocketError(path: path, reason: "exists and is not a socket; it is left alone")
        }
        guard !isAnswered(path) else { throw SocketError(path: path, reason: "another process answers on this socket") }
        unlink(path)
    }

    /// A socket that this process made, which may meanwhile have been removed and its path be another's.
    struct Bound: Sendable {
        private let path: String
        private let identity: [Int]

        /// Nil where it is gone already.
        init?(_ path: String) {
            guard let identity = Self.identity(path) else { return nil }
            (self.path, self.identity) = (path, identity)
        }

        /// Unlinks it, where it is still the one.
        func remove() {
            if Self.identity(path) == identity { unlink(path) }
        }

        private static func identity(_ path: String) -> [Int]? {
            var status = stat()
            guard lstat(path, &status) == 0 else { return nil }
            // A number is free again when its file is gone; the time at which the socket was made is not changed by chmod.
            return [
                Int(bitPattern: UInt(status.st_dev)), Int(bitPattern: UInt(status.st_ino)), status.st_mtim.tv_sec,
                status.st_mtim.tv_nsec,
            ]
        }
    }

    /// A descriptor bound to a path that `clear` made way for, not yet listening, with the socket's permissions set before anybody can
    /// connect.
    ///
    /// - Throws: `SocketError`.
    ///
    /// Not left to NIO: that unlinks the path when it closes, whoever's socket is there by then.
    static func bind(_ path: String, mode: mode_t) throws -> (descriptor: Int32, own: Bound?) {
        let descriptor = unconnected()
        guard descriptor >= 0, withAddress(path, { Glibc.bind(descriptor, $0, $1) }) == 0, chmod(path, mode) == 0 else {
            let reason = String(cString: strerror(errno))
            if descriptor >= 0 { close(descriptor) }
            throw SocketError(path: path, reason: "cannot be bound: \(reason)")
        }
        return (descriptor, Bound(path))
    }

    private static func unconnected() -> Int32 {
        socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    }

    private static func withAddress<T>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { target in
            target.copyBytes(from: path.utf8.prefix(target.count - 1))
        }
        return withUnsafePointer(to: &address) { pointer in
            // Safe: every address begins as `sockaddr` does, and the size says how much more is there.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func isAnswered(_ path: String) -> Bool {
        let descriptor = unconnected()
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let isConnected = withAddress(path) { connect(descriptor, $0, $1) == 0 }
        // A worker that a dead daemon was just starting keeps its socket open until it runs: connections go nowhere.
        guard isConnected, let listener = listener(descriptor) else { return isConnected }
        return kill(listener, 0) == 0 || errno != ESRCH
    }

    /// Process number of the one who listens at the other end of a connected socket.
    private static func listener(_ descriptor: Int32) -> pid_t? {
        guard let pid = SocketCredentials(of: descriptor)?.pid, pid > 0 else { return nil }
        return pid
    }
}
