package import Domain
internal import Glibc
internal import Numerics
package import Trials

/// Speed and memory of shapes on this machine, from probes of them and from trials that were really trained.
///
/// Each quantity is a sum of non-negative parts, c0 + c1 N + c2 d + c3 N d + c4 N d²: a constant, and the growth of the
/// work with the layers and the dimension (the dataset, the length and the batch are the same for all probes). The parts are
/// fitted to the probes with least relative error; what a probe shows beyond them is passed on to its neighbours. Then trials speak: how
/// much longer than that they took, the recent ones more than the old ones (`Drift`).
package struct SpeedModel: Sendable, Hashable {
    /// Of the probes: more heads take more memory than they measured.
    let heads: Int
    let tokenSeconds: Quantity
    let userSeconds: Quantity
    let latency: Quantity
    let memory: Quantity
    /// What a training holds for each parameter.
    let bytesPerParameter: Int
    private let training: Drift
    private let ranking: Drift

    /// - Precondition: there is a probe; all have the same number of heads.
    /// - Parameter trials: of the probes' dataset and setting, oldest first.
    /// - Parameter averages: whether the trainings in question keep an average of the parameters.
    package init(_ probes: [ThroughputProbe], trials: [TrialTiming] = [], averages: Bool = false) {
        precondition(!probes.isEmpty, "a speed model needs a probe")
        heads = probes[0].heads
        bytesPerParameter = TrainingOptions.bytesPerParameter(averages: averages)
        let nodes = LatticeNodes(
            through: probes.map { ($0.layers, $0.dim) } + trials.map { ($0.configuration.layers, $0.configuration.dim) }
        )
        func quantity(parts: Int = 5, _ value: (ThroughputProbe) -> Double) -> Quantity {
            Quantity(probes.map { ($0.layers, $0.dim, value($0)) }, parts: parts, nodes: nodes)
        }
        let tokens = quantity { 1 / $0.tokensPerSecond }
        let users = quantity { 1 / $0.evaluatedUsersPerSecond }
        latency = quantity { $0.latencySeconds }
        // What a training holds beside five words a parameter grows with all parts but the last.
        memory = quantity(parts: 4) {
            max(
                1,
                $0.memoryBytes
                    - Double(
                        ($0.bytesPerParameter ?? TrainingOptions.bytesPerParameter(averages: false)) * $0.parameters))
        }
        func drift(_ quantity: Quantity, _ actual: (TrialTiming) -> Double) -> Drift {
            Drift(
                trials.map { trial in
                    let (n, d) = (trial.configuration.layers, trial.configuration.dim)
                    let predicted = quantity.value(n, d) * Self.beside(trial.atOnce)
                    return (n, d, log(actual(trial) / predicted))
                })
        }
        let training = drift(tokens) { $0.secondsPerEpoch / Double($0.tokens) }
        let ranking = drift(users) { $0.secondsPerValidation / Double(max(1, $0.users)) }
        (self.training, self.ranking) = (training, ranking)
        tokenSeconds = tokens.scaled(by: training)
        userSeconds = users.scaled(by: ranking)
    }

    private func parameterBytes(_ parameters: Int) -> Double { Double(bytesPerParameter * parameters) }

    /// How much longer a training takes beside others: they share caches and memory.
    package static func beside(_ atOnce: Int) -> Double { atOnce > 1 ? 1.25 : 1 }

    /// The probe of a configuration, measured or predicted; with nothing beside it.
    package func estimate(_ c: Configuration, facts: DatasetFacts) -> ThroughputProbe {
        let parameters = CostModel.parameters(c, items: facts.items)
        return ThroughputProbe(
            layers: c.layers, dim: c.dim, heads: c.heads, tokensPerSecond: 1 / tokenSeconds.value(c.layers, c.dim),
            evaluatedUsersPerSecond: 1 / userSeconds.value(c.layers, c.dim),
            latencySeconds: latency.value(c.layers, c.dim),
            memoryBytes: memory.value(c.layers, c.dim) + parameterBytes(parameters)
                + Double(c.layers) * headBytes(facts) * Double(c.heads - heads),
            parameters: parameters)
    }

    /// Seconds of a training position and of a ranked user, with nothing beside them.
    package func seconds(layers: Int, dim: Int) -> (token: Double, user: Double) {
        (tokenSeconds.value(layers, dim), userSeconds.value(layers, dim))
    }

    /// Bytes that one more head takes in each block: the weights of attention are kept for the way back.
    func headBytes(_ facts: DatasetFacts) -> Double { 4 * (facts.batchPairs ?? 0) }

    /// Standard deviation of ln(seconds) of an epoch around the estimate.
    package func logDeviation(layers: Int, dim: Int) -> Double { training.deviation(layers, dim) }

    /// One quantity over the shapes.
    struct Quantity: Sendable, Hashable {
        let coefficients: [Double]
        /// What the sum of the parts is multiplied by.
        private(set) var factors: Lattice

        /// - Parameters:
        ///   - samples: values of some shapes, above 0.
        ///   - parts: how many of the parts it may have, from the first.
        ///   - nodes: where the factors are exact.
        init(_ samples: [(layers: Int, dim: Int, value: Double)], parts: Int, nodes: LatticeNodes) {
            let rows = samples.map { Self.parts($0.layers, $0.dim) }
            let values = samples.map(\.value)
            let coefficients = NonNegativeFit.coefficients(rows, values, allowed: parts)
            self.coefficients = coefficients
            let corrections = zip(rows, values).map { row, value in
                log(value / zip(row, coefficients).reduce(0) { $0 + $1.0 * $1.1 })
            }
            factors = Lattice(nodes) { layers, dim in
                // The corrections of the samples around, with weights that fall with the distance.
                var (sum, total) = (0.0, 0.0)
                for (sample, correction) in zip(samples, corrections) {
                    let dn = log(Double(layers) / Double(sample.layers))
                    let dd = log(Double(dim) / Double(sample.dim))
                    let distance = dn * dn * 0.25 + dd * dd + 1e-6
                    sum += correction / (distance * distance)
                    total += 1 / (distance * distance)
                }
                return exp(sum / total)
            }
        }

        /// The same, drifted.
        func scaled(by drift: Drift) -> Quantity {
            var scaled = self
            scaled.factors = Lattice(factors.nodes) { layers, dim in
                factors.value(layers, dim) * exp(drift.shift(layers, dim))
            }
            return scaled
        }

        private static func parts(_ layers: Int, _ dim: Int) -> [Double] {
            let (n, d) = (Double(layers), Double(dim))
            return [1, n, d, n * d, n * d * d, d * d]
        }

        func value(_ layers: Int, _ dim: Int) -> Double {
            let parts = zip(Self.parts(layers, dim), coefficients).reduce(0) { $0 + $1.0 * $1.1 }
            return factors.value(layers, dim) * parts
        }
    }
}
