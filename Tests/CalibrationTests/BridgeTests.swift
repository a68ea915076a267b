import Domain
import Foundation
import PlawTesting
import Testing
import Trials

/// Whether trainings of two trainers join, against values counted by hand and against draws whose truth is known.
@Suite struct BridgeTests {
    private static func comparison(_ cells: [(core: [Double], runner: [Double])]) -> Bridge.Comparison {
        Bridge.Comparison(
            backbone: .sasrec, loss: .cce,
            cells: cells.enumerated().map {
                Bridge.Cell(layers: $0.offset + 1, dim: 16, core: $0.element.core, runner: $0.element.runner)
            })
    }

    /// Metrics of trainings: a shape's value, a difference of the trainers, and chance.
    private static func drawn(
        _ random: inout SplitMix64, shapes: Int, seeds: Int, difference: Double, spread: Double
    ) -> Bridge.Comparison {
        func normal() -> Double {
            (-2 * log(1 - random.uniform())).squareRoot() * cos(2 * Double.pi * random.uniform())
        }
        return comparison(
            (0..<shapes).map { shape in
                let base = log(0.05) + 0.2 * Double(shape)
                return (
                    (0..<seeds).map { _ in exp(base + spread * normal()) },
                    (0..<seeds).map { _ in exp(base + difference + spread * normal()) }
                )
            })
    }

    @Test("difference, interval, spread and margin are those counted by hand")
    func values() {
        // ln: cores 0 and 0.02 (mean 0.01), runners 0.01 and 0.03; both shapes alike, so that only seeds vary.
        let one = ([1.0, exp(0.02)], [exp(0.01), exp(0.03)])
        let found = Self.comparison([one, one])
        // Squares: 4 groups of 2 * 0.01^2, with 4 degrees of freedom.
        #expect(abs(found.spread - (8 * 1e-4 / 4).squareRoot()) < 1e-12)
        #expect(abs(found.difference - 0.01) < 1e-12)
        #expect(abs(found.margin - 2 * found.spread) < 1e-12)
        // Error: variance 2e-4, of a difference of two means of two 2e-4, of the mean of two such 1e-4; t of 4 degrees is 2.132.
        #expect(abs(found.high - found.difference - 2.132 * 0.01) < 1e-9)
        #expect(found.verdict == .undecided)
        #expect(found.words == "+1.0 % (-1.1 to +3.2)")
    }

    @Test("one that is never the same joins, one that is far off differs, and one shape that is far off is enough")
    func verdicts() {
        let near = ([0.1, 0.1001, 0.0999], [0.1002, 0.1, 0.1001])
        let far = ([0.1, 0.1001, 0.0999], [0.12, 0.1201, 0.1199])
        #expect(Self.comparison([near, near, near]).verdict == .joins)
        #expect(Self.comparison([far, far, far]).verdict == .differs)
        #expect(Self.comparison([near, near, near, far]).verdict == .differs)
        // One shape, one seed or no value at all tell nothing.
        for cells in [[near], [near, ([0.1], [0.1])], [near, ([0.1, 0], [0.1, 0.1])]] {
            #expect(Self.comparison(cells).verdict == .undecided)
        }
    }

    @Test(
        "over 2,000 draws, trainers that differ by the margin join in at most 7 %, and equal ones are told apart in as few"
    )
    func rates() {
        var random = SplitMix64(seed: 11)
        for (shapes, seeds) in [(2, 3), (3, 3), (4, 2)] {
            var (wrongly, apart, joined) = (0, 0, 0)
            let rounds = 2_000
            for _ in 0..<rounds {
                // Spread 1 %: a margin of 2 %, whatever is found of it from below.
                let edge = Self.drawn(&random, shapes: shapes, seeds: seeds, difference: 0.03, spread: 0.01)
                if edge.margin <= 0.03, edge.verdict == .joins { wrongly += 1 }
                let equal = Self.drawn(&random, shapes: shapes, seeds: seeds, difference: 0, spread: 0.004)
                if equal.verdict == .differs { apart += 1 }
                if equal.verdict == .joins { joined += 1 }
            }
            #expect(Double(wrongly) / Double(rounds) < 0.07, "\(shapes) shapes, \(seeds) seeds: \(wrongly)")
            #expect(Double(apart) / Double(rounds) < 0.02, "\(shapes) shapes, \(seeds) seeds: \(apart)")
            #expect(Double(joined) / Double(rounds) > 0.6, "\(shapes) shapes, \(seeds) seeds: \(joined)")
        }
    }

    @Test("a file is taken for its command, its version and what its cells say alone")
    func files() async throws {
        try await withTemporaryFolder { folder in
            let near = ([0.1, 0.1001], [0.1002, 0.1])
            let bridge = Bridge(
                command: ["runner", "x"], createdAt: "2026-12-01T10:00:00Z", corpusHash: "", metric: Metric(.ndcg, 10),
                comparisons: [Self.comparison([near, near])])
            let path = folder + "/bridge.json"
            func write(_ change: (String) -> String = { $0 }) throws {
                let text = String(decoding: try JSONEncoder().encode(bridge), as: UTF8.self)
                try change(text).write(toFile: path, atomically: true, encoding: .utf8)
            }
            try write()
            let read = try Bridge(contentsOf: path, command: ["runner", "x"])
            #expect(read == bridge)
            #expect(
                read.origin(executor: "torch", backbone: .sasrec, loss: .cce)?.hasPrefix("torch, whose ndcg@10 is ")
                    == true)
            #expect(read.origin(executor: "torch", backbone: .gpt, loss: .cce) == nil)
            #expect(read.origin(executor: "torch", backbone: .sasrec, loss: .bce) == nil)

            func refusal() -> String {
                do {
                    _ = try Bridge(contentsOf: path, command: ["runner", "x"])
                    return ""
                } catch {
                    return "\(error)"
                }
            }
            for (change, words): ((String) -> String, String) in [
                ({ $0.replacing("\"runner\",\"x\"", with: "\"runner\",\"y\"") }, "expected that of the executor"),
                ({ $0.replacing("\"codeVersion\":\"", with: "\"codeVersion\":\"0") }, "of the training code"),
                ({ $0.replacing("\"format\":1", with: "\"format\":2") }, "format 2"),
                ({ $0.replacing("0.1002", with: "0.1402") }, "verdict on sasrec that its cells do not give"),
                ({ $0.replacing("\"joins\"", with: "\"differs\"") }, "verdict on sasrec"),
                ({ _ in "{}" }, "no result of plaw runner bridge"),
            ] {
                try write(change)
                #expect(refusal().contains(words), "\(refusal())")
            }
            unlink(path)
            #expect(refusal().contains(path))
        }
    }
}
