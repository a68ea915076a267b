import Foundation
import Client
import Wire
import PlawTesting
import Testing

/// What many bad peers cost a daemon of memory; `Benchmarks/hostile` has the figures of a release build.
@Suite struct HostileTests {
    private static func megabytes(_ daemon: DaemonProcess) -> Int { (daemon.memory("VmHWM") ?? .max) / 1_000 }

    /// Sends as much as the daemon takes now.
    private static func push(_ peer: RawConnection, _ bytes: [UInt8]) async {
        // It closes those that go too far.
        try? await peer.send(bytes: bytes)
    }

    @Test("200 peers that ask for the description 64 times each and read nothing take less than 60 MB")
    func silent() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let before = Self.megabytes(daemon)
                let request = RawConnection.frame(#"{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}"#)
                let many = (0..<64).flatMap { _ in request }
                let peers = try (0..<200).map { _ in try RawConnection(path: daemon.socket) }
                defer { peers.forEach { $0.close() } }
                for peer in peers { await Self.push(peer, many) }
                // All have been looked at when the last is answered.
                #expect(
                    try await waitUntil(seconds: 20) {
                        let counters = try await call(daemon.socket, MetricsGet.self, NoParams()).counters
                        return counters["requests_total{method=\"rpc.discover\"}", default: 0] >= 200
                    })
                let taken = Self.megabytes(daemon) - before
                #expect(taken < 60 || isSanitized, "\(taken) MB")
            }
        }
    }

    @Test("60 peers that send 4 MiB frames of nothing, and then something else, take less than 120 MB")
    func unfinished() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let before = Self.megabytes(daemon)
                let body = RawConnection.header(4 << 20) + [UInt8](repeating: 32, count: 5 << 20)
                let peers = try (0..<60).map { _ in try RawConnection(path: daemon.socket) }
                defer { peers.forEach { $0.close() } }
                await withTaskGroup(of: Void.self) { group in
                    for peer in peers { group.addTask { await Self.push(peer, body) } }
                    // Another is served meanwhile.
                    for _ in 0..<20 {
                        await #expect(throws: Never.self) { try await call(daemon.socket, ServerInfo.self, NoParams()) }
                    }
                }
                let taken = Self.megabytes(daemon) - before
                #expect(taken < 120 || isSanitized, "\(taken) MB")
            }
        }
    }
}
