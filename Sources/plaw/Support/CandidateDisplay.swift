import Domain

/// Prints configurations with what is expected of them and what they cost.
enum CandidateDisplay {
    static func printAnswer(
        _ configuration: DeclaredConfiguration, _ predicted: [String: Double], _ intervals: [String: Interval],
        _ cost: Cost
    ) {
        let c = configuration
        // What imports state of a model is the whole alone, measured wherever it was trained.
        let isOwn = cost.parameters == .infinity || cost.bodyParameters < .infinity
        Terminal.print(
            "\(Format.words(c))  (\(c.words))")
        func words(_ value: Double, _ text: String) -> String { value.isFinite ? text : "" }
        // An import states costs of whole trainings; a runner says what a token takes.
        let isSaid = !isOwn && cost.trainingFlopsPerToken < .infinity
        let elsewhere = isSaid ? "on its executor, from trials of one epoch" : "as imported"
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
                isOwn || isSaid
                    ? "to convergence; \(Format.known(cost.trainingFlopsPerToken, Format.flops)) a token"
                    : elsewhere)
        )
        table.add(
            "  training time", Format.known(cost.trainingSeconds, Format.seconds),
            words(cost.trainingSeconds, isOwn ? "on one core" : elsewhere))
        table.add("  training memory", Format.known(cost.memoryBytes, Format.bytes))
        let p95 = cost.latencyP95Seconds.map { "; 95 % within \(Format.seconds($0))" } ?? ""
        table.add(
            "  latency", Format.known(cost.latencySeconds, Format.seconds),
            words(
                cost.latencySeconds,
                isOwn ? "to rank all items for one user on one core\(p95)" : isSaid ? "as its runner says" : elsewhere))
        table.add("  a request", Format.known(cost.inferenceFlops, Format.flops))
        table.print()
    }

    static func backbone(_ configuration: DeclaredConfiguration) -> String {
        configuration.backbone.value?.rawValue ?? "undeclared backbone"
    }

    private static let costs: [(name: String, currency: Currency)] = [
        ("parameters", .parameters), ("training", .trainingFlops), ("time", .trainingSeconds), ("memory", .memoryBytes),
        ("latency", .latencySeconds),
    ]

    /// - Parameter showsBackbones: where configurations of several are told apart.
    static func printTable(_ candidates: [Candidate], indent: String, showsBackbones: Bool? = nil) {
        let metrics = Set(candidates.flatMap(\.predicted.keys)).sorted()
        let showsBackbones = showsBackbones ?? (Set(candidates.map(\.configuration.backbone)).count > 1)
        // A cost that nobody knows of any of them has no column.
        let costs = costs.filter { cost in candidates.contains { $0.cost[cost.currency].isFinite } }
        var table = Table(
            cells: (showsBackbones ? ["backbone"] : []) + ["layers", "dim"] + metrics + costs.map(\.name))
        table.keyColumns = showsBackbones ? 3 : 2
        for candidate in candidates {
            let c = candidate.configuration
            table.add(
                cells: (showsBackbones ? [backbone(c)] : []) + ["\(c.layers)", "\(c.dim)"]
                    + metrics.map { candidate.predicted[$0].map(Format.quality) ?? "" }
                    + costs.map { Format.known(candidate.cost[$0.currency], $0.currency.text) })
        }
        table.print(indent: indent)
    }

    /// Warnings that are shown unless all are asked for.
    private static let mostWarnings = 3

    /// Prints the warnings that change what to do, each with the command that helps; with `--verbose` all.
    static func printWarnings(_ warnings: [Warning], _ verbosity: Verbosity) {
        let ranked = Warning.ranked(warnings)
        let shown = verbosity.verbose ? ranked : Array(ranked.filter(\.isConsequential).prefix(mostWarnings))
        var said: Set<String> = []
        for warning in shown {
            Terminal.prose("warning (\(warning.code)): \(warning.message)")
            if let command = warning.command, said.insert(command).inserted { Terminal.print("  try: \(command)") }
        }
        let left = ranked.count - shown.count
        if left > 0 { Terminal.print("\(left) more \(left == 1 ? "warning" : "warnings") with --verbose") }
    }
}
