package import Glibc

/// Who is at the other end of a Unix socket: the kernel's `struct ucred`, which Glibc's module does not show.
package struct SocketCredentials: Sendable {
    package var pid: pid_t = 0
    package var uid: uid_t = .max
    package var gid: gid_t = .max

    package init() {}

    /// Of a connected socket; nil where the kernel does not say.
    package init?(of descriptor: Int32) {
        self.init()
        var size = socklen_t(MemoryLayout<SocketCredentials>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &self, &size) == 0 else { return nil }
    }
}
