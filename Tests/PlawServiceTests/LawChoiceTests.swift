import Domain
import Foundation
import Client
import PlawTesting
import StrictJSON
import Testing

@testable import Wire

/// Which laws answer: by evidence, not by what came in last, and never without a word of those that do not.
@Suite struct LawChoiceTests {
    typealias Row = [(column: String, value: String)]

    /// A training of a surface with its best at `best`.
    private static func row(
        _ layers: Int, _ dim: Int, best: (layers: Double, dim: Double) = (3, 60), top: Double = 0.06, heads: Int = 2,
        _ extra: Row = []
    ) -> Row {
        let (x, y) = (log(Double(layers) / best.layers), log(Double(dim) / best.dim))
        let value = top - 0.002 * x * x - 0.004 * y * y
        let own: Row = [
            ("backbone", "sasrec"), ("loss", "cce"), ("layers", "\(layers)"), ("dim", "\(dim)"), ("heads", "\(heads)"),
            ("max_length", "50"), ("tokens", "128031"), ("apen", "2.97"), ("seed", "1"), ("users", "22363"),
            ("hr@10", "\(value * 1.6)"), ("ndcg@10", "\(value)"), ("ndcg@10_se", "0.0012"),
            ("parameters", "\(12_101 * dim + 52 * dim + layers * (12 * dim * dim + 13 * dim))"), ("epochs", "80"),
        ]
        return own.filter { cell in !extra.contains { $0.column == cell.column } } + extra
    }

    private static func grid(_ make: (Int, Int) -> Row = { row($0, $1) }) -> [Row] {
        [1, 2, 4, 8].flatMap { layers in [16, 32, 64, 128].map { make(layers, $0) } }
    }

    private static func csv(_ rows: [Row]) -> String {
        let columns = rows.flatMap { $0.map(\.column) }.reduce(into: [String]()) {
            if !$0.contains($1) { $0.append($1) }
        }
        let lines = rows.map { row in
            columns.map { column in row.first { $0.column == column }?.value ?? "" }.joined(separator: ",")
        }
        return ([columns.joined(separator: ",")] + lines).joined(separator: "\n") + "\n"
    }

    /// All that makes trainings comparable.
    private static func declared(_ policy: String, version: String = "v1") -> Row {
        [
            ("dataset_version", version), ("filter", "none"), ("split", "leave-two-out"), ("mask", "full"),
            ("candidates", "all"), ("policy", policy), ("code_version", "9"),
        ]
    }

    @discardableResult
    private static func take(_ socket: String, _ name: String, _ rows: [Row]) async throws -> ObservationImportResult {
        let known = try await call(socket, DatasetList.self, DatasetListParams()).datasets.contains { $0.name == name }
        return try await call(
            socket, ObservationImport.self,
            ObservationImportParams(name: name, text: csv(rows), fileName: "a.csv", create: !known))
    }

    private static func recommend(
        _ socket: String, _ name: String, metric: Metric? = nil, backbone: Model? = nil, law: Int64? = nil
    ) async throws -> Recommendation {
        try await call(
            socket, AdvisorRecommend.self,
            AdvisorRecommendParams(name: name, metric: metric, backbone: backbone, law: law))
    }

    @Test("the same store gives the same answers after every restart")
    func restarts() async throws {
        try await withTemporaryFolder { folder in
            // ndcg@10 is known of the small shapes alone, hr@10 of all.
            let blank = Self.grid { layers, dim in
                Self.row(layers, dim).filter { !(layers > 2 || dim > 64) || !$0.column.hasPrefix("ndcg") }
            }
            var answers: Set<Recommendation> = []
            for start in 0..<4 {
                let (said, _) = try await withDaemon(in: folder) { daemon async throws in
                    if start == 0 { try await Self.take(daemon.socket, "blank", blank) }
                    return [
                        try await Self.recommend(daemon.socket, "blank"),
                        try await Self.recommend(daemon.socket, "blank", metric: Metric(.hr, 10)),
                    ]
                }
                answers.formUnion(said)
            }
            #expect(answers.count == 2)
            let ndcg = try #require(answers.first { $0.metric == Metric(.ndcg, 10) })
            #expect(ndcg.configuration.layers <= 2 && ndcg.configuration.dim <= 64 && ndcg.grade == .inside)
            let hr = try #require(answers.first { $0.metric == Metric(.hr, 10) })
            #expect(hr.configuration.layers > 2 && hr.grade == .inside)
        }
    }

