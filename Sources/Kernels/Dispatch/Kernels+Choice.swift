internal import CKernels
internal import CPlaw
internal import Glibc
internal import Text

extension Kernels {
    /// The kernels for this CPU; `PLAW_SIMD=v2|v3|v4|naive` asks for others, and gets the best where the CPU lacks them.
    package static let best: Kernels = {
        let supported = Variant.allCases.reversed().lazy.compactMap(Kernels.variant).first ?? naive
        guard let wish = getenv("PLAW_SIMD").map({ String(cString: $0) }), !wish.isEmpty else { return supported }
        if let variant = Variant(rawValue: wish), let kernels = Kernels.variant(variant) { return kernels }
        Console.line(
            "PLAW_SIMD=\(wish): expected v2, v3, v4 or naive as this CPU supports; using \(supported.variant)",
            to: .errors)
        return supported
    }()

    /// The kernels of one instruction set; nil where this CPU lacks it.
    package static func variant(_ variant: Variant) -> Kernels? {
        let level = plaw_cpu_level()
        return switch variant {
        case .naive: naive
        case .v2: baseline
        case .v3: level >= 3 ? avx2 : nil
        case .v4: level >= 4 ? avx512 : nil
        }
    }

    /// Floats of scratch that `gemm` needs, whatever the shape.
    package static var gemmScratch: Int { K_GEMM_SCRATCH }

    /// Floats of scratch that `attention` and its backward pass need.
    package static func attentionScratch(length: Int) -> Int { k_attention_scratch(length) }

    /// Floats of scratch that `shortAttention` and its like need.
    package static func shortAttentionScratch(width: Int) -> Int { k_short_scratch(width) }

    /// Most rows of a cross-entropy chunk, in whole groups: enough that a pass over the items and their gradient is small
    /// beside the products, while the probabilities stay near 8 MB.
    package static func crossEntropyRows(items: Int) -> Int {
        let fit = (2 << 20) / max(1, items)
        return max(K_WIDEST_PANEL, min(96, fit / K_WIDEST_PANEL * K_WIDEST_PANEL))
    }

    /// Floats of scratch that `linearCrossEntropy` needs.
    package static func crossEntropyScratch(dim: Int, items: Int) -> Int {
        CrossEntropyPlan.sizes(dim: dim, items: items).reduce(0, +)
    }

    /// Floats of scratch that `rankCounts` needs.
    package static func rankScratch(rows: Int, dim: Int) -> Int { k_rank_scratch(rows, dim) }
}
