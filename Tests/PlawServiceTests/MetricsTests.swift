import Domain
import Foundation
import Client
import PlawTesting
import StrictJSON
import Testing

@testable import Wire

/// What the daemon tells of itself, as Prometheus would read it.
@Suite struct MetricsTests {
    /// A line of the text: name, labels, value.
    private struct Sample: Hashable {
        var name: String
        var labels: [String: String]
        var value: Double

        init?(_ line: Substring) {
            guard let match = line.wholeMatch(of: /([a-z_]+)(?:\{(.*)\})? (\S+)/), let value = Double(match.3) else {
                return nil
            }
            (name, self.value) = (String(match.1), value)
            labels = [:]
            for label in (match.2 ?? "").matches(of: /([a-z]+)="([^"]*)"/) {
                labels[String(label.1)] = String(label.2)
            }
        }
    }

    /// Kinds by name, and the samples.
    ///
    /// - Throws: a line that is neither comment nor sample.
    private static func parse(_ text: String) throws -> (kinds: [String: String], samples: [Sample]) {
        var (kinds, samples): ([String: String], [Sample]) = ([:], [])
        for line in text.split(separator: "\n") {
            if let match = line.wholeMatch(of: /# TYPE ([a-z_]+) (counter|gauge|histogram)/) {
                #expect(kinds.updateValue(String(match.2), forKey: String(match.1)) == nil, "\(match.1) twice")
            } else if !line.hasPrefix("# HELP ") {
                samples.append(try #require(Sample(line), "\(line)"))
            }
        }
        return (kinds, samples)
    }

    @Test("the table in the documents has every name that is exposed, with its kind, and no other")
    func documented() async throws {
        let document = try String(contentsOfFile: Paths.root + "/docs/users/metrics.md", encoding: .utf8)
        var documented: [String: String] = [:]
        for row in document.split(separator: "\n") {
            if let match = row.prefixMatch(of: /\| `(plawd_[a-z_]+)` \| ([a-z]+) \|/) {
                documented[String(match.1)] = String(match.2)
            }
        }
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { [documented] daemon async throws in
                let result = try await call(daemon.socket, MetricsGet.self, NoParams())
                let (kinds, samples) = try Self.parse(result.text)
                #expect(kinds == documented)
                // Each sample belongs to a family, and each value to a sample.
                for sample in samples {
                    let family = sample.name.replacing(/_(bucket|count|sum)$/, with: "")
                    #expect(kinds[sample.name] != nil || kinds[family] == "histogram", "\(sample.name)")
                }
                #expect(result.counters.count == samples.count { !$0.name.hasSuffix("_bucket") })
            }
        }
    }

    @Test("requests are counted by method and outcome, each in one class of the histogram")
    func requests() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let before = ContinuousClock.now
                for _ in 1...7 { _ = try await call(daemon.socket, DatasetList.self, DatasetListParams()) }
                for _ in 1...3 {
                    await #expect(throws: RPCError.self) {
                        try await raw(daemon.socket, "dataset.get", .object(["name": .string("none")]))
                    }
                    await #expect(throws: RPCError.self) { try await raw(daemon.socket, "made.up", .object([:])) }
                }
                _ = try await call(daemon.socket, RPCDiscover.self, NoParams())
                let seconds = Double(before.duration(to: .now).components.seconds) + 1
                let result = try await call(daemon.socket, MetricsGet.self, NoParams())
                let samples = try Self.parse(result.text).samples
                for (method, outcome, count) in [
                    ("dataset.list", "ok", 7.0), ("dataset.get", "dataset-unknown", 3),
                    ("unknown", "method-not-found", 3), ("rpc.discover", "ok", 1),
                ] {
                    let own = samples.filter { $0.labels["method"] == method && $0.labels["outcome"] == outcome }
                    let classes = own.filter { $0.name == "plawd_request_seconds_bucket" }
                    #expect(classes.count == 15)
                    // Each class holds those below it.
                    #expect(zip(classes, classes.dropFirst()).allSatisfy { $0.value <= $1.value })
                    #expect(classes.last?.labels["le"] == "+Inf")
                    #expect(classes.last?.value == count, "\(method)")
                    let sum = try #require(own.first { $0.name == "plawd_request_seconds_sum" })
                    #expect(sum.value > 0 && sum.value < seconds)
                    #expect(
                        result.counters["request_seconds_count{method=\"\(method)\",outcome=\"\(outcome)\"}"] == count)
                    #expect(result.counters["requests_total{method=\"\(method)\"}"] == count)
                    #expect(result.counters["errors_total{method=\"\(method)\"}"] == (outcome == "ok" ? nil : count))
                }
            }
        }
    }

    @Test("what is stored, trained and taken is told")
    func state() async throws {
        try await withCalibratedDaemon { daemon async throws in
            let residentBefore = try #require(daemon.memory("VmRSS")) * 1_024
            let counters = try await call(daemon.socket, MetricsGet.self, NoParams()).counters
            let info = try await call(daemon.socket, ServerInfo.self, NoParams())
            #expect(counters["datasets"] == 1)
            #expect(counters["laws"] == Double(info.laws))
            #expect(counters["observations"] == Double(info.observations))
            #expect(counters["jobs{state=\"finished\"}"] == 1)
            let job = try await call(daemon.socket, JobGet.self, JobID(id: 1))
            let finished = (job.trials ?? []).filter { $0.state == .finished }.count
            #expect(counters["trials{state=\"finished\"}"] == Double(finished))
            let size = try FileManager.default.attributesOfItem(atPath: daemon.state + "/plawd.sqlite")[.size] as? Int
            #expect(counters["store_bytes{file=\"database\"}"] == size.map(Double.init))
            let resident = try #require(daemon.memory("VmRSS")) * 1_024
            // It may grow while it answers.
            let told = counters["resident_bytes"] ?? 0
            #expect(
                told > 0.8 * Double(min(resident, residentBefore)) && told < 1.2 * Double(max(resident, residentBefore))
            )
            let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(daemon.pid)/fd").count
            #expect(abs((counters["open_descriptors"] ?? 0) - Double(open)) <= 2)
            // Nothing has been trained by this daemon.
            #expect(counters["worker_starts_total"] == 0)
            let file = try await syntheticFile(users: 1_000, items: 800)
            _ = try await register(daemon.socket, "more", bytes: file)
            let params = CalibrationParams(
                name: "more", budgetSeconds: 600, layers: [2], dims: [64], patience: 200, maxEpochs: 200)
            let started = try await call(daemon.socket, CalibrationStart.self, params).job.id
            let trains = try await waitUntil(seconds: 60) {
                let now = try await call(daemon.socket, MetricsGet.self, NoParams()).counters
                return now["training_tokens_per_second", default: 0] > 0 && now["workers", default: 0] > 0
                    && now["worker_starts_total", default: 0] > 0 && now["jobs{state=\"running\"}"] == 1
            }
            #expect(trains)
            _ = try await call(daemon.socket, JobCancel.self, JobID(id: started))
            _ = try await end(of: started, daemon.socket)
            let after = try await call(daemon.socket, MetricsGet.self, NoParams()).counters
            #expect(after["workers"] == 0)
            #expect(after["training_tokens_per_second"] == 0)
            #expect(after["worker_restarts_total"] == 0)
        }
    }
}
