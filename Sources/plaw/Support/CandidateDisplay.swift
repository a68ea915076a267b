import Domain

/// Prints configurations with what is expected of them and what they cost.
enum CandidateDisplay {
    static func printAnswer(
        _ configuration: Configuration, _ predicted: [String: Double], _ intervals: [String: Interval], _ cost: Cost
    ) {
        let c = configuration
        // What imports state of a model is the whole alone, measured wherever it was trained.
        let isOwn = cost.parameters == .infinity || cost.bodyParameters < .infinity
        Terminal.print(
            "\(Format.words(c))  (\(c.words))")
        func words(_ value: Double, _ text: String) -> String { value.isFinite ? text : "" }
        var table = Table("expected")
        table.leftAligned = [0, 2]
        for (metric, value) in predicted.sorted(by: { $0.key < $1.key }) {
            let interval =
                intervals[metric].map { "90 % interval \(Format.interval($0))" }
                ?? "interval " + LawFit.Noise.unknownWords
            table.add("  " + metric, Format.quality(value), interval)
        }
        table.add("costs")
        table.add(
            "  parameters", Format.known(cost.parameters, Format.count),
            words(
                isOwn ? cost.embeddingParameters : .infinity,
                "items \(Format.known(cost.embeddingParameters, Format.count)), body \(Format.known(cost.bodyParameters, Format.count))"
            ))
        table.add(
            "  training", Format.known(cost.trainingFlops, Format.flops),
            words(
                cost.trainingFlops,
                isOwn
                    ? "to convergence; \(Format.known(cost.trainingFlopsPerToken, Format.flops)) a token"
                    : "as imported")
        )
        table.add(
            "  training time", Format.known(cost.trainingSeconds, Format.seconds),
            words(cost.trainingSeconds, isOwn ? "on one core" : "as imported"))
        table.add("  training memory", Format.known(cost.memoryBytes, Format.bytes))
        let p95 = cost.latencyP95Seconds.map { "; 95 % within \(Format.seconds($0))" } ?? ""
        table.add(
            "  latency", Format.known(cost.latencySeconds, Format.seconds),
            words(cost.latencySeconds, isOwn ? "to rank all items for one user on one core\(p95)" : "as imported"))
        table.add("  a request", Format.known(cost.inferenceFlops, Format.flops))
        table.print()
    }

    static func backbone(_ configuration: Configuration) -> String {
        configuration.undeclared.contains("backbone") ? "undeclared backbone" : configuration.backbone.rawValue
    }

    /// - Parameter showsBackbones: where configurations of several are told apart.
    static func printTable(_ candidates: [Candidate], indent: String, showsBackbones: Bool? = nil) {
        let metrics = Set(candidates.flatMap(\.predicted.keys)).sorted()
        let showsBackbones = showsBackbones ?? (Set(candidates.map(\.configuration.backbone)).count > 1)
        var table = Table(
            cells: (showsBackbones ? ["backbone"] : []) + ["layers", "dim"] + metrics + [
                "parameters", "training", "time", "memory", "latency",
            ])
        for candidate in candidates {
            let c = candidate.configuration
            table.add(
                cells: (showsBackbones ? [backbone(c)] : []) + ["\(c.layers)", "\(c.dim)"]
                    + metrics.map { candidate.predicted[$0].map(Format.quality) ?? "" } + [
                        Format.known(candidate.cost.parameters, Format.count),
                        Format.known(candidate.cost.trainingFlops, Format.flops),
                        Format.known(candidate.cost.trainingSeconds, Format.seconds),
                        Format.known(candidate.cost.memoryBytes, Format.bytes),
                        Format.known(candidate.cost.latencySeconds, Format.seconds),
                    ])
        }
        table.print(indent: indent)
    }

    static func printWarnings(_ warnings: [Warning]) {
        for warning in warnings { Terminal.print("warning (\(warning.code)): \(warning.message)") }
    }
}
