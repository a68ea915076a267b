internal import Glibc

/// Where a lattice has its nodes: at powers of two, dims between them too, and at given shapes.
struct LatticeNodes: Sendable, Hashable {
    let layers: [Int]
    let dims: [Int]

    init(through shapes: [(layers: Int, dim: Int)]) {
        layers = Set((0...7).map { 1 << $0 } + shapes.map(\.layers)).sorted()
        dims = Set((0...12).map { 1 << $0 } + (1...11).map { 3 << ($0 - 1) } + shapes.map(\.dim)).sorted()
    }

    /// The node below a value that is not the last, and the share of the way to the next one along the logarithm; beyond the outermost
    /// nodes 0 or 1.
    static func place(_ value: Int, _ nodes: [Int]) -> (node: Int, share: Double) {
        guard value > nodes[0] else { return (0, 0) }
        var node = nodes.count - 2
        while nodes[node] > value { node -= 1 }
        guard value < nodes[node + 1] else { return (node, 1) }
        guard value > nodes[node] else { return (node, 0) }
        return (node, log(Double(value) / Double(nodes[node])) / log(Double(nodes[node + 1]) / Double(nodes[node])))
    }

    /// Interpolated between the four nodes around, where `value` is asked by the nodes' indices.
    func value(_ layers: Int, _ dim: Int, _ value: (_ layers: Int, _ dim: Int) -> Double) -> Double {
        let (n, up) = Self.place(layers, self.layers)
        let (d, right) = Self.place(dim, dims)
        func along(_ n: Int) -> Double {
            let left = value(n, d)
            return right > 0 ? left + right * (value(n, d + 1) - left) : left
        }
        let below = along(n)
        return up > 0 ? below + up * (along(n + 1) - below) : below
    }
}

/// A smooth positive function of layers and dim, kept at nodes and interpolated between them along ln N and ln d; beyond the outermost
/// nodes it stays as it is. Made so that a million values cost no logarithm.
struct Lattice: Sendable, Hashable {
    let nodes: LatticeNodes
    /// Values at the nodes, a row of all dims for each number of layers.
    let values: [Double]

    init(_ nodes: LatticeNodes, _ value: (_ layers: Int, _ dim: Int) -> Double) {
        self.nodes = nodes
        values = nodes.layers.flatMap { n in nodes.dims.map { value(n, $0) } }
    }

    /// The values of all dims' nodes at a number of layers.
    func row(_ layers: Int) -> [Double] {
        let (node, share) = LatticeNodes.place(layers, nodes.layers)
        let (width, first) = (nodes.dims.count, node * nodes.dims.count)
        return (first..<first + width).map {
            share > 0 ? values[$0] + share * (values[$0 + width] - values[$0]) : values[$0]
        }
    }

    func value(_ layers: Int, _ dim: Int) -> Double {
        nodes.value(layers, dim) { values[$0 * nodes.dims.count + $1] }
    }
}
