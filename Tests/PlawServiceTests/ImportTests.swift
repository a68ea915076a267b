import Domain
import Foundation
import Observations
import Client
import PlawTesting
import StrictJSON
import Testing

#if canImport(FoundationXML)
import FoundationXML

@testable import Wire
#endif

/// Observations from elsewhere, through the real daemon, its socket and its database.
@Suite struct ImportTests {
    /// A full grid of a surface with a maximum, 12101 items: the parameters are those of sasrec.
    private static func grid(_ extra: [(column: String, value: String)] = [], seed: Int = 1) -> String {
        let header =
            "backbone,loss,layers,dim,heads,max_length,tokens,apen,seed,users,hr@10,ndcg@10,parameters,epochs,status"
        var lines = [([header] + extra.map(\.column)).joined(separator: ",")]
        for layers in [1, 2, 4, 8] {
            for dim in [16, 32, 64, 128] {
                let (x, y) = (Foundation.log(Double(layers) / 3), Foundation.log(Double(dim) / 60))
                let value = 0.06 - 0.002 * x * x - 0.004 * y * y
                let parameters = 12_101 * dim + 50 * dim + 2 * dim + layers * (12 * dim * dim + 13 * dim)
                let cells = [
                    "sasrec", "cce", "\(layers)", "\(dim)", "2", "50", "128031", "2.97", "\(seed)", "22363",
                    "\(value * 1.6)",
                    "\(value)", "\(parameters)", "80", "converged",
                ]
                lines.append((cells + extra.map(\.value)).joined(separator: ","))
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Places and values of such a surface, and what is said of all rows.
    private static func bare(_ extra: [(column: String, value: String)] = []) -> String {
        var lines = [(["layers", "dim", "ndcg@10"] + extra.map(\.column)).joined(separator: ",")]
        for layers in [1, 2, 4] {
            for dim in [16, 32, 64, 128] {
                let (x, y) = (Foundation.log(Double(layers) / 3), Foundation.log(Double(dim) / 60))
                let cells = ["\(layers)", "\(dim)", "\(0.06 - 0.002 * x * x - 0.004 * y * y)"]
                lines.append((cells + extra.map(\.value)).joined(separator: ","))
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func take(
        _ socket: String, _ name: String, _ text: String, create: Bool? = nil, columns: [String: String]? = nil
    ) async throws -> ObservationImportResult {
        try await call(
            socket, ObservationImport.self,
            ObservationImportParams(name: name, text: text, fileName: "a.csv", create: create, columns: columns))
    }

    private static func observations(_ socket: String, _ name: String) async throws -> [Observation] {
        try await call(socket, ObservationList.self, ObservationListParams(name: name)).observations
    }

    /// What an observation says, without its place in this daemon.
    private static func said(_ observations: [Observation]) -> [Observation] {
        observations.map { observation in
            var observation = observation
            (observation.id, observation.dataset, observation.job, observation.trial) = (0, "", nil, nil)
            return observation
        }
    }

    @Test(
        "a dataset made of observations alone is listed, fitted, asked and reported, and refuses what needs interactions"
    )
    func alone() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let socket = daemon.socket
                let taken = try await Self.take(socket, "grid", Self.grid(), create: true)
                #expect(taken.created && taken.imported == 16 && taken.laws.count == 2)
                #expect(taken.warnings.map(\.code) == ["undeclared", "no-standard-error"])
                #expect(taken.warnings.last?.message.contains("follow from the users and the hit rate") == true)
                // ndcg@10 of 0.05 with hr@10 of 0.08 over 22,363 users varies by 0.0012, though the file does not say so.
                let law = try await call(socket, LawGet.self, LawGetParams(name: "grid", metric: Metric(.ndcg, 10)))
                #expect(law.fit.noise.evaluation.map { (0.0011...0.0014).contains($0) } == true)
                #expect(
                    taken.keys.map(\.key.undeclared) == [
                        ["dataset_version", "filter", "split", "mask", "candidates", "policy", "code_version"]
                    ])
                let info = try await call(socket, DatasetGet.self, DatasetName(name: "grid"))
                // From the parameters alone.
                #expect(info.items == 12_101 && info.users == nil && info.entropy == nil)
                let summary = try await call(socket, DatasetList.self, DatasetListParams()).datasets
                #expect(summary.map(\.observations) == [16] && summary.map(\.laws) == [2])

                let answer = try await call(
                    socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "grid", maxParams: 600_000))
                #expect(answer.cost.parameters <= 600_000 && answer.cost.parameters > 100_000)
                #expect(answer.cost.trainingFlops.isFinite && !answer.cost.latencySeconds.isFinite)
                #expect(answer.warnings.map(\.code).contains("undeclared"))
                #expect(answer.warnings.map(\.code).contains("cost-unknown"))
                let wire = try await raw(socket, "advisor.recommend", .object(["name": .string("grid")]))
                #expect(wire["cost"]?["parameters"] != nil && wire["cost"]?["latencySeconds"] == nil)
                for (method, params, reason) in [
                    ("advisor.recommend", ["maxLatencySeconds": JSONValue.number(1)], "law-unknown"),
                    ("advisor.pareto", ["currency": .string("memoryBytes")], "law-unknown"),
                    ("calibration.plan", [:], "no-interactions"), ("calibration.start", [:], "no-interactions"),
                    ("dataset.entropy", [:], "no-interactions"),
                ] {
                    let refused = await #expect(throws: RPCError.self) {
                        let named = params.merging(["name": .string("grid")]) { first, _ in first }
                        _ = try await raw(socket, method, .object(named))
                    }
                    #expect(refused?.reason == reason, "\(method): \(refused?.message ?? "")")
                }
                let longer = await #expect(throws: RPCError.self) {
                    _ = try await call(
                        socket, AdvisorWhatIf.self, AdvisorWhatIfParams(name: "grid", interactionsX: 2))
                }
                #expect(longer?.reason == "law-unknown" && longer?.message.contains("histories") == true)
                let predicted = try await call(
                    socket, LawPredict.self, LawPredictParams(name: "grid", layers: 2, dim: 48))
                #expect(predicted.predicted["ndcg@10"].map { abs($0 - 0.06) < 0.003 } == true)
                try await Self.checkReport(socket)
                _ = try await call(socket, DatasetRemove.self, DatasetName(name: "grid"))
                #expect(FileManager.default.fileExists(atPath: daemon.state + "/corpora"))
            }
        }
    }

    private static func checkReport(_ socket: String) async throws {
        let html = try await call(socket, ReportRender.self, ReportRenderParams(name: "grid")).html
        #expect(XMLParser(data: Data(html.dropFirst(16).utf8)).parse())
        for word in ["12,101", "ndcg@10", "undeclared", "0.0", "<svg"] { #expect(html.contains(word), "\(word)") }
    }

    @Test("what is exported is imported as the same observations, from a calibration too")
    func roundTrip() async throws {
        try await withCalibratedDaemon { daemon async throws in
            let socket = daemon.socket
            let own = try await Self.observations(socket, "demo")
            let text = ObservationTable.write(own)
            let copied = try await Self.take(socket, "copy", text, create: true)
            #expect(copied.imported == own.count)
            #expect(copied.keys.allSatisfy { $0.key.undeclared.isEmpty })
            #expect(Self.said(try await Self.observations(socket, "copy")) == Self.said(own))
            // What the dataset knows already is known there too.
            let again = try await Self.take(socket, "demo", text)
            #expect(again.imported == 0 && again.duplicates == own.count && again.laws.isEmpty)
            #expect(try await Self.observations(socket, "demo") == own)
            // The copy has no ranks, so its noise is known less well; the observations are the same.
            let laws = try await (
                call(socket, LawGet.self, LawGetParams(name: "demo")),
                call(socket, LawGet.self, LawGetParams(name: "copy"))
            )
            #expect(laws.0.fit.points.map(\.observed) == laws.1.fit.points.map(\.observed))
            #expect(laws.0.fit.noise.correlation != nil && laws.1.fit.noise.correlation == nil)
        }
    }

    @Test("declared and undeclared observations are never fitted together, and the declared ones answer")
    func keys() async throws {
        try await withCalibratedDaemon { daemon async throws in
            let socket = daemon.socket
            let before = try await call(socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "demo"))
            let taken = try await Self.take(socket, "demo", Self.grid())
            #expect(taken.imported == 16 && taken.laws.count == 2)
            let laws = try await call(socket, LawList.self, LawListParams(name: "demo")).laws
            #expect(laws.count == 4)
            let byID = Dictionary(
                uniqueKeysWithValues: try await Self.observations(socket, "demo").map { ($0.id, $0.key) })
            for law in laws { for point in law.fit.points { #expect(byID[point.observation] == law.key) } }
            var after = try await call(socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "demo"))
            #expect(after.warnings.count { $0.code == "other-law" } == 1)
            after.warnings.removeAll { $0.code == "other-law" }
            #expect(after == before)
            // Fitting anew keeps both.
            let fitted = try await call(socket, LawFitMethod.self, LawFitParams(name: "demo")).laws
            #expect(Set(fitted.map(\.key)) == Set(laws.map(\.key)))
            // Two masks are two keys.
            let other = try await Self.take(socket, "demo", Self.grid([("mask", "full")]))
            #expect(other.imported == 16)
            #expect(try await call(socket, LawList.self, LawListParams(name: "demo")).laws.count == 6)
        }
    }

    /// Objects within a value that say what is undeclared: keys.
    private static func keys(_ value: JSONValue) -> [[String: JSONValue]] {
        switch value {
        case .object(let members):
            (members["undeclared"] == nil ? [] : [members]) + members.values.flatMap { keys($0) }
        case .array(let elements): elements.flatMap { keys($0) }
        default: []
        }
    }

    @Test("what nobody declared is absent in every answer, never a placeholder; what is stored stays comparable")
    func absent() async throws {
        // Nothing but places and values; then much; then heads beside an undeclared policy.
        let tables: [(name: String, text: String, known: Set<String>)] = [
            ("bare", Self.bare(), ["undeclared"]),
            (
                "nearly", Self.bare([("mask", "full"), ("backbone", "gpt"), ("loss", "bce"), ("max_length", "20")]),
                ["undeclared", "mask", "backbone", "loss", "maxLength"]
            ),
            ("headed", Self.bare([("heads", "2")]), ["undeclared", "policy"]),
        ]
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let socket = daemon.socket
                for (name, text, known) in tables {
                    let params: JSONValue = .object(["name": .string(name)])
                    let taken = try await raw(
                        socket, "observation.import",
                        .object(["name": .string(name), "text": .string(text), "create": .bool(true)]))
                    let answers = try await [
                        taken, raw(socket, "law.list", params), raw(socket, "law.get", params),
                        raw(socket, "law.fit", params), raw(socket, "observation.list", params),
                    ]
                    for answer in answers {
                        let keys = Self.keys(answer)
                        #expect(!keys.isEmpty)
                        #expect(keys.allSatisfy { Set($0.keys) == known }, "\(name): \(keys.first ?? [:])")
                    }
                    guard case .array(let list)? = answers[4]["observations"] else {
                        Issue.record("no observations")
                        continue
                    }
                    for observation in list {
                        #expect(observation["tokens"] == nil && observation["apen"] == nil)
                        guard case .object(let members)? = observation["configuration"] else { continue }
                        let own = known.intersection(["backbone", "loss", "maxLength"]).union(["layers", "dim"])
                        #expect(Set(members.keys) == own.union(name == "headed" ? ["heads"] : []))
                    }
                    // What the client understands is the same, and what it writes is imported as what is known.
                    let typed = try await Self.observations(socket, name)
                    let encoded = try JSONEncoder().encode(ObservationListResult(observations: typed))
                    #expect(try JSONDecoder().decode(JSONValue.self, from: encoded) == answers[4])
                    let again = try await Self.take(socket, name, text)
                    #expect(again.imported == 0 && again.duplicates == list.count)
                    let exported = try await Self.take(socket, name, ObservationTable.write(typed))
                    #expect(exported.imported == 0 && exported.duplicates == list.count, "\(exported)")
                    // One law a metric: those that were fitted anew stand for the same key.
                    let laws = try await call(socket, LawList.self, LawListParams(name: name)).laws
                    #expect(Set(laws.map(\.fit.metric)).count == laws.count)
                    // Asked for the loss and the backbone of the placeholders, nothing is found.
                    let ofLoss = try await call(socket, LawList.self, LawListParams(name: name, loss: .cce)).laws
                    let sasrec = LawListParams(name: name, backbone: .sasrec)
                    let ofBackbone = try await call(socket, LawList.self, sasrec).laws
                    #expect(ofLoss.isEmpty && ofBackbone.isEmpty)
                }
            }
        }
    }

    @Test("an import is stored whole or not at all, and the refusal says where")
    func atomic() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let socket = daemon.socket
                func refusal(_ text: String, create: Bool? = nil) async -> RPCError? {
                    await #expect(throws: RPCError.self) {
                        _ = try await Self.take(socket, "grid", text, create: create)
                    }
                }
                let unknown = await refusal(Self.grid())
                #expect(unknown?.reason == "dataset-unknown" && unknown?.message.contains("--create") == true)
                let broken = await refusal(Self.grid() + "sasrec,cce,1,16\n", create: true)
                #expect(broken?.data?["line"] == .integer(18) && broken?.data?["file"] == .string("a.csv"))
                #expect(try await call(socket, DatasetList.self, DatasetListParams()).datasets.isEmpty)

                _ = try await Self.take(socket, "grid", Self.grid(), create: true)
                let changed =
                    Self.grid(seed: 2)
                    + Self.grid().split(separator: "\n")[3].replacing(",80,", with: ",81,")
                    .replacing("128031", with: "128032")
                let conflict = await refusal(changed)
                #expect(conflict?.data?["cause"] == .string("conflict") && conflict?.data?["line"] == .integer(18))
                for word in ["a.csv", "line 18", "column tokens", "128032", "128031", "observation 3"] {
                    #expect(conflict?.message.contains(word) == true, "\(conflict?.message ?? "")")
                }
                #expect(try await Self.observations(socket, "grid").count == 16)
                let seeds = try await Self.take(socket, "grid", Self.grid(seed: 2) + "\n")
                #expect(seeds.imported == 16 && seeds.duplicates == 0)
                let within = await refusal("layers,dim,ndcg@10\n1,16,0.1\n1,16,0.1\n1,16,0.2\n")
                #expect(within?.message.contains("as in line 2") == true)
            }
        }
    }

    @Test("pages of a list make the whole, and 20,000 rows come through an upload")
    func large() async throws {
        let rows = (0..<20_000).map { "\($0 % 8 + 1),\(16 * ($0 % 8 + 1)),\($0),stoppedByBudget,0.1" }
        let text = "layers,dim,seed,status,ndcg@10\n" + rows.joined(separator: "\n")
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let taken = try await withUpload(daemon.socket, Data(text.utf8)) { upload in
                    try await call(
                        daemon.socket, ObservationImport.self,
                        ObservationImportParams(name: "many", uploadId: upload, create: true, source: "a run"))
                }
                #expect(taken.imported == 20_000 && taken.laws.isEmpty)
                #expect(taken.warnings.map(\.code) == ["undeclared", "no-law", "no-standard-error"])
                var seeds: [UInt64] = []
                var params = ObservationListParams(name: "many", limit: 1_999)
                repeat {
                    let page = try await call(daemon.socket, ObservationList.self, params)
                    seeds += page.observations.map(\.seed)
                    params.after = page.next
                } while params.after != nil
                #expect(seeds == (0..<20_000).map(UInt64.init))
            }
        }
    }
}
