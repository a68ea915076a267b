internal import CPlaw
internal import Glibc

extension Kernels {
    /// The kernels for this CPU; `PLAW_SIMD=v2|v3|v4|naive` asks for others, and gets the best where the CPU lacks them.
    package static let best: Kernels = {
        let supported = Variant.allCases.reversed().lazy.compactMap(Kernels.variant).first ?? naive
        guard let wish = getenv("PLAW_SIMD").map({ String(cString: $0) }), !wish.isEmpty else { return supported }
        if let variant = Variant(rawValue: wish), let kernels = Kernels.variant(variant) { return kernels }
        let message =
            "PLAW_SIMD=\(wish): expected v2, v3, v4 or naive as this CPU supports; using \(supported.variant)\n"
        _ = message.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        return supported
    }()

    /// The kernels of one instruction set; nil where this CPU lacks it.
    package static func variant(_ variant: Variant) -> Kernels? {
        let level = plaw_cpu_level()
        return switch variant {
        case .naive: naive
        case .v2: v2
        case .v3: level >= 3 ? v3 : nil
        case .v4: level >= 4 ? v4 : nil
        }
    }

    /// Floats of scratch that `gemm` needs, whatever the shape.
    package static let gemmScratch = 384 * 256 + 12 * 32 + 384 * 96

    /// Floats of scratch that `attention` and its backward pass need.
    package static func attentionScratch(length: Int) -> Int {
        // Two blocks of 24 rows of scores and the dropout factors of one row; a head's transpose, of at most 128 columns.
        let stride = (length + 31) / 32 * 32 + 16
        return gemmScratch + 49 * stride + 128 * (length + 31)
    }

    /// Floats of scratch that `shortAttention` and its like need.
    package static func shortAttentionScratch(width: Int) -> Int {
        // Seven matrices of the heads turned over at once, weights, slopes and 16 more, each column with its margins.
        96 * (7 * max(16, width) + 48)
    }

    /// Most rows of a cross-entropy chunk, in whole groups: enough that a pass over the items and their gradient is small
    /// beside the products, while the probabilities stay near 8 MB a thread.
    package static func crossEntropyRows(items: Int, threads: Int = 1) -> Int {
        let fit = (2 << 20) / max(1, items)
        return max(32, min(96, fit / 32 * 32)) * threads
    }

    /// Floats of scratch that `linearCrossEntropy` needs.
    package static func crossEntropyScratch(dim: Int, items: Int, threads: Int = 1) -> Int {
        let rows = crossEntropyRows(items: items, threads: threads)
        return gemmScratch * threads + rows * (items + 3 * dim + 3)
    }

    /// Floats of scratch that `rankCounts` needs.
    package static func rankScratch(rows: Int, dim: Int) -> Int { (rows + 31) / 32 * 32 * (dim + 3) + 16 }
}
