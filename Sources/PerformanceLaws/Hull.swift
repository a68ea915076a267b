internal import Glibc

/// The convex hull of observed (ln N, ln d), and how far a point lies outside it.
package struct Hull: Sendable {
    private let corners: [SIMD2<Double>]

    package init(_ shapes: [(layers: Int, dim: Int)]) {
        let points = Set(shapes.map { SIMD2(log(Double($0.layers)), log(Double($0.dim))) })
            .sorted { ($0.x, $0.y) < ($1.x, $1.y) }
        // Andrew's monotone chain.
        func chain(_ points: [SIMD2<Double>]) -> [SIMD2<Double>] {
            var chain: [SIMD2<Double>] = []
            for p in points {
                while chain.count >= 2, Self.cross(chain[chain.count - 2], chain[chain.count - 1], p) <= 1e-12 {
                    chain.removeLast()
                }
                chain.append(p)
            }
            return Array(chain.dropLast())
        }
        corners = points.count < 3 ? points : chain(points) + chain(points.reversed())
    }

    private static func cross(_ a: SIMD2<Double>, _ b: SIMD2<Double>, _ c: SIMD2<Double>) -> Double {
        (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
    }

    /// Distance in e-folds; 0 inside.
    package func distance(layers: Int, dim: Int) -> Double {
        let p = SIMD2(log(Double(layers)), log(Double(dim)))
        guard let first = corners.first else { return .infinity }
        func toSegment(_ a: SIMD2<Double>, _ b: SIMD2<Double>) -> Double {
            let d = b - a
            let length = (d * d).sum()
            let t = length > 0 ? min(1, max(0, ((p - a) * d).sum() / length)) : 0
            let off = p - (a + t * d)
            return (off * off).sum().squareRoot()
        }
        guard corners.count > 1 else { return toSegment(first, first) }
        let sides = corners.indices.map { (corners[$0], corners[($0 + 1) % corners.count]) }
        if corners.count > 2, sides.allSatisfy({ Self.cross($0.0, $0.1, p) >= -1e-12 }) { return 0 }
        let nearest = sides.map(toSegment).min() ?? 0
        return nearest < 1e-9 ? 0 : nearest
    }

    /// The ln d that lie inside at a number of layers; nil where none do.
    package func span(layers: Int) -> ClosedRange<Double>? {
        let x = log(Double(layers))
        var found: [Double] = []
        for (place, a) in corners.enumerated() {
            let b = corners[(place + 1) % corners.count]
            guard x >= min(a.x, b.x) - 1e-9, x <= max(a.x, b.x) + 1e-9 else { continue }
            if abs(a.x - b.x) < 1e-9 {
                found += [a.y, b.y]
            } else {
                found.append(a.y + (x - a.x) / (b.x - a.x) * (b.y - a.y))
            }
        }
        guard let low = found.min(), let high = found.max() else { return nil }
        return low...high
    }
}
