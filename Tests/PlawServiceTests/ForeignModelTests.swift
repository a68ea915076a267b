import Domain
import Foundation
import Client
import PlawTesting
import StrictJSON
import Testing

@testable import Wire

/// Models that plawd does not train, through the real daemon: their laws are asked like any other, and their costs are what the import
/// states.
@Suite struct ForeignModelTests {
    /// The grid of arXiv 2412.00430: dimensions that eight heads do not divide, one head, an odd dimension.
    private static let layers = [4, 8, 12, 16, 24, 32]
    private static let dims = [25, 50, 75, 100]

    private static func value(_ layers: Int, _ dim: Int) -> Double {
        let (x, y) = (Foundation.log(Double(layers) / 20), Foundation.log(Double(dim) / 60))
        return 0.18 - 0.006 * x * x - 0.01 * y * y
    }

    private static func table(_ model: String, costs: Bool = false, only: [(Int, Int)]? = nil) -> String {
        var lines = ["model,num_layers,d_model,num_heads,NDCG@10" + (costs ? ",n_params,seconds" : "")]
        for n in layers {
            for d in dims where only?.contains(where: { $0 == (n, d) }) ?? true {
                let cost = costs ? ",\(3_706 * d + n * 11 * d * d),\(60 * n + d)" : ""
                lines.append("\(model),\(n),\(d),1,\(value(n, d))\(cost)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func take(_ socket: String, _ name: String, _ text: String) async throws -> ObservationImportResult {
        try await call(
            socket, ObservationImport.self,
            ObservationImportParams(name: name, text: text, fileName: "grid.csv", create: true))
    }

    @Test(
        "the paper's Llama grid and a model of any name are fitted, asked, listed, reported and exported",
        arguments: [
            "llama", "Our-Ranker v7",
        ])
    func asked(model: String) async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let socket = daemon.socket
                let name = model.lowercased()
                let taken = try await Self.take(socket, "grid", Self.table(model))
                #expect(
                    taken.imported == 24 && taken.laws.count == 1
                        && taken.keys.map(\.key.backbone.value?.rawValue) == [name])
                let answer = try await call(socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "grid"))
                #expect(answer.configuration.backbone.value?.rawValue == name && answer.configuration.heads == .said(1))
                #expect((12...28).contains(answer.configuration.layers) && (40...90).contains(answer.configuration.dim))
                // Nobody said what it costs.
                for currency in Currency.allCases { #expect(answer.cost[currency] == .infinity) }
                #expect(answer.warnings.contains { $0.code == "cost-unknown" })
                for (method, params) in [
                    ("advisor.recommend", ["maxParams": JSONValue.number(1e6)]),
                    ("advisor.recommend", ["maxTrainSeconds": .number(60)]), ("advisor.pareto", [:]),
                    ("advisor.whatIf", ["latencyX": .number(0.5)]),
                ] {
                    let refused = await #expect(throws: RPCError.self) {
                        let named = params.merging(["name": .string("grid")]) { first, _ in first }
                        _ = try await raw(socket, method, .object(named))
                    }
                    #expect(refused?.reason == "law-unknown", "\(method)")
                    #expect(
                        refused?.message.contains("plawd does not train this \(name)") == true,
                        "\(refused?.message ?? "")")
                }
                let predicted = try await call(
                    socket, LawPredict.self, LawPredictParams(name: "grid", layers: 12, dim: 75, backbone: Model(model))
                )
                #expect(abs((predicted.predicted["ndcg@10"] ?? 0) - Self.value(12, 75)) < 0.001)
                let other = await #expect(throws: RPCError.self) {
                    _ = try await call(
                        socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "grid", backbone: .hstu))
                }
                #expect(other?.reason == "law-unknown")
                let potential = try await call(socket, AdvisorPotential.self, AdvisorPotentialParams(name: "grid"))
                #expect(potential.now.configuration.backbone.value?.rawValue == name && !potential.levers.isEmpty)
                let laws = try await call(socket, LawList.self, LawListParams(name: "grid", backbone: Model(model)))
                #expect(laws.laws.map(\.key.backbone.value?.rawValue) == [name])
                let report = try await call(socket, ReportRender.self, ReportRenderParams(name: "grid"))
                #expect(report.html.contains(name))
                let stored = try await call(socket, ObservationList.self, ObservationListParams(name: "grid"))
                #expect(stored.observations.count == 24)
            }
        }
    }

    @Test("costs of an import are those of the shapes that were trained, and limits leave all others out")
    func costs() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let socket = daemon.socket
                _ = try await Self.take(socket, "grid", Self.table("gru4rec", costs: true))
                func parameters(_ layers: Int, _ dim: Int) -> Double { Double(3_706 * dim + layers * 11 * dim * dim) }
                let limit = 900_000.0
                let answer = try await call(
                    socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "grid", maxParams: limit))
                #expect(
                    Self.layers.contains(answer.configuration.layers) && Self.dims.contains(answer.configuration.dim))
                #expect(
                    answer.cost.parameters == parameters(answer.configuration.layers, answer.configuration.dim)
                        && answer.cost.parameters <= limit)
                #expect(
                    answer.cost.trainingSeconds == Double(60 * answer.configuration.layers + answer.configuration.dim))
                #expect(answer.cost.memoryBytes == .infinity && answer.cost.inferenceFlops == .infinity)
                let allowed = Self.layers.flatMap { n in Self.dims.map { (layers: n, dim: $0) } }
                    .filter { parameters($0.layers, $0.dim) <= limit }
                let best = allowed.map { Self.value($0.layers, $0.dim) }.max() ?? 0
                #expect(abs(Self.value(answer.configuration.layers, answer.configuration.dim) - best) < 1e-9)
                #expect(
                    answer.warnings.contains {
                        $0.code == "cost-imported" && $0.message.contains("parameters of 24 of 24")
                    })
                let front = try await call(socket, AdvisorPareto.self, AdvisorParetoParams(name: "grid"))
                #expect(
                    front.points.allSatisfy {
                        $0.cost.parameters == parameters($0.configuration.layers, $0.configuration.dim)
                    })
                #expect(!front.points.isEmpty)
                let refused = await #expect(throws: RPCError.self) {
                    _ = try await call(
                        socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "grid", maxMemoryBytes: 1e9))
                }
                #expect(refused?.message.contains("no column memory_bytes") == true)
                let least = await #expect(throws: RPCError.self) {
                    _ = try await call(
                        socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "grid", maxParams: 10))
                }
                #expect(least?.reason == "infeasible" && least?.message.contains("4 x 25") == true)
            }
        }
    }

    @Test("an answer is among the layers and dims that are asked for, and says which of them it cannot consider")
    func candidates() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let socket = daemon.socket
                let nine = [4, 12, 32].flatMap { n in [25, 75, 100].map { (n, $0) } }
                _ = try await Self.take(socket, "grid", Self.table("llama", only: nine))
                func ask(_ layers: [Int]?, _ dims: [Int]?) async throws -> Recommendation {
                    try await call(
                        socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "grid", layers: layers, dims: dims))
                }
                let answer = try await ask(Self.layers, Self.dims)
                for c in [answer.configuration, answer.cheapest.configuration]
                    + answer.runnersUp.map(\.configuration) + answer.indistinguishable.map(\.configuration)
                {
                    #expect(Self.layers.contains(c.layers) && Self.dims.contains(c.dim))
                }
                // Every cell of the surface is known: 16 and 24 layers have the most.
                let best = Self.layers.flatMap { n in Self.dims.map { Self.value(n, $0) } }.max() ?? 0
                let trained = nine.map { Self.value($0.0, $0.1) }.max() ?? 0
                let found = Self.value(answer.configuration.layers, answer.configuration.dim)
                #expect(best - found <= best - trained + 1e-12)
                let one = try await ask([8], [51])
                #expect(one.configuration.layers == 8 && one.configuration.dim == 51)
                let wide = try await ask([8, 640], [50])
                #expect(wide.warnings.contains { $0.code == "candidates-left-out" && $0.message.contains("640") })
                for (layers, dims, word) in [
                    ([640], nil, "layers: found 640"), (nil, [1_000], "dims: found 1000"), ([], nil, "0 values"),
                    ([0], nil, "layers[0]"),
                ] as [([Int]?, [Int]?, String)] {
                    let refused = await #expect(throws: RPCError.self) { _ = try await ask(layers, dims) }
                    #expect(refused?.message.contains(word) == true, "\(refused?.message ?? "")")
                }
                // What was asked without candidates is answered as before.
                let free = try await ask(nil, nil)
                #expect(!free.warnings.contains { $0.code == "candidates-left-out" })
            }
        }
    }

    @Test("what would settle a table's columns comes with the refusal, and nothing is made")
    func settled() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let socket = daemon.socket
                let refused = await #expect(throws: RPCError.self) {
                    _ = try await Self.take(
                        socket, "grid", "n_layers,hidden_size,lr,value\n1,16,0.1,0.1\n2,16,0.2,0.2\n")
                }
                #expect(refused?.reason == "invalid-input")
                #expect(
                    refused?.data?["options"]
                        == .array([.string("--map lr=policy"), .string("--map value=ndcg@10")]))
                #expect(try await call(socket, DatasetList.self, DatasetListParams()).datasets.isEmpty)
                let failed = await #expect(throws: RPCError.self) {
                    _ = try await Self.take(socket, "grid", "layers,dim,ndcg@10\n1,16,nan\n2,16,nan\n")
                }
                #expect(failed?.message.contains("no training with a metric") == true)
            }
        }
    }
}