    @Test("heads that follow from the dimension are one key, and the order of the rows changes nothing")
    func rows() async throws {
        let rows = Self.grid { Self.row($0, $1, heads: $1 <= 32 ? 1 : 4) }
        var answers: Set<Recommendation> = []
        for rows in [rows, rows.reversed(), rows.shuffled()] {
            answers.insert(
                try await withTemporaryFolder { folder in
                    try await withDaemon(in: folder) { daemon async throws in
                        let taken = try await Self.take(daemon.socket, "a", rows)
                        #expect(taken.keys.map(\.key.policy.text) == ["heads<=4"] && taken.laws.count == 2)
                        let small = try await call(
                            daemon.socket, LawPredict.self, LawPredictParams(name: "a", layers: 2, dim: 20))
                        #expect(small.configuration.heads == .said(1))
                        // What is exported says so itself.
                        let text = try await call(daemon.socket, ObservationList.self, ObservationListParams(name: "a"))
                        #expect(Set(text.observations.map(\.key.policy.text)) == ["heads<=4"])
                        return try await Self.recommend(daemon.socket, "a")
                    }.value
                })
        }
        #expect(answers.count == 1)
        let answer = try #require(answers.first)
        #expect(answer.configuration.heads == .said(4) && (2...4).contains(answer.configuration.layers))
        #expect(!answer.warnings.contains { $0.code == "other-law" })
    }

    @Test("of comparable keys the one with most evidence answers, in either order of import, and names the other")
    func evidence() async throws {
        let many = Self.grid { Self.row($0, $1, Self.declared("patience=10")) }
        // Fewer trainings by another rule, of which 8 x 32 is by far the best.
        let few = [(1, 16), (1, 32), (4, 16), (4, 64), (8, 32)].map {
            Self.row($0.0, $0.1, best: (9, 30), top: 0.07, Self.declared("patience=5"))
        }
        var found: Set<Recommendation> = []
        for tables in [[many, few], [few, many]] {
            found.insert(
                try await withTemporaryFolder { folder in
                    try await withDaemon(in: folder) { daemon async throws in
                        for table in tables { try await Self.take(daemon.socket, "a", table) }
                        return try await Self.checkEvidence(daemon.socket, "a")
                    }.value
                })
        }
        #expect(found.count == 1)
    }

