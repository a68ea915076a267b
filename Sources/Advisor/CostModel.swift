package import Domain
internal import Glibc
package import Trials

/// What a dataset brings into the cost of a configuration.
package struct DatasetFacts: Codable, Sendable, Hashable {
    package var items: Int
    package var evaluatedUsers: Int
    /// Training positions of an epoch.
    package var tokens: Int
    /// Pooled ApEn (m = 1) that D' divides by, nats.
    package var apen: Double
    /// Mean squared training length over mean length: the positions that a position attends to, doubled.
    package var meanContext: Double

    package init(items: Int, evaluatedUsers: Int, tokens: Int, apen: Double, meanContext: Double) {
        self.items = items
        self.evaluatedUsers = evaluatedUsers
        self.tokens = tokens
        self.apen = apen
        self.meanContext = meanContext
    }

    package var effectiveTokens: Double { Double(tokens) / apen }
}

/// Costs of sasrec configurations in all five currencies; formulas and sources in docs/costs.md.
package struct CostModel: Sendable {
    package var facts: DatasetFacts
    package var speed: SpeedModel
    /// Epochs until the stopping rule ends training.
    package var epochs: Double
    /// Negatives per position, for bce.
    package var negatives: Int

    package init(facts: DatasetFacts, speed: SpeedModel, epochs: Double, negatives: Int) {
        self.facts = facts
        self.speed = speed
        self.epochs = epochs
        self.negatives = negatives
    }

    /// Trainable parameters: V d + L d + 2 d + N (12 d² + 13 d), tied output.
    package static func parameters(_ c: Configuration, items: Int) -> Int {
        items * c.dim + c.maxLength * c.dim + 2 * c.dim + c.layers * (12 * c.dim * c.dim + 13 * c.dim)
    }

    /// Training FLOPs of one position, forward and backward, 2 a multiply-add:
    /// 6 (V' d + 12 d² N) + 6 N d s, V' the items scored (all for cce, 1 + negatives for bce), s the mean attended positions x 2.
    package static func trainingFlopsPerToken(_ c: Configuration, facts: DatasetFacts, negatives: Int) -> Double {
        let d = Double(c.dim)
        let scored = c.loss == .cce ? Double(facts.items) : Double(1 + negatives)
        return 6 * (scored * d + 12 * d * d * Double(c.layers)) + 6 * Double(c.layers) * d * facts.meanContext
    }

    /// FLOPs to rank all items for one user with a history of `length` items.
    package static func rankingFlops(_ c: Configuration, items: Int, length: Double) -> Double {
        let d = Double(c.dim)
        return 2 * Double(items) * d + length * Double(c.layers) * (24 * d * d + 2 * d * length)
    }

    package func cost(_ c: Configuration) -> Cost {
        let flops = Self.trainingFlopsPerToken(c, facts: facts, negatives: negatives) * Double(facts.tokens)
        let estimate = speed.estimate(c, facts: facts, negatives: negatives)
        let epoch =
            Double(facts.tokens) / estimate.tokensPerSecond
            + Double(facts.evaluatedUsers) / estimate.evaluatedUsersPerSecond
        return Cost(
            parameters: Double(Self.parameters(c, items: facts.items)), trainingFlops: flops * epochs,
            latencySeconds: estimate.latencySeconds, memoryBytes: estimate.memoryBytes,
            trainingSeconds: epoch * epochs + 2 * Double(facts.evaluatedUsers) / estimate.evaluatedUsersPerSecond)
    }
}

/// Speed of shapes on this machine, from measured ones: time per unit is a sum of non-negative parts, one constant, one
/// proportional to the output layer's FLOPs, one to the body's; measured shapes are corrected to what was measured.
package struct SpeedModel: Codable, Sendable, Hashable {
    package var probes: [ThroughputProbe]

    /// Errors: none; at least one probe must be given.
    package init(_ probes: [ThroughputProbe]) {
        precondition(!probes.isEmpty, "a speed model needs a probe")
        self.probes = probes
    }

    /// The probe of a configuration, measured or predicted.
    package func estimate(_ c: Configuration, facts: DatasetFacts, negatives: Int) -> ThroughputProbe {
        if let measured = probes.first(where: { $0.layers == c.layers && $0.dim == c.dim && $0.heads == c.heads }) {
            return measured
        }
        func training(_ layers: Int, _ dim: Int) -> Double {
            var shape = c
            (shape.layers, shape.dim) = (layers, dim)
            return CostModel.trainingFlopsPerToken(shape, facts: facts, negatives: negatives)
        }
        func ranking(_ length: Double) -> (Int, Int) -> Double {
            { layers, dim in
                var shape = c
                (shape.layers, shape.dim) = (layers, dim)
                return CostModel.rankingFlops(shape, items: facts.items, length: length)
            }
        }
        let secondsPerToken = interpolate(c, training) { 1 / $0.tokensPerSecond }
        let secondsPerUser = interpolate(c, ranking(facts.meanContext / 2 + 2)) { 1 / $0.evaluatedUsersPerSecond }
        let latency = interpolate(c, ranking(Double(c.maxLength))) { $0.latencySeconds }
        let memory = interpolate(c, { Double(max(1, $0)) * Double($1) * 1e3 + Double(facts.items * $1) }) {
            $0.memoryBytes
        }
        return ThroughputProbe(
            layers: c.layers, dim: c.dim, heads: c.heads, tokensPerSecond: 1 / secondsPerToken,
            evaluatedUsersPerSecond: 1 / secondsPerUser, latencySeconds: latency, memoryBytes: memory,
            parameters: CostModel.parameters(c, items: facts.items))
    }

    /// Cost per unit of work at the measured shapes, averaged in the logarithm with weights that fall with the distance in
    /// (ln N, ln d), times the work of the asked shape. Small shapes pay overhead per unit, and their neighbours do too.
    private func interpolate(
        _ c: Configuration, _ work: (Int, Int) -> Double, _ seconds: (ThroughputProbe) -> Double
    ) -> Double {
        var sum = 0.0
        var total = 0.0
        for probe in probes {
            let dn = log(Double(c.layers) / Double(probe.layers))
            let dd = log(Double(c.dim) / Double(probe.dim))
            let weight = 1 / pow(dn * dn * 0.25 + dd * dd + 1e-6, 2)
            sum += weight * log(seconds(probe) / work(probe.layers, probe.dim))
            total += weight
        }
        return exp(sum / total) * work(c.layers, c.dim)
    }
}
