import Foundation
import Client
import PlawTesting
import Server
import StrictJSON
import Testing

@testable import Wire

private func number(_ value: JSONValue) -> Double? {
    switch value {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
}

/// What a daemon does that may open few files.
@Suite struct DescriptorTests {
    @Test("the connections served are what the limit of open files leaves, and the usual number where it leaves more")
    func limits() throws {
        func served(_ descriptors: Int, workers: Int = 2, loops: Int = 2) throws -> Int {
            try ServerLimits(descriptors: descriptors, workers: workers, loops: loops).connections.total
        }
        #expect(try served(20_480) == 16_384)
        #expect(try served(1 << 30) == 16_384)
        #expect(try served(1_024) == 768)
        #expect(try served(160) == 72)
        #expect(try served(2_048, workers: 64, loops: 64) == 2_048 - (64 + 512 + 256))
        #expect(try ServerLimits(descriptors: 1_024, workers: 2, loops: 2).connections.readers == 576)
        let refusal = #expect(throws: TooFewDescriptors.self) { try served(103) }
        #expect(
            refusal?.description
                == "103 files may be open at once, 104 are needed at least; raise the limit (LimitNOFILE=, ulimit -n)")
        #expect(try served(104) == 16)
    }

    @Test(
        "400 peers of a daemon that may open 160 files are served or told that they are too many; it works on meanwhile"
    )
    func crowd() async throws {
        let file = try await syntheticFile(users: 200, items: 100)
        try await withTemporaryFolder { folder in
            let (_, ending) = try await withDaemon(in: folder, descriptors: 160) { daemon async throws in
                _ = try await register(daemon.socket, "demo", bytes: file)
                let first = try RawConnection(path: daemon.socket)
                defer { first.close() }
                let ping = #"{"jsonrpc":"2.0","id":1,"method":"server.info"}"#
                let limit = try #require(
                    try await first.exchange(ping)?["result"]?["maxConnections"].flatMap(number).map { Int($0) })
                #expect((16...120).contains(limit))
                try await PlawClient.withConnection(path: daemon.socket) { worker in
                    // It is served before the others come.
                    _ = try await worker.call(ServerInfo.self, NoParams())
                    // The tests' own files are few; nobody listens to these.
                    let crowd = try (0..<400).map { _ in try RawConnection(path: daemon.socket) }
                    defer { crowd.forEach { $0.close() } }
                    // Meanwhile one that is served has work done that needs files and a process.
                    let plan = try await worker.call(
                        CalibrationPlan.self, CalibrationParams(name: "demo", budgetSeconds: 10, layers: [1], dims: [8])
                    )
                    #expect(!plan.trials.isEmpty)
                    for _ in 0..<30 {
                        #expect(try await first.exchange(ping)?["result"] != nil)
                        try await Task.sleep(for: .milliseconds(100))
                    }
                    let answer = try #require(try await crowd.last?.receive())
                    #expect(answer["error"]?["code"] == .integer(-32008), "\(answer)")
                    #expect(try await crowd.last?.receive() == nil)
                    let metrics = try await first.exchange(#"{"jsonrpc":"2.0","id":3,"method":"metrics.get"}"#)
                    let counters = metrics?["result"]?["counters"]
                    #expect(counters?["connections_limit"].flatMap(number) == Double(limit))
                    #expect((counters?["open_descriptors"].flatMap(number) ?? .infinity) < 150)
                }
            }
            #expect(ending == .exited(0))
        }
    }

    @Test("a daemon that may open hardly any file does not start, and says how many it needs")
    func hardlyAny() async throws {
        try await withTemporaryFolder { folder in
            let outcome = try await runProgram(
                path: "/bin/sh",
                [
                    "-c", "ulimit -n 60; exec \"$@\"", "sh", Paths.program("plawd"), "--state-directory",
                    folder + "/state", "--socket", folder + "/plawd.sock",
                ])
            #expect(outcome.code == 1)
            #expect(outcome.errors.hasPrefix("plawd: 60 files may be open at once, "), "\(outcome.errors)")
        }
    }
}