    /// The answer without the numbers of laws, which tell the order of import.
    private static func checkEvidence(_ socket: String, _ name: String) async throws -> Recommendation {
        let answer = try await recommend(socket, name)
        let warning = try #require(answer.warnings.first { $0.code == "other-law" })
        #expect(warning.message.contains("patience=5") && warning.message.contains("5 observations"))
        #expect(warning.message.contains("ndcg@10 0.07"), "\(warning.message)")
        #expect((2...4).contains(answer.configuration.layers))
        let law = try #require(warning.message.split(separator: " ").compactMap { Int64($0) }.first)
        #expect(warning.message.contains("--law \(law)"))
        let asked = try await recommend(socket, name, law: law)
        #expect(asked.configuration.layers > 4 && Array(asked.laws.values).contains(law))
        #expect(asked.warnings.contains { $0.code == "other-law" && $0.message.contains("patience=10") })
        let predicted = try await call(
            socket, LawPredict.self, LawPredictParams(name: name, layers: 8, dim: 32, law: law))
        #expect(predicted.predicted["ndcg@10"].map { $0 > 0.066 } == true)
        #expect(predicted.warnings.contains { $0.code == "other-law" })
        let potential = try await call(socket, AdvisorPotential.self, AdvisorPotentialParams(name: name, law: law))
        #expect(potential.now.configuration.layers == 8)
        let pareto = try await call(socket, AdvisorPareto.self, AdvisorParetoParams(name: name, law: law))
        #expect(pareto.points.last.map { $0.configuration.layers > 4 } == true)
        let listed = try await call(socket, LawList.self, LawListParams(name: name, law: law))
        #expect(listed.laws.map(\.id) == [law])
        let got = try await call(socket, LawGet.self, LawGetParams(name: name))
        #expect(got.key.policy.text.contains("patience=10"))
        let refused = await #expect(throws: RPCError.self) { _ = try await recommend(socket, name, law: 9_999) }
        #expect(refused?.reason == "law-unknown")
        let other = await #expect(throws: RPCError.self) {
            _ = try await recommend(socket, name, backbone: .hstu, law: law)
        }
        #expect(other?.reason == "invalid-params")
        // A law that was fitted anew still names its key.
        _ = try await call(socket, LawFitMethod.self, LawFitParams(name: name))
        #expect(try await recommend(socket, name, law: law).configuration == asked.configuration)
        var said = answer
        said.laws = [:]
        said.warnings.removeAll { $0.code == "other-law" }
        return said
    }

    @Test("backbones whose keys leave the same things open are all searched")
    func backbones() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let socket = daemon.socket
                let hstu = Self.grid {
                    Self.row($0, $1, best: (6, 50), top: 0.055, [("backbone", "hstu"), ("parameters", "")])
                }
                for (name, rows) in [("a", Self.grid() + hstu), ("b", hstu + Self.grid())] {
                    let taken = try await Self.take(socket, name, rows)
                    #expect(taken.keys.count == 2)
                    let answer = try await Self.recommend(socket, name)
                    #expect(answer.configuration.backbone == .said(.sasrec))
                    #expect(answer.warnings.contains { $0.code == "several-laws" })
                    let own = try await Self.recommend(socket, name, backbone: .hstu)
                    #expect(own.configuration.backbone == .said(.hstu))
                    let refused = await #expect(throws: RPCError.self) {
                        _ = try await Self.recommend(socket, name, backbone: .llama)
                    }
                    let message = refused?.message ?? ""
                    #expect(message.contains("of backbone llama") && message.contains("hstu cce, sasrec cce"))
                    // There is nothing to calibrate with.
                    #expect(message.contains("plaw import") && !message.contains("calibrate"))
                    let limit = await #expect(throws: RPCError.self) {
                        _ = try await call(
                            socket, AdvisorRecommend.self, AdvisorRecommendParams(name: name, maxParams: 1_000))
                    }
                    #expect(limit?.message.contains("parameters are limited to 1,000, and the smallest") == true)
                    let listed = try await call(socket, LawList.self, LawListParams(name: name, backbone: .hstu))
                    #expect(listed.laws.count == 2 && listed.laws.allSatisfy { $0.key.backbone == .said(.hstu) })
                }
            }
        }
    }

    @Test("a backbone of which other costs are known is left out of the search, not of the answer's words")
    func unlikeCosts() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                // Nobody says how long these trained, so that their FLOPs cannot be told; and they are the better ones.
                let hstu = Self.grid {
                    Self.row($0, $1, top: 0.07, [("backbone", "hstu"), ("epochs", ""), ("parameters", "")])
                }
                try await Self.take(daemon.socket, "a", hstu.dropLast() + Self.grid())
                let answer = try await Self.recommend(daemon.socket, "a")
                #expect(answer.configuration.backbone == .said(.sasrec))
                let warning = try #require(answer.warnings.first { $0.code == "other-law" })
                #expect(warning.message.contains("hstu cce was not asked: 15 observations"), "\(warning.message)")
                #expect(warning.message.contains("ndcg@10 0.06"))
            }
        }
    }

    @Test("a law of the data as it is now answers before one of more trainings on an older version")
    func versions() async throws {
        try await withCalibratedDaemon { daemon async throws in
            let socket = daemon.socket
            let before = try await Self.recommend(socket, "demo")
            try await Self.take(
                socket, "demo", Self.grid { Self.row($0, $1, Self.declared("patience=10", version: "old")) })
            let after = try await Self.recommend(socket, "demo")
            #expect(after.laws == before.laws && after.configuration == before.configuration)
            #expect(
                after.warnings.contains { $0.code == "other-law" && $0.message.contains("dataset_version old") },
                "\(after.warnings.map(\.message))")
        }
    }

    @Test("what nobody declared stays so in every answer")
    func undeclared() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let socket = daemon.socket
                let bare = Self.grid { layers, dim in
                    Self.row(layers, dim).filter { ["layers", "dim", "hr@10"].contains($0.column) }
                }
                try await Self.take(socket, "bare", bare)
                for (method, member, params) in [
                    ("advisor.recommend", nil, [:]), ("advisor.recommend", "cheapest", [:]),
                    ("law.predict", nil, ["layers": JSONValue.integer(2), "dim": .integer(32)]),
                    ("advisor.potential", "now", [:]),
                ] {
                    let answer = try await raw(
                        socket, method, .object(params.merging(["name": .string("bare")]) { first, _ in first }))
                    let configuration = try #require((member.map { answer[$0] } ?? answer)?["configuration"])
                    guard case .object(let members) = configuration else {
                        Issue.record("\(method): no object")
                        continue
                    }
                    #expect(Set(members.keys) == ["layers", "dim"], "\(method): \(members.keys)")
                }
                let law = try await call(socket, LawGet.self, LawGetParams(name: "bare", metric: Metric(.hr, 10)))
                for choice in ["split", "mask", "candidates", "loss", "policy", "codeVersion"] {
                    #expect(law.fit.choices[choice] == "undeclared", "\(choice)")
                }
            }
        }
    }
}
