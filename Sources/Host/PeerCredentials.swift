/// Who is at the other end of a Unix socket, as the kernel saw it when they connected.
package struct PeerCredentials: Sendable, Hashable {
    package var uid: UInt32
    package var gid: UInt32
    package var pid: Int32

    package init(uid: UInt32, gid: UInt32, pid: Int32) {
        (self.uid, self.gid, self.pid) = (uid, gid, pid)
    }

    /// A peer that was gone before it could be asked.
    package static let unknown = PeerCredentials(uid: .max, gid: .max, pid: 0)
}
