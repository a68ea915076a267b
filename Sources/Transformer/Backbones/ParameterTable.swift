package import Domain
internal import Glibc

/// Where each parameter of a model lies in one arena: name, shape, offset. Weights are [in, out], applied as y = x W + b.
package struct ParameterTable: Sendable {
    /// What a parameter is: decides how it begins, and how it is laid out in a file of weights.
    package enum Kind: Sendable {
        /// Rows looked up by number.
        case embedding
        /// [in, out] of a linear layer.
        case linear
        /// The same, of a layer whose output is added to the residual.
        case residual
        /// Scale of a norm; begins at 1.
        case scale
        /// Of a linear layer; begins at 0.
        case bias
        /// Added after the scale of a norm.
        case shift
        /// Numbers added to attention scores, looked up by distance.
        case relative
    }

    package struct Entry: Sendable {
        package var name: String
        package var shape: [Int]
        package var kind: Kind
        package var offset: Int
        package var count: Int { shape.reduce(1, *) }
        /// Whether it is the matrix of a linear layer.
        package var isMatrix: Bool { kind == .linear || kind == .residual }
    }

    package private(set) var entries: [Entry] = []
    /// Number of parameters.
    package private(set) var count = 0
    private var places: [String: Int] = [:]

    package init(_ configuration: Configuration, items: Int) {
        let c = configuration
        add("item", [items, c.dim], .embedding)
        if c.backbone == .sasrec || c.backbone == .gpt { add("position", [c.maxLength, c.dim], .embedding) }
        if c.backbone == .sasrec { addNorm("inputNorm", c.dim) }
        for layer in 0..<c.layers {
            let block = "blocks.\(layer)."
            switch c.core {
            case .sasrec, .gpt:
                addLinear(block + "queryKeyValue", c.dim, 3 * c.dim)
                addLinear(block + "output", c.dim, c.dim, kind: .residual)
                addNorm(block + "norm1", c.dim)
                addLinear(block + "expand", c.dim, c.feedForward)
                addLinear(block + "contract", c.feedForward, c.dim, kind: .residual)
                addNorm(block + "norm2", c.dim)
            case .llama:
                addLinear(block + "queryKeyValue", c.dim, 3 * c.dim, bias: false)
                addLinear(block + "output", c.dim, c.dim, bias: false, kind: .residual)
                addNorm(block + "norm1", c.dim, bias: false)
                addLinear(block + "expand", c.dim, 2 * c.feedForward, bias: false)
                addLinear(block + "contract", c.feedForward, c.dim, bias: false, kind: .residual)
                addNorm(block + "norm2", c.dim, bias: false)
            case .hstu:
                add(block + "positionBias", [c.maxLength], .relative)
                add(block + "timeBias", [Configuration.timeBuckets], .relative)
                addNorm(block + "norm1", c.dim)
                addLinear(block + "gateValueQueryKey", c.dim, 4 * c.dim)
                addNorm(block + "norm2", c.dim)
                addLinear(block + "output", c.dim, c.dim, kind: .residual)
            }
        }
        if c.backbone != .sasrec { addNorm("outputNorm", c.dim, bias: c.backbone != .llama) }
    }

    private mutating func add(_ name: String, _ shape: [Int], _ kind: Kind) {
        entries.append(Entry(name: name, shape: shape, kind: kind, offset: count))
        places[name] = count
        count += shape.reduce(1, *)
    }

    private mutating func addLinear(
        _ name: String, _ inputs: Int, _ outputs: Int, bias: Bool = true, kind: Kind = .linear
    ) {
        add(name + ".weight", [inputs, outputs], kind)
        if bias { add(name + ".bias", [outputs], .bias) }
    }

    private mutating func addNorm(_ name: String, _ width: Int, bias: Bool = true) {
        add(name + ".weight", [width], .scale)
        if bias { add(name + ".bias", [width], .shift) }
    }

    /// Offset of the item embeddings, which are also the output layer.
    package let item = 0

    /// Offset of a parameter that the model has.
    func place(_ name: String) -> Int {
        guard let place = places[name] else { preconditionFailure("the model has no parameter \(name)") }
        return place
    }

    func linear(_ name: String, _ inputs: Int, _ outputs: Int) -> Linear {
        Linear(
            weight: place(name + ".weight"), bias: places[name + ".bias"], inputs: inputs, outputs: outputs)
    }

    func norm(_ name: String) -> Norm { Norm(weight: place(name + ".weight"), bias: places[name + ".bias"]) }

    /// Weights, embeddings and relative biases from a normal distribution around 0, biases 0, norm weights 1.
    ///
    /// - Parameter deviation: standard deviation; the published code has 0.02.
    package func initialise(
        _ parameters: FloatBuffer, seed: UInt64, deviation: Double = 0.02, initialisation: Initialisation = .plain,
        layers: Int = 1
    ) {
        for (index, entry) in entries.enumerated() {
            let p = parameters.p + entry.offset
            var deviation = deviation
            switch entry.kind {
            case .scale:
                p.update(repeating: 1, count: entry.count)
                continue
            case .shift where initialisation == .plain, .bias:
                p.update(repeating: 0, count: entry.count)
                continue
            case .residual where initialisation == .residual: deviation /= (2 * Double(layers)).squareRoot()
            case .embedding, .linear, .residual, .relative, .shift: break
            }
            var random = RandomStream(seed: seed, .weights, UInt64(index))
            var i = 0
            while i < entry.count {
                // Box-Muller: two normal numbers from two uniform ones.
                let radius = (-2 * log(1 - random.uniform())).squareRoot()
                let angle = 2 * Double.pi * random.uniform()
                p[i] = Float(deviation * radius * cos(angle))
                if i + 1 < entry.count { p[i + 1] = Float(deviation * radius * sin(angle)) }
                i += 2
            }
        }
    }
}

/// Offsets of a linear layer's parameters; no bias where the backbone has none.
struct Linear: Sendable {
    var weight: Int
    var bias: Int?
    var inputs: Int
    var outputs: Int
}

/// Offsets of a norm's parameters: LayerNorm with a bias, RMSNorm without.
struct Norm: Sendable {
    var weight: Int
    var bias: Int?
}
