import Domain
import Foundation
import Glibc
import Client
import PlawTesting
import StrictJSON
import Testing

@testable import Wire

/// Attacks on a running daemon, by peers of several users; docs/users/trust.md says what was tried.
@Suite(.serialized) struct WallTests {
    private static let isRoot = getuid() == 0
    private static let rootless: Comment = "NOT SHOWN: other users can be taken on by root alone"

    /// Lets other users reach the socket, as it is under systemd.
    private static func open(_ daemon: DaemonProcess, _ folder: String) {
        chmod(folder, 0o711)
        chmod(daemon.socket, 0o666)
    }

    /// A file whose entropies take some seconds in a debug build.
    private static let slowFile: Data = {
        var state: UInt64 = 1
        var text = ""
        for user in 0..<4_000 {
            text += "u\(user)"
            for _ in 0..<60 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                text += " \(state >> 33 % 3_000)"
            }
            text += "\n"
        }
        return Data(text.utf8)
    }()

    /// Seconds that a call takes.
    private static func seconds(_ body: () async throws -> Void) async throws -> Double {
        let start = ContinuousClock.now
        try await body()
        let taken = start.duration(to: .now)
        return Double(taken.components.seconds) + 1e-18 * Double(taken.components.attoseconds)
    }

    @Test(
        "what readers ask for keeps no writer waiting, goes when they go, and does not keep the daemon from stopping",
        .enabled(if: isRoot, rootless))
    func computing() async throws {
        try await withTemporaryFolder { folder in
            let (_, ending) = try await withDaemon(in: folder) { daemon async throws in
                Self.open(daemon, folder)
                _ = try await register(daemon.socket, "slow", bytes: Self.slowFile)
                func flood(_ user: UInt32) throws -> RawConnection { try RawConnection(path: daemon.socket, as: user) }
                func ask(_ peer: RawConnection, _ from: Int) async throws {
                    for id in 0..<60 {
                        // Each another question, so that none is answered from what was kept.
                        try await peer.send(
                            #"{"jsonrpc":"2.0","id":\#(id),"method":"dataset.entropy","params":{"name":"slow","maxLength":\#(from + id + 1)}}"#
                        )
                    }
                }
                var peers: [RawConnection] = []
                for user in 5_001...5_005 as ClosedRange<UInt32> {
                    for number in 0..<5 {
                        let peer = try flood(user)
                        peers.append(peer)
                        try await ask(peer, 100 + number * 60)
                    }
                }
                #expect(
                    try await waitUntil(seconds: 20) {
                        try await call(daemon.socket, MetricsGet.self, NoParams()).counters["requests_in_flight"] ?? 0
                            > 100
                    })
                for _ in 0..<5 {
                    let info = try await Self.seconds { _ = try await call(daemon.socket, ServerInfo.self, NoParams()) }
                    let small = try await Self.seconds {
                        await #expect(throws: RPCError.self) {
                            try await call(daemon.socket, DatasetRemove.self, DatasetName(name: "none"))
                        }
                    }
                    #expect(info < 1 * patience && small < 1 * patience, "\(info) \(small)")
                }
                // Another that only reads gets brief answers beside them.
                let other = try flood(5_006)
                let brief = try await Self.seconds {
                    let request = #"{"jsonrpc":"2.0","id":1,"method":"dataset.get","params":{"name":"slow"}}"#
                    let answer = try await other.exchange(request)
                    #expect(answer?["result"] != nil)
                }
                #expect(brief < 1 * patience, "\(brief)")
                other.close()
                // Half of them go, and what they asked for goes with them.
                for peer in peers.prefix(24) { peer.close() }
                #expect(
                    try await waitUntil(seconds: 10) {
                        try await call(daemon.socket, MetricsGet.self, NoParams()).counters["requests_in_flight"] ?? 999
                            <= 10
                    })
                for number in 0..<8 { try await ask(try flood(5_007), number * 60) }
                let stopped = await daemon.stop()
                #expect(stopped < 10 * patience, "\(stopped)")
            }
            #expect(ending == .exited(0))
        }
    }

    @Test(
        "waits and subscriptions of readers, as many as they get, leave room for root's cancellation",
        .enabled(if: isRoot, rootless))
    func places() async throws {
        let file = try await syntheticFile(users: 300, items: 200)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                Self.open(daemon, folder)
                _ = try await register(daemon.socket, "books", bytes: file)
                let job = try await call(
                    daemon.socket, CalibrationStart.self,
                    CalibrationParams(
                        name: "books", budgetSeconds: 600, layers: [2, 4], dims: [128, 256], patience: 400,
                        maxEpochs: 400)
                ).job.id
                var peers: [RawConnection] = []
                defer { peers.forEach { $0.close() } }
                func flood(_ user: UInt32, _ number: Int) async throws {
                    let peer = try RawConnection(path: daemon.socket, as: user)
                    peers.append(peer)
                    for id in 0..<64 {
                        let request =
                            number % 2 == 0
                            ? #"{"jsonrpc":"2.0","id":\#(id),"method":"job.wait","params":{"id":\#(job),"timeoutSeconds":3600}}"#
                            : #"{"jsonrpc":"2.0","id":\#(id),"method":"job.subscribe","params":{"id":\#(job)}}"#
                        try await peer.send(request)
                    }
                }
                for user in 5_001...5_005 as ClosedRange<UInt32> {
                    for number in 0..<20 { try await flood(user, number) }
                }
                var further = 0
                #expect(
                    try await waitUntil(seconds: 20) {
                        let counters = try await call(daemon.socket, MetricsGet.self, NoParams()).counters
                        let isFull =
                            counters["requests_in_flight"] ?? 0 > 2_000 && counters["subscriptions"] ?? 0 >= 512
                        // What was refused while others were being worked on would find a place now.
                        if !isFull, further < 100 {
                            further += 1
                            try await flood(5_001 + UInt32(further % 5), further / 5)
                        }
                        return isFull
                    })
                // Of what is for all they have the half at most; whoever watches as root finds a place.
                let counters = try await call(daemon.socket, MetricsGet.self, NoParams()).counters
                #expect(counters["requests_in_flight"] ?? 9_999 <= 2_060, "\(counters)")
                #expect(counters["subscriptions"] ?? 9_999 <= 512)
                let watched = try await call(daemon.socket, JobSubscribe.self, JobID(id: job))
                #expect(!watched.state.isFinal)
                let taken = try await Self.seconds {
                    _ = try await call(daemon.socket, JobCancel.self, JobID(id: job))
                }
                #expect(taken < 1 * patience, "\(taken)")
                #expect(
                    try await waitUntil(seconds: 20) {
                        try await call(daemon.socket, JobGet.self, JobID(id: job)).state.isFinal
                    })
            }
        }
    }

    @Test(
        "frames that readers announce and do not finish keep no other frame waiting, and those of theirs are small",
        .enabled(if: isRoot, rootless))
    func frames() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                Self.open(daemon, folder)
                let refused = try RawConnection(path: daemon.socket, as: 5_001)
                try await refused.send(bytes: RawConnection.header(4 << 20))
                #expect(try await refused.receive()?["error"]?["data"]?["reason"] == .string("too-large"))
                refused.close()
                var peers: [RawConnection] = []
                defer { peers.forEach { $0.close() } }
                for user in 5_001...5_005 as ClosedRange<UInt32> {
                    for _ in 0..<40 {
                        let peer = try RawConnection(path: daemon.socket, as: user)
                        peers.append(peer)
                        try? await peer.send(
                            bytes: RawConnection.header(1 << 20) + [UInt8](repeating: 32, count: 5_000))
                    }
                }
                try await Task.sleep(for: .milliseconds(300))
                // Whoever has nothing of it yet gets a large frame in, reader or not.
                for user in [0, 5_006] as [UInt32] {
                    let peer = try RawConnection(path: daemon.socket, as: user)
                    defer { peer.close() }
                    let taken = try await Self.seconds {
                        let blank = String(repeating: " ", count: 900_000)
                        let answer = try await peer.exchange(
                            #"{"jsonrpc":"2.0","id":1,"method":"server.info"\#(blank)}"#)
                        #expect(answer?["result"] != nil)
                    }
                    #expect(taken < 1 * patience, "user \(user): \(taken)")
                }
            }
        }
    }

    @Test(
        "plans that are asked for at once measure one after the other, in one process", .enabled(if: isRoot, rootless))
    func plans() async throws {
        let file = try await syntheticFile(users: 200, items: 100)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "books", bytes: file)
                let most = try await withThrowingTaskGroup(of: Int.self) { group in
                    for number in 0..<8 {
                        group.addTask {
                            let plan = try await call(
                                daemon.socket, CalibrationPlan.self,
                                CalibrationParams(name: "books", budgetSeconds: 60, maxLength: 20 + number))
                            return plan.trials.isEmpty ? 1_000 : 0
                        }
                    }
                    group.addTask {
                        var most = 0
                        for _ in 0..<100 {
                            most = max(most, daemon.children.count)
                            try await Task.sleep(for: .milliseconds(10))
                        }
                        return most
                    }
                    return try await group.reduce(0, max)
                }
                #expect(most == 1)
            }
        }
    }

    /// Most processes of the daemon at any moment of `body`.
    private static func processes(
        _ daemon: DaemonProcess, during body: @escaping @Sendable () async throws -> Void
    ) async throws -> Int {
        try await withThrowingTaskGroup(of: Int?.self) { group in
            group.addTask {
                try await body()
                return nil
            }
            group.addTask {
                var most = 0
                while !Task.isCancelled {
                    most = max(most, daemon.children.count)
                    try? await Task.sleep(for: .milliseconds(5))
                }
                return most
            }
            _ = try await group.next()
            group.cancelAll()
            return try await group.next().flatMap { $0 } ?? 0
        }
    }

    @Test("speeds that were measured beside trainings are measured again alone, and then no more")
    func besideTrainings() async throws {
        let file = try await syntheticFile(users: 300, items: 200)
        try await withTemporaryFolder { folder in
            let plan = CalibrationParams(name: "other", budgetSeconds: 60)
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "books", bytes: file)
                _ = try await register(daemon.socket, "other", bytes: file)
                let job = try await call(
                    daemon.socket, CalibrationStart.self,
                    CalibrationParams(
                        name: "books", budgetSeconds: 600, layers: [4], dims: [256], workers: 1, patience: 400,
                        maxEpochs: 400)
                ).job.id
                #expect(
                    try await waitUntil {
                        try await call(daemon.socket, MetricsGet.self, NoParams()).counters["workers"] ?? 0 > 0
                    })
                for expected in [2, 1] {
                    // The second finds what the first has measured, and the training goes on.
                    let most = try await Self.processes(daemon) {
                        let priced = try await call(daemon.socket, CalibrationPlan.self, plan)
                        #expect(!priced.trials.isEmpty)
                    }
                    #expect(most == expected)
                }
                _ = try await call(daemon.socket, JobCancel.self, JobID(id: job))
                #expect(await waitUntil { daemon.children.isEmpty })
                for expected in [1, 0] {
                    let most = try await Self.processes(daemon) {
                        _ = try await call(daemon.socket, CalibrationPlan.self, plan)
                    }
                    #expect(most == expected)
                }
            }
        }
    }
}
