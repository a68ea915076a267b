import Foundation
import Numerics
import Testing

@Suite struct SplineTests {
    @Test("splines pass through their nodes to the bit, and follow a smooth curve by the fourth power of the step")
    func splines() {
        func error(_ count: Int) -> Double {
            let nodes = (0...count).map { 4 * Double($0) / Double(count) }
            // Away from the ends, where the second derivative is taken for 0.
            let places = (0...200).map { 1 + 2 * Double($0) / 200 }
            let found = Spline(nodes: nodes, places: places).values(nodes.map { sin($0) }, width: 1)
            return zip(places, found).map { abs(sin($0) - $1) }.max() ?? 1
        }
        #expect(error(40) < 1e-6)
        #expect(error(40) < error(20) / 12)
        let (nodes, values) = ([0.0, 0.3, 1.1, 1.2], [1.0, -2.0, 0.1, 7.3, 0.4, -1.5, 2.2, 0.9])
        #expect(Spline(nodes: nodes, places: nodes).values(values, width: 2) == values)
        #expect(Spline(nodes: [2], places: [2]).values([5, 6], width: 2) == [5, 6])
    }
}
