import Wire
import Host
import Testing

@testable import PlawService

@Suite struct AuthorizationTests {
    @Test("root, the daemon's user and the group write; everybody else reads; a peer without credentials does nothing")
    func policy() {
        let policy = Authorization(owner: 990, writeGroup: 55, writers: [1_001])
        func access(_ uid: UInt32, _ gid: UInt32) -> Access {
            policy.decide(PeerCredentials(uid: uid, gid: gid, pid: 1)).access
        }
        #expect(access(0, 0) == .write)
        #expect(access(990, 990) == .write)
        #expect(access(1_000, 55) == .write)
        #expect(access(1_001, 100) == .write)
        #expect(access(1_002, 100) == .read)
        #expect(policy.decide(.unknown).access == .none)
        let closed = Authorization(owner: 990, writeGroup: nil, writers: [])
        #expect(closed.decide(PeerCredentials(uid: 1_000, gid: 55, pid: 1)).access == .read)
    }
}
