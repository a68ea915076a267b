internal import Domain
internal import Glibc
internal import Numerics
internal import PerformanceLaws

/// What a law expects at every shape of a search.
///
/// The law itself is asked at nodes, of which every trained shape is one; between them cubic splines along ln N and ln d speak. The splines
/// choose among shapes; what is said of a chosen one comes from the law. An object, like the table's others: a question passes it on
/// again and again.
final class PredictedPlane: Sendable {
    let law: LawPredictor
    /// Row by row, a row for each number of layers. Cut to [0, 1].
    let means: [Float]
    /// How many places the law was asked about.
    let asked: Int

    /// - Parameters:
    ///   - layers, dims: ascending.
    ///   - trained: shapes whose axes become nodes.
    init(
        _ law: LawPredictor, layers: [Int], dims: [Int], effectiveTokens: Double, trained: [Branch.Shape]
    ) {
        self.law = law
        let rows = Self.nodes(layers, through: trained.map(\.layers))
        let columns = Self.nodes(dims, through: trained.map(\.dim))
        asked = rows.count * columns.count
        let nodes = columns.flatMap { dim in
            rows.map { LawPredictor.Place(layers: $0, dim: dim, effectiveTokens: effectiveTokens) }
        }
        let predicted = law.predict(nodes)
        func logs(_ values: [Int]) -> [Double] { values.map { log(Double($0)) } }
        let across = Spline(nodes: logs(columns), places: logs(dims))
        let along = Spline(nodes: logs(rows), places: logs(layers))
        let wide = across.values(predicted.map(\.mean), width: rows.count)
        var turned = [Double](repeating: 0, count: wide.count)
        for d in dims.indices { for n in rows.indices { turned[n * dims.count + d] = wide[d * rows.count + n] } }
        means = along.values(turned, width: dims.count).map { Float(min(1, max(0, $0))) }
    }

    /// Six to an octave and all that lie closer, two more beyond each end, so that the splines' ends lie outside.
    static func nodes(_ values: [Int], through: [Int]) -> [Int] {
        guard let low = values.first, let high = values.last else { return [] }
        func next(_ value: Int) -> Int { max(value + 1, Int(nearest: Double(value) * pow(2, 1.0 / 6))) }
        func former(_ value: Int) -> Int { min(value - 1, Int(nearest: Double(value) * pow(2, -1.0 / 6))) }
        var nodes = Set(through.filter { (low...high).contains($0) })
        nodes.formUnion([low, high, next(high), next(next(high)), former(low), former(former(low))])
        var value = low
        while value < high {
            nodes.insert(value)
            value = next(value)
        }
        return nodes.filter { $0 > 0 }.sorted()
    }
}
