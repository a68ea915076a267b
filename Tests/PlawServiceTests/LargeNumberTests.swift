import Domain
import Foundation
import PlawTesting
import StrictJSON
import Testing

@testable import Wire

/// Numbers as large and as small as a table or a request may hold: refused by name or answered, and the daemon lives.
@Suite struct LargeNumberTests {
    private static func take(_ socket: String, _ name: String, _ text: String) async throws -> ObservationImportResult {
        try await call(
            socket, ObservationImport.self,
            ObservationImportParams(name: name, text: text, fileName: "a.csv", create: true))
    }

    /// Asks everything that computes with what was imported.
    private static func askAll(_ socket: String, _ name: String) async throws {
        _ = try await call(socket, ReportRender.self, ReportRenderParams(name: name))
        for (method, more) in [
            ("advisor.recommend", [:]), ("advisor.potential", [:]), ("advisor.pareto", [:]),
            ("advisor.whatIf", ["usersX": JSONValue.number(1_000), "force": .bool(true)]),
            ("law.predict", ["layers": .integer(128), "dim": .integer(4_096), "force": .bool(true)]),
        ] {
            do {
                _ = try await raw(socket, method, .object(more.merging(["name": .string(name)]) { first, _ in first }))
            } catch let error as RPCError {
                // No answer is one, as long as it is said why.
                #expect(error.code != ErrorCode.internalError.rawValue, "\(method) of \(name): \(error.message)")
            }
        }
    }

    @Test(
        "a column beyond what can be computed with is refused by line and column",
        arguments: [("users", "5000000000000000000"), ("tokens", "9300000000000000000"), ("seconds", "1e300")])
    func columns(_ column: String, _ value: String) async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let refused = await #expect(throws: RPCError.self) {
                    _ = try await Self.take(
                        daemon.socket, "wide", "layers,dim,ndcg@10,\(column)\n1,16,0.1,1\n2,16,0.1,\(value)\n")
                }
                #expect(refused?.message.contains("line 3") == true && refused?.message.contains(column) == true)
                #expect(try await call(daemon.socket, DatasetList.self, DatasetListParams()).datasets.isEmpty)
            }
        }
    }

    @Test("the largest of all columns are stored, fitted and asked about")
    func largest() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                var rows = "layers,dim,ndcg@10,users,tokens,apen,parameters,seconds,epochs,user_fraction\n"
                for (fraction, tokens) in [("1", "1000000000000000"), ("0.5", "500000000000000")] {
                    for layers in 1...4 {
                        rows +=
                            "\(layers),64,0.1\(layers),1000000000000000,\(tokens),1e-300,1000000000000000,1e10,"
                            + "1000000000,\(fraction)\n"
                    }
                }
                _ = try await Self.take(daemon.socket, "wide", rows)
                try await Self.askAll(daemon.socket, "wide")
                // D' of one row alone, which no law is fitted to.
                _ = try await Self.take(
                    daemon.socket, "one", "layers,dim,tokens,apen,ndcg@10\n1,16,1000000,1e-300,0.1\n")
                try await Self.askAll(daemon.socket, "one")
                #expect(try await call(daemon.socket, DatasetList.self, DatasetListParams()).datasets.count == 2)
            }
        }
    }

    @Test("parameters that would belong to more items than there are leave the items unknown, also after a restart")
    func items() async throws {
        try await withTemporaryFolder { folder in
            for isFirst in [true, false] {
                _ = try await withDaemon(in: folder) { daemon async throws in
                    if isFirst {
                        var rows = "backbone,loss,max_length,layers,dim,ndcg@10,parameters\n"
                        for layers in 1...3 {
                            let parameters = 15_000_000_000_000 * 64 + 52 * 64 + layers * (12 * 64 * 64 + 13 * 64)
                            rows += "sasrec,cce,50,\(layers),64,0.1\(layers),\(parameters)\n"
                        }
                        _ = try await Self.take(daemon.socket, "wide", rows)
                    }
                    #expect(try await call(daemon.socket, DatasetGet.self, DatasetName(name: "wide")).items == nil)
                    try await Self.askAll(daemon.socket, "wide")
                }
            }
        }
    }

    @Test("a table whose heads divide none of the dimensions of its search is answered or refused in words")
    func heads() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                var rows = "layers,dim,heads,ndcg@10,status,policy\n"
                for layers in 1...3 { rows += "\(layers),1,1,0.1\(layers),converged,heads=any\n" }
                for layers in 1...4 { rows += "\(layers),3,3,0.1\(layers),stoppedByBudget,heads=any\n" }
                _ = try await Self.take(daemon.socket, "odd", rows)
                try await Self.askAll(daemon.socket, "odd")
            }
        }
    }

    @Test("a cutoff that no catalogue has is refused wherever a metric is named")
    func cutoffs() async throws {
        try await withCalibratedDaemon { daemon async throws in
            for (method, params) in [
                ("law.fit", ["metrics": JSONValue.array([.string("ndcg@4294967296")])]),
                ("calibration.start", ["stopMetric": .string("hr@1000001")]),
                ("advisor.recommend", ["metric": .string("hr@4000000000")]),
            ] {
                let refused = await #expect(throws: RPCError.self) {
                    _ = try await raw(
                        daemon.socket, method, .object(params.merging(["name": .string("demo")]) { first, _ in first }))
                }
                #expect(refused?.code == ErrorCode.invalidParams.rawValue, "\(method): \(refused?.message ?? "")")
                #expect(refused?.message.contains("@1000000") == true, "\(method): \(refused?.message ?? "")")
            }
            // The largest that there is can be fitted from stored ranks.
            let fitted = try await call(
                daemon.socket, LawFitMethod.self, LawFitParams(name: "demo", metrics: [Metric(.ndcg, 10)]))
            #expect(fitted.laws.count == 1)
        }
    }
}
