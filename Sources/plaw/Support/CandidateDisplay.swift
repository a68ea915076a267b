import Domain

/// Prints configurations with what is expected of them and what they cost.
enum CandidateDisplay {
    static func printAnswer(
        _ configuration: Configuration, _ predicted: [String: Double], _ intervals: [String: Interval], _ cost: Cost
    ) {
        let c = configuration
        Terminal.print(
            "\(c.layers) \(c.layers == 1 ? "layer" : "layers"), dim \(c.dim)  (\(c.backbone.rawValue), "
                + "\(c.loss.rawValue), \(c.heads) heads, sequences of \(c.maxLength))")
        var table = Table("expected")
        table.leftAligned = [0, 2]
        for (metric, value) in predicted.sorted(by: { $0.key < $1.key }) {
            let interval = intervals[metric].map { "90 % interval \(Format.interval($0))" } ?? ""
            table.add("  " + metric, Format.quality(value), interval)
        }
        table.add("costs")
        table.add("  parameters", Format.count(cost.parameters))
        table.add("  training", Format.flops(cost.trainingFlops), "to convergence")
        table.add("  training time", Format.seconds(cost.trainingSeconds), "on one core")
        table.add("  training memory", Format.bytes(cost.memoryBytes))
        table.add("  latency", Format.seconds(cost.latencySeconds), "to rank all items for one user on one core")
        table.print()
    }

    static func printTable(_ candidates: [Candidate], indent: String) {
        let metrics = Set(candidates.flatMap(\.predicted.keys)).sorted()
        var table = Table(
            cells: ["layers", "dim"] + metrics + ["parameters", "training", "time", "memory", "latency"])
        for candidate in candidates {
            let c = candidate.configuration
            table.add(
                cells: ["\(c.layers)", "\(c.dim)"]
                    + metrics.map { candidate.predicted[$0].map(Format.quality) ?? "" } + [
                        Format.count(candidate.cost.parameters), Format.flops(candidate.cost.trainingFlops),
                        Format.seconds(candidate.cost.trainingSeconds), Format.bytes(candidate.cost.memoryBytes),
                        Format.seconds(candidate.cost.latencySeconds),
                    ])
        }
        table.print(indent: indent)
    }

    static func printWarnings(_ warnings: [Warning]) {
        for warning in warnings { Terminal.print("warning (\(warning.code)): \(warning.message)") }
    }
}
