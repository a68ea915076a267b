internal import Wire
internal import Host

/// Who may do what: a pure function of the peer's credentials.
struct Authorization: Sendable {
    /// The daemon's own user.
    var owner: UInt32
    /// Group whose members may write; nil lets no group write.
    var writeGroup: UInt32?
    /// Users in that group besides those who have it as their primary group.
    var writers: Set<UInt32>

    /// Root and the daemon's own user write, the group writes, everybody else reads; a peer without credentials does nothing.
    func decide(_ peer: PeerCredentials) -> (access: Access, reason: String) {
        if peer == .unknown { return (.none, "no credentials") }
        if peer.uid == 0 { return (.write, "root") }
        if peer.uid == owner { return (.write, "the daemon's own user") }
        if let writeGroup, peer.gid == writeGroup || writers.contains(peer.uid) {
            return (.write, "member of the group")
        }
        return (.read, "any other user")
    }
}
