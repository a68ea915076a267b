package import Domain
internal import Glibc
internal import Numerics
package import Trials

/// Latency of any shape on this machine, from measured ones; coefficients and their meaning in docs/users/costs.md.
///
/// The time up to the hidden state is a sum of non-negative parts: a constant, an overhead of each block, of each number a block
/// passes on, of each multiply-add of the linear layers, and of attention. The time from there is a constant, a part for each item,
/// and one for each byte of the catalogue. What measurements show beyond that is passed on to their neighbours.
package struct LatencyModel: Sendable, Hashable {
    private let nodes: LatticeNodes
    private let body: Surface
    private let head: Surface
    /// Median over the probes of p50 / (body + head), and of p95 / p50.
    private let whole: Double
    private let tail: Double

    /// Nil without a probe. Probes must be of one backbone.
    package init?(_ probes: [LatencyProbe]) {
        guard let first = probes.first else { return nil }
        precondition(probes.allSatisfy { $0.backbone == first.backbone }, "probes of different backbones")
        nodes = LatticeNodes(through: probes.map { ($0.layers, $0.dim) })
        func configuration(_ probe: LatencyProbe) -> Configuration {
            Configuration(backbone: probe.backbone, layers: probe.layers, dim: probe.dim, heads: probe.heads)
        }
        body = Surface(
            parts: probes.map { Self.parts(configuration($0), length: $0.length) },
            places: probes.map { Self.place($0.layers, $0.dim, $0.length) }, values: probes.map(\.bodySeconds))
        head = Surface(
            parts: probes.map { Self.headParts(dim: $0.dim, items: $0.items) },
            places: probes.map { Self.place(1, $0.dim, $0.items) }, values: probes.map(\.headSeconds))
        whole = Self.median(probes.map { $0.p50Seconds / ($0.bodySeconds + $0.headSeconds) })
        tail = Self.median(probes.map { $0.p95Seconds / $0.p50Seconds })
    }

    /// Seconds of a request that half of them, and 95 in 100, do not exceed.
    package func seconds(_ c: Configuration, items: Int, length: Int) -> (p50: Double, p95: Double) {
        let p50 =
            bodyParts(c, length: length) * bodyFactor(c.layers, c.dim, length)
            + headSeconds(dim: c.dim, items: items)
        return (p50, p50 * tail)
    }

    /// Seconds of the parts up to the hidden state, before what measurements around show beyond them.
    func bodyParts(_ c: Configuration, length: Int) -> Double { whole * body.sum(Self.parts(c, length: length)) }

    /// What measurements around show beyond the parts.
    func bodyFactors(length: Int) -> Lattice {
        Lattice(nodes) { body.factor(Self.place($0, $1, length)) }
    }

    private func bodyFactor(_ layers: Int, _ dim: Int, _ length: Int) -> Double {
        nodes.value(layers, dim) { body.factor(Self.place(nodes.layers[$0], nodes.dims[$1], length)) }
    }

    /// Seconds from the hidden state to the ten items.
    func headSeconds(dim: Int, items: Int) -> Double {
        whole * head.sum(Self.headParts(dim: dim, items: items)) * head.factor(Self.place(1, dim, items))
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    private static func place(_ layers: Int, _ dim: Int, _ size: Int) -> [Double] {
        // Distances in layers count half.
        [0.5 * log(Double(layers)), log(Double(dim)), log(Double(max(1, size)))]
    }

    private static func parts(_ c: Configuration, length: Int) -> [Double] {
        let (layers, n, d) = (Double(c.layers), Double(length), Double(c.dim))
        let attention = CostModel.newestAttentionProducts(c, length: length)
        return [
            1, layers, layers * n * d, CostModel.newestProducts(c, length: length), attention,
            attention / d * Double(c.heads),
        ]
    }

    private static func headParts(dim: Int, items: Int) -> [Double] {
        [1, Double(items), 4 * Double(items) * Double(dim)]
    }

    /// Parts fitted to samples, corrected by the samples around with weights that fall with their distance.
    private struct Surface: Sendable, Hashable {
        var coefficients: [Double]
        var places: [[Double]]
        /// ln(measured / fitted) of each sample.
        var corrections: [Double]

        init(parts: [[Double]], places: [[Double]], values: [Double]) {
            let coefficients = NonNegativeFit.coefficients(parts, values, allowed: parts[0].count)
            self.coefficients = coefficients
            self.places = places
            corrections = zip(parts, values).map { row, value in
                log(value / zip(row, coefficients).reduce(0) { $0 + $1.0 * $1.1 })
            }
        }

        func sum(_ parts: [Double]) -> Double { zip(parts, coefficients).reduce(0) { $0 + $1.0 * $1.1 } }

        func factor(_ place: [Double]) -> Double {
            var sum = 0.0
            // A share for no correction: far from all samples the parts alone speak.
            var total = 0.02
            for (other, correction) in zip(places, corrections) {
                let distance = zip(place, other).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
                let weight = 1 / ((distance + 1e-4) * (distance + 1e-4))
                sum += weight * correction
                total += weight
            }
            return exp(sum / total)
        }
    }
}
