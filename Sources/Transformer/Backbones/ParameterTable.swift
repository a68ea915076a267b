package import Domain
internal import Glibc

/// Where each parameter of a sasrec lies in one arena: name, shape, offset. Weights are [in, out], applied as y = x W + b.
package struct ParameterTable: Sendable {
    package struct Entry: Sendable {
        package var name: String
        package var shape: [Int]
        package var offset: Int
        package var count: Int { shape.reduce(1, *) }
    }

    /// Offsets of a block's parameters.
    struct Block: Sendable {
        var queryKeyValue: Int, queryKeyValueBias: Int
        var output: Int, outputBias: Int
        var norm1: Int, norm1Bias: Int
        var expand: Int, expandBias: Int
        var contract: Int, contractBias: Int
        var norm2: Int, norm2Bias: Int
    }

    package private(set) var entries: [Entry] = []
    /// Number of parameters.
    package private(set) var count = 0
    var item = 0, position = 0, inputNorm = 0, inputNormBias = 0
    var blocks: [Block] = []

    package init(_ configuration: Configuration, items: Int) {
        let d = configuration.dim
        item = add("item", [items, d])
        position = add("position", [configuration.maxLength, d])
        inputNorm = add("inputNorm.weight", [d])
        inputNormBias = add("inputNorm.bias", [d])
        for layer in 0..<configuration.layers {
            let name = "blocks.\(layer)."
            blocks.append(
                Block(
                    queryKeyValue: add(name + "queryKeyValue.weight", [d, 3 * d]),
                    queryKeyValueBias: add(name + "queryKeyValue.bias", [3 * d]),
                    output: add(name + "output.weight", [d, d]), outputBias: add(name + "output.bias", [d]),
                    norm1: add(name + "norm1.weight", [d]), norm1Bias: add(name + "norm1.bias", [d]),
                    expand: add(name + "expand.weight", [d, 4 * d]), expandBias: add(name + "expand.bias", [4 * d]),
                    contract: add(name + "contract.weight", [4 * d, d]),
                    contractBias: add(name + "contract.bias", [d]),
                    norm2: add(name + "norm2.weight", [d]), norm2Bias: add(name + "norm2.bias", [d])))
        }
    }

    private mutating func add(_ name: String, _ shape: [Int]) -> Int {
        let offset = count
        entries.append(Entry(name: name, shape: shape, offset: offset))
        count += shape.reduce(1, *)
        return offset
    }

    /// Weights and embeddings from N(0, 0.02), biases 0, norm weights 1, as the published code.
    package func initialise(_ parameters: FloatBuffer, seed: UInt64) {
        for (index, entry) in entries.enumerated() {
            let p = parameters.p + entry.offset
            if entry.shape.count == 2 {
                var random = RandomStream(seed: seed, .weights, UInt64(index))
                var i = 0
                while i < entry.count {
                    // Box-Muller: two normal numbers from two uniform ones.
                    let radius = (-2 * log(1 - random.uniform())).squareRoot()
                    let angle = 2 * Double.pi * random.uniform()
                    p[i] = Float(0.02 * radius * cos(angle))
                    if i + 1 < entry.count { p[i + 1] = Float(0.02 * radius * sin(angle)) }
                    i += 2
                }
            } else {
                p.update(repeating: entry.name.hasSuffix(".weight") ? 1 : 0, count: entry.count)
            }
        }
    }
}
