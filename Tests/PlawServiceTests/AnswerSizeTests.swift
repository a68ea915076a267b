import Foundation
import Client
import PlawTesting
import Store
import Testing
import Trials

@testable import Domain
import StrictJSON
@testable import Wire

/// Stores with very many rows, or long ones: what is asked of them fits into an answer, page by page, or is refused before it changes
/// anything.
@Suite struct AnswerSizeTests {
    /// Half of the largest frame, with room for the names around the rows.
    private static let mostBytes = (8 << 20) + 4_096

    /// The result of a call as text, which has to keep to the size of a page.
    private static func text(_ socket: String, _ method: String, _ params: [String: JSONValue]) async throws -> Data {
        var peer = try RawConnection(path: socket)
        peer.mostSilence = 120
        defer { peer.close() }
        let encoded = String(decoding: try JSONEncoder().encode(JSONValue.object(params)), as: UTF8.self)
        try await peer.send(#"{"jsonrpc":"2.0","id":1,"method":"\#(method)","params":\#(encoded)}"#)
        let answer = try #require(try await peer.receiveText())
        #expect(answer.hasPrefix(#"{"id":1,"jsonrpc":"2.0","result":"#), "\(method): \(answer.prefix(300))")
        #expect(answer.utf8.count <= mostBytes, "\(method): \(answer.utf8.count) bytes")
        return Data(answer.utf8)
    }

    private struct Answer<Result: Decodable>: Decodable { var result: Result }

    /// All pages of a list, and how many there were.
    private static func pages<M: RPCMethod>(
        _ socket: String, _ method: M.Type, _ params: [String: JSONValue], from member: String,
        next: (M.Result) -> JSONValue?
    ) async throws -> [M.Result] {
        var (params, pages): ([String: JSONValue], [M.Result]) = (params, [])
        repeat {
            let page = try JSONDecoder().decode(Answer<M.Result>.self, from: try await text(socket, M.name, params))
                .result
            pages.append(page)
            params[member] = next(page)
        } while params[member] != nil
        return pages
    }

    @Test(
        "laws of very many observations are fitted and answered, a page for each; reports, recommendations and lists fit"
    )
    func observations() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                var rows = "backbone,loss,max_length,parameters,layers,dim,seed,users,hr@10,ndcg@10\n"
                let count = 19_200
                for number in 0..<count {
                    let (layers, dim) = (1 + number % 8, 16 << (number / 8 % 6))
                    let noise = Double(number &* 7_919 % 10_007) * 1.234567e-7
                    let quality = 0.2 + 0.01 * Double(layers) - 0.001 * Double(layers * layers) + 2e-5 * Double(dim)
                    rows +=
                        "sasrec,cce,50,\(dim * 1_000),\(layers),\(dim),\(number),5000,\(quality + noise),\(quality / 2 + noise)\n"
                }
                let text = rows
                let imported = try await call(
                    daemon.socket, ObservationImport.self,
                    ObservationImportParams(
                        name: "many", text: text, fileName: "a.csv", create: true, users: 5_000, items: 1_000))
                #expect(imported.imported == count && imported.laws.isEmpty)
                let fitted = try await Self.text(daemon.socket, "law.fit", ["name": .string("many")])
                let first = try JSONDecoder().decode(Answer<LawListResult>.self, from: fitted).result
                #expect(first.laws.allSatisfy { $0.fit.points.count == count })
                let pages = try await Self.pages(
                    daemon.socket, LawList.self, ["name": .string("many")], from: "before",
                    next: { $0.next.map { .integer($0) } })
                #expect(Set(pages.flatMap(\.laws).map(\.fit.metric)) == [Metric(.hr, 10), Metric(.ndcg, 10)])
                #expect(first.laws.first?.id == pages.first?.laws.first?.id)
                let law = try #require(first.laws.first?.id)
                _ = try await Self.text(daemon.socket, "law.get", ["id": .integer(law)])
                let listed = try await Self.pages(
                    daemon.socket, ObservationList.self, ["name": .string("many")], from: "after",
                    next: { $0.next.map { .integer($0) } })
                #expect(listed.flatMap(\.observations).count == count)
                for method in [
                    "report.render", "advisor.recommend", "advisor.pareto", "advisor.potential", "dataset.get",
                ] {
                    _ = try await Self.text(daemon.socket, method, ["name": .string("many")])
                }
                for method in ["server.info", "metrics.get", "dataset.list", "law.list", "job.list", "rpc.discover"] {
                    _ = try await Self.text(daemon.socket, method, [:])
                }
            }
        }
    }

    @Test("observations with as many and as long values as a table may hold come in pages by their bytes")
    func wide() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let names = (1...190).map { "hr@\($0)" }
                let source = String(repeating: "\u{e4}", count: 250)
                var rows = "layers,dim,seed,source,\(names.joined(separator: ","))\n"
                for seed in 0..<2_000 {
                    rows +=
                        "\(1 + seed % 4),64,\(seed),\(source)" + String(repeating: ",0.1234567", count: names.count)
                        + "\n"
                }
                let bytes = Data(rows.utf8)
                _ = try await withImported("wide", bytes, daemon.socket)
                let listed = try await Self.pages(
                    daemon.socket, ObservationList.self, ["name": .string("wide")], from: "after",
                    next: { $0.next.map { .integer($0) } })
                #expect(listed.count > 1 && listed.flatMap(\.observations).count == 2_000)
                #expect(Set(listed.flatMap(\.observations).map(\.id)).count == 2_000)
                _ = try await Self.text(daemon.socket, "report.render", ["name": .string("wide")])
                // Every answer names the expectation of each metric.
                let refused = await #expect(throws: RPCError.self) {
                    _ = try await raw(
                        daemon.socket, "law.fit",
                        .object(["name": .string("wide"), "metrics": .array(names.map { .string($0) })]))
                }
                #expect(refused?.data?["field"] == .string("metrics") && refused?.message.contains("100") == true)
            }
        }
    }

    private func withImported(_ name: String, _ bytes: Data, _ socket: String) async throws -> ObservationImportResult {
        try await PlawClient.withConnection(path: socket) { client in
            let id = try await client.call(DatasetUpload.self, DatasetUploadParams()).uploadId
            var offset = 0
            while offset < bytes.count {
                let piece = bytes[offset..<min(bytes.count, offset + (1 << 20))].base64EncodedString()
                let params = DatasetUploadParams(uploadId: id, offset: offset, data: piece)
                offset = try await client.call(DatasetUpload.self, params).received
            }
            return try await client.call(
                ObservationImport.self,
                ObservationImportParams(name: name, uploadId: id, fileName: "a.csv", create: true))
        }
    }

    @Test("very many datasets, and jobs with long messages and logs, come in pages or without the oldest logs")
    func many() async throws {
        try await withTemporaryFolder { folder in
            try FileManager.default.createDirectory(atPath: folder + "/state", withIntermediateDirectories: true)
            let trials = 1_000
            // As unreadable as a worker's last words may be: six bytes for each of them in JSON.
            let log = String(repeating: "\u{1}", count: 4_096)
            do {
                let store = try Store(path: folder + "/state/plawd.sqlite")
                for number in 0..<10_050 {
                    try await store.insertDataset(Self.dataset("d\(10_000_000 + number)"), corpusFile: "")
                }
                for _ in 0..<900 {
                    let job = try await store.insertJob(
                        dataset: "d10000000", budgetSeconds: 1, workers: 1,
                        message: String(repeating: "\u{2}", count: 3_000), trials: [])
                    try await store.updateJob(job, state: .failed, activeSeconds: 1)
                }
                let configuration = Configuration(layers: 2, dim: 16, heads: 1, maxLength: 20, loss: .cce)
                let spec = TrialSpec(
                    corpus: "/x", configuration: configuration, options: TrainingOptions(), seed: 1, mask: .full)
                let trial = NewTrial(spec: spec, predictedSeconds: 1, predictedEpochs: 1)
                let job = try await store.insertJob(
                    dataset: "d10000000", budgetSeconds: 1, workers: 1, message: nil,
                    trials: Array(repeating: trial, count: trials))
                for one in try await store.trials(of: job) {
                    try await store.updateTrial(one.id, state: .failed, seconds: 1, message: "it failed", log: log)
                }
                try await store.updateJob(job, state: .failed, activeSeconds: 1)
                try store.close()
            }
            _ = try await withDaemon(in: folder) { daemon async throws in
                let datasets = try await Self.pages(
                    daemon.socket, DatasetList.self, [:], from: "after", next: { $0.next.map { .string($0) } })
                #expect(datasets.map(\.datasets.count) == [10_000, 50])
                let names = datasets.flatMap(\.datasets).map(\.name)
                #expect(names == names.sorted() && Set(names).count == 10_050)
                let jobs = try await Self.pages(
                    daemon.socket, JobList.self, ["limit": .integer(10_000)], from: "before",
                    next: { $0.next.map { .integer($0) } })
                #expect(jobs.count > 1 && jobs.flatMap(\.jobs).map(\.id) == (1...901).reversed())
                for method in ["job.get", "job.wait", "job.cancel", "job.subscribe"] {
                    let text = try await Self.text(daemon.socket, method, ["id": .integer(901)])
                    let job = try JSONDecoder().decode(Answer<Job>.self, from: text).result
                    #expect(
                        job.trials?.count == trials && job.trials?.last?.log == log && job.trials?.first?.log == nil)
                }
                // What `plaw` shows is all of them.
                let listed = try await runProgram("plaw", ["datasets", "--socket", daemon.socket])
                #expect(listed.code == 0 && listed.output.split(separator: "\n").count == 10_051)
            }
        }
    }

    private static func dataset(_ name: String) -> DatasetInfo {
        DatasetInfo(
            name: name, version: "", createdAt: "2026-01-02T03:04:05Z", fileName: "", decision: nil,
            options: ReadOptions(), users: nil, items: nil, interactions: nil, statistics: nil, mask: nil, entropy: nil,
            corpusBytes: 0)
    }

    @Test("a calibration of more trials than an answer names is refused, and no job is made")
    func grids() async throws {
        try await withCalibratedDaemon { daemon async throws in
            let before = try await call(daemon.socket, JobList.self, JobListParams()).jobs.count
            let layers = JSONValue.array((1...128).map { .integer($0) })
            let dims = JSONValue.array((1...2_048).map { .integer(Int64($0) * 2) })
            for (field, levels) in [
                ("dims", ["layers": layers, "dims": dims]), ("dims", ["dims": dims]),
                ("dims", ["layers": layers, "dims": .array((1...8).map { .integer($0 * 2) })]),
            ] {
                for method in ["calibration.plan", "calibration.start"] {
                    let refused = await #expect(throws: RPCError.self) {
                        _ = try await raw(
                            daemon.socket, method,
                            .object(levels.merging(["name": .string("demo")]) { first, _ in first }))
                    }
                    #expect(
                        refused?.data?["field"] == .string(field) && refused?.message.contains("at most 1000") == true)
                }
            }
            #expect(try await call(daemon.socket, JobList.self, JobListParams()).jobs.count == before)
        }
    }

    @Test("a report of very many laws shows the newest and says how many it leaves out")
    func laws() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                var rows = "layers,dim,users,policy,hr@10,ndcg@10\n"
                for key in 0..<30 {
                    for number in 0..<6 {
                        rows += "\(1 + number % 3),\(32 << (number / 3)),5000,p\(key),0.2\(number),0.1\(number)\n"
                    }
                }
                let text = rows
                let imported = try await call(
                    daemon.socket, ObservationImport.self,
                    ObservationImportParams(name: "keys", text: text, fileName: "a.csv", create: true))
                #expect(imported.laws.count == 60)
                let report = try await call(daemon.socket, ReportRender.self, ReportRenderParams(name: "keys"))
                #expect(report.html.contains("36 more laws are left out"))
                #expect(report.html.utf8.count < 8 << 20)
                _ = try await Self.text(daemon.socket, "law.list", [:])
            }
        }
    }
}
