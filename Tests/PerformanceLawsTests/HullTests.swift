import Foundation
import Testing

import PerformanceLaws

struct HullTests {
    @Test("grades follow the distance from the hull, not from each axis")
    func hull() {
        let hull = Hull([(1, 16), (8, 16), (1, 128), (2, 32)])
        #expect(hull.distance(layers: 2, dim: 32) == 0)
        #expect(hull.distance(layers: 1, dim: 64) == 0)
        // The corner that was never observed: the nearest point of the side from (ln 8, ln 16) to (0, ln 128).
        #expect(abs(hull.distance(layers: 8, dim: 128) - log(8) / 2.0.squareRoot()) < 1e-12)
        #expect(abs(hull.distance(layers: 1, dim: 8) - log(2)) < 1e-12)
        let line = Hull([(1, 16), (4, 16)])
        #expect(line.distance(layers: 2, dim: 16) == 0)
        #expect(abs(line.distance(layers: 2, dim: 32) - log(2)) < 1e-12)
    }
}
