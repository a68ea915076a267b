package import Domain
internal import Glibc
internal import Trials

/// Costs of a whole grid of configurations at once, for a search: a number for each, in arrays beside each other.
///
/// Everything that does not change within a row of dimensions is computed once; a configuration costs a few multiplications. The numbers
/// are those of `CostModel.cost` up to rounding. A configuration whose heads do not divide its dimension has infinite parameters, which no
/// budget allows.
package final class CostTable: Sendable {
    private let base: DeclaredConfiguration
    private let costs: CostModel
    private let layers: [Int]
    private let dims: [Int]

    package let parameters: [Double]
    package let trainingFlops: [Double]
    package let latencySeconds: [Double]
    package let memoryBytes: [Double]
    package let trainingSeconds: [Double]

    package var count: Int { parameters.count }

    /// Every number of layers with every dimension; dimensions change fastest.
    ///
    /// - Parameter base: with the backbone, heads, length, loss and feed-forward factor of all.
    package init(_ base: DeclaredConfiguration, _ costs: CostModel, layers: [Int], dims: [Int]) {
        (self.base, self.costs, self.layers, self.dims) = (base, costs, layers, dims)
        if costs.isForeign {
            let known = layers.flatMap { layers in
                dims.map { dim in
                    var c = base
                    (c.layers, c.dim) = (layers, dim)
                    return costs.cost(c)
                }
            }
            parameters = known.map(\.parameters)
            trainingFlops = known.map(\.trainingFlops)
            latencySeconds = known.map(\.latencySeconds)
            memoryBytes = known.map(\.memoryBytes)
            trainingSeconds = known.map(\.trainingSeconds)
            return
        }
        let lines = Lines(base.priced, costs, dims: dims)
        let rows = layers.map(lines.row)
        func filled(_ body: (Lines.Row, UnsafeMutablePointer<Double>) -> Void) -> [Double] {
            // Safe: there is room for a row of dimensions for each number of layers, and each body writes one row.
            [Double](unsafeUninitializedCapacity: rows.count * dims.count) { buffer, initialised in
                if let first = buffer.baseAddress {
                    for (number, row) in rows.enumerated() { body(row, first + number * dims.count) }
                }
                initialised = rows.count * dims.count
            }
        }
        parameters = filled(lines.parameters)
        trainingFlops = filled(lines.trainingFlops)
        latencySeconds = filled(lines.latency)
        memoryBytes = filled(lines.memory)
        trainingSeconds = filled(lines.trainingSeconds)
    }

    /// Those of one currency.
    package subscript(_ currency: Currency) -> [Double] {
        switch currency {
        case .parameters: parameters
        case .trainingFlops: trainingFlops
        case .latencySeconds: latencySeconds
        case .memoryBytes: memoryBytes
        case .trainingSeconds: trainingSeconds
        }
    }

    /// The configuration of a place in the arrays.
    package func configuration(_ index: Int) -> DeclaredConfiguration {
        var c = base
        (c.layers, c.dim) = (layers[index / dims.count], dims[index % dims.count])
        return c
    }

    /// All costs of a place, those that are not in the arrays too.
    package func cost(_ index: Int) -> Cost { costs.cost(configuration(index)) }

    /// Coefficients: each quantity at N layers is a + N b with arrays over the dimensions.
    private struct Lines {
        private let costs: CostModel
        private var parameters: Line
        private var products: Line
        private var seconds: Line
        private var ranking: Line
        private var memory: Line
        private var waiting: Line
        private let ending: [Double]
        private let epochs: [Double]
        private let heads: Double
        private let factors: [Spread]

        /// a + N b at each dimension.
        private struct Line {
            var a: [Double]
            var b: [Double]
        }

        /// How the nodes of a lattice become the dimensions.
        private struct Spread {
            let lattice: Lattice
            let node: [Int]
            let share: [Double]

            init(_ lattice: Lattice, _ dims: [Int]) {
                self.lattice = lattice
                let places = dims.map { LatticeNodes.place($0, lattice.nodes.dims) }
                node = places.map(\.node)
                share = places.map(\.share)
            }
        }

        /// What a number of layers decides.
        struct Row {
            let layers: Double
            let number: Int
            let epochs: Double
        }

        init(_ base: Configuration, _ costs: CostModel, dims: [Int]) {
            self.costs = costs
            let facts = costs.facts
            func shape(_ layers: Int, _ dim: Int) -> Configuration {
                var c = base
                (c.layers, c.dim) = (layers, dim)
                return c
            }
            /// What grows by the same for each block, from its values at one and two blocks.
            func line(_ value: (Configuration) -> Double) -> Line {
                let one = dims.map { value(shape(1, $0)) }
                let two = dims.map { value(shape(2, $0)) }
                return Line(a: zip(one, two).map { 2 * $0 - $1 }, b: zip(one, two).map { $1 - $0 })
            }
            parameters = line { Double(CostModel.parameters($0, items: facts.items)) }
            for (index, dim) in dims.enumerated() where dim % base.dimStep != 0 { parameters.a[index] = .infinity }
            products = line { CostModel.trainingFlopsPerToken($0, facts: facts, negatives: costs.negatives) }
            func parts(_ quantity: SpeedModel.Quantity, times scale: Double) -> Line {
                let c = quantity.coefficients
                return Line(
                    a: dims.map { scale * (c[0] + c[2] * Double($0)) },
                    b: dims.map { scale * (c[1] + (c[3] + c[4] * Double($0)) * Double($0)) })
            }
            let speed = costs.speed
            seconds = parts(speed.tokenSeconds, times: Double(facts.tokens))
            ranking = parts(speed.userSeconds, times: Double(facts.evaluatedUsers))
            memory = parts(speed.memory, times: 1)
            let length = costs.length(base)
            if let latency = costs.latency {
                waiting = line { latency.bodyParts($0, length: length) }
                ending = dims.map { latency.headSeconds(dim: $0, items: facts.items) }
                factors = [
                    speed.tokenSeconds.factors, speed.userSeconds.factors, speed.memory.factors,
                    latency.bodyFactors(length: length),
                ].map { Spread($0, dims) }
            } else {
                waiting = parts(speed.latency, times: 1)
                ending = [Double](repeating: 0, count: dims.count)
                factors = [speed.tokenSeconds, speed.userSeconds, speed.memory, speed.latency]
                    .map { Spread($0.factors, dims) }
            }
            heads = speed.headBytes(facts) * Double(base.heads - speed.heads)
            let b = costs.epochs.coefficients
            epochs = dims.map { exp(b[0] + b[2] * log(Double($0))) }
        }

        func row(_ layers: Int) -> Row {
            Row(
                layers: Double(layers), number: layers,
                epochs: exp(costs.epochs.coefficients[1] * log(Double(layers))))
        }

        // Safe, here and below: each writes a number for each dimension, and the caller has room for a row of them.
        func parameters(_ row: Row, _ out: UnsafeMutablePointer<Double>) {
            for i in parameters.a.indices { out[i] = parameters.a[i] + row.layers * parameters.b[i] }
        }

        func trainingFlops(_ row: Row, _ out: UnsafeMutablePointer<Double>) {
            let tokens = Double(costs.facts.tokens)
            let limit = costs.epochs.limit
            for i in products.a.indices {
                out[i] = (products.a[i] + row.layers * products.b[i]) * tokens * min(limit, epochs[i] * row.epochs)
            }
        }

        func memory(_ row: Row, _ out: UnsafeMutablePointer<Double>) {
            let nodes = factors[2].lattice.row(row.number)
            let (node, share) = (factors[2].node, factors[2].share)
            for i in memory.a.indices {
                let factor = nodes[node[i]] + share[i] * (nodes[node[i] + 1] - nodes[node[i]])
                out[i] =
                    (memory.a[i] + row.layers * memory.b[i]) * factor + row.layers * heads
                    + Double(costs.speed.bytesPerParameter) * (parameters.a[i] + row.layers * parameters.b[i])
            }
        }

        func latency(_ row: Row, _ out: UnsafeMutablePointer<Double>) {
            let nodes = factors[3].lattice.row(row.number)
            let (node, share) = (factors[3].node, factors[3].share)
            for i in waiting.a.indices {
                let factor = nodes[node[i]] + share[i] * (nodes[node[i] + 1] - nodes[node[i]])
                out[i] = (waiting.a[i] + row.layers * waiting.b[i]) * factor + ending[i]
            }
        }

        func trainingSeconds(_ row: Row, _ out: UnsafeMutablePointer<Double>) {
            let (tokenNodes, userNodes) = (factors[0].lattice.row(row.number), factors[1].lattice.row(row.number))
            let (tokenNode, tokenShare) = (factors[0].node, factors[0].share)
            let (userNode, userShare) = (factors[1].node, factors[1].share)
            let limit = costs.epochs.limit
            for i in seconds.a.indices {
                let (t, u) = (tokenNode[i], userNode[i])
                let tokenFactor = tokenNodes[t] + tokenShare[i] * (tokenNodes[t + 1] - tokenNodes[t])
                let userFactor = userNodes[u] + userShare[i] * (userNodes[u + 1] - userNodes[u])
                let ranked = (ranking.a[i] + row.layers * ranking.b[i]) * userFactor
                let trained = (seconds.a[i] + row.layers * seconds.b[i]) * tokenFactor
                out[i] = (trained + ranked) * min(limit, epochs[i] * row.epochs) + 2 * ranked
            }
        }
    }
}
