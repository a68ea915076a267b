import Domain
import Foundation
import Fuzzing
import Wire
import PlawTesting
import StrictJSON
import Testing

/// Damaged requests to a daemon that has everything to answer them with: what its handlers make of them, behind what FuzzingTests reach.
@Suite struct FuzzDaemonTests {
    /// Requests sent; `scripts/fuzz daemon COUNT` asks for more.
    private static let count = ProcessInfo.processInfo.environment["PLAW_FUZZ_COUNT"].flatMap { Int($0) } ?? 2_000
    /// Where those sent last are kept, so that what the daemon died of can be found.
    private static let last = ProcessInfo.processInfo.environment["PLAW_FUZZ_LAST"]
    private static let together = 200
    /// A fit takes as long as hundreds of others, and so does the measurement of speeds, a minute where damage asks for wide shapes.
    private static let slow: Set = ["calibration.plan", "law.fit"]

    private struct HungUp: Error {}

    private static func list(_ value: JSONValue?) -> [JSONValue] {
        if case .array(let items)? = value { return items }
        return []
    }

    /// The examples of protos/plaw.openrpc.json, which have every parameter of every method.
    private static func seeds() throws -> [(method: String, request: [UInt8])] {
        let data = try Data(contentsOf: URL(filePath: Paths.root + "/protos/plaw.openrpc.json"))
        let document = try JSONDecoder().decode(JSONValue.self, from: data)
        return try list(document["methods"]).flatMap { method -> [(method: String, request: [UInt8])] in
            let examples = list(method["examples"]) + list(method["x-error-examples"])
            return try examples.map { example in
                var params: [String: JSONValue] = [:]
                for param in list(example["params"]) {
                    if let name = param["name"]?.stringValue { params[name] = param["value"] }
                }
                // The dataset that all others ask about stays, and what is started ends soon.
                if method["name"] == .string("dataset.remove") { params["name"] = .string("another") }
                if method["name"] == .string("calibration.start") { params["budgetSeconds"] = .integer(1) }
                if method["name"] == .string("job.wait") { params["timeoutSeconds"] = .number(0.1) }
                let request: [String: JSONValue] = [
                    "jsonrpc": .string("2.0"), "id": .integer(7), "method": method["name"] ?? .null,
                    "params": .object(params),
                ]
                return (
                    method["name"]?.stringValue ?? "", Array(try JSONEncoder().encode(JSONValue.object(request)))
                )
            }
        }
    }

    /// Sends requests, and reads until the last of them, which is none of theirs, is answered.
    private static func exchange(_ messages: [[UInt8]], _ socket: String, _ end: String) async throws {
        var peer = try RawConnection(path: socket)
        // Damage makes a wait of a few minutes, and what is exclusive waits for it.
        peer.mostSilence = 200
        defer { peer.close() }
        try await withThrowingTaskGroup(of: Void.self) { [peer] group in
            group.addTask {
                for message in messages where !message.isEmpty {
                    try await peer.send(bytes: RawConnection.header(message.count) + message)
                }
                try await peer.send(#"{"jsonrpc":"2.0","id":"\#(end)","method":"server.info"}"#)
            }
            group.addTask {
                while let answer = try await peer.receiveText() {
                    if answer.contains(end) { return }
                }
                throw HungUp()
            }
            try await group.waitForAll()
        }
    }

    @Test("damaged requests end no daemon", .timeLimit(.minutes(300)))
    func requests() async throws {
        let seeds = try Self.seeds()
        #expect(seeds.count > 60)
        try await withCalibratedDaemon { daemon async throws in
            var damage = Damage(seed: 0x2545_f491_4f6c_dd1d)
            var sent = 0
            while sent < Self.count {
                let messages = (0..<min(Self.together, Self.count - sent)).map { _ in
                    var seed = seeds[Int(damage.next() % UInt64(seeds.count))]
                    while Self.slow.contains(seed.method), damage.next() % 20 != 0 {
                        seed = seeds[Int(damage.next() % UInt64(seeds.count))]
                    }
                    var bytes = seed.request
                    for _ in 0...damage.next() % 3 { damage.damage(&bytes) }
                    return bytes
                }
                if let last = Self.last {
                    try Data(messages.joined(separator: [10])).write(to: URL(filePath: last))
                }
                try await Self.exchange(messages, daemon.socket, "end-\(sent)")
                sent += messages.count
                for job in try await call(daemon.socket, JobList.self, JobListParams()).jobs where !job.state.isFinal {
                    _ = try await call(daemon.socket, JobCancel.self, JobID(id: job.id))
                }
            }
            // A request that asks for nothing unusual is answered as before.
            _ = try await call(daemon.socket, DatasetGet.self, DatasetName(name: "demo"))
            #expect(!daemon.logged.contains("Fatal error"))
            let counters = try await call(daemon.socket, MetricsGet.self, NoParams()).counters
            let internalErrors = counters.filter { $0.key.contains("internal-error") && $0.value > 0 }
            #expect(internalErrors.isEmpty)
            if Self.last != nil { print("daemon: \(sent) requests") }
        }
    }
}
