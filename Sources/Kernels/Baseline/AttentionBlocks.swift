// What both kinds of attention share: heads of one sequence, short ones number by number, longer ones by blocks of rows.
// Rules as in Gemm.swift.

internal import CKernels

/// Whether a sequence is long enough for blocks, and a head narrow enough for their scratch.
@inline(__always) func goesByBlocks(_ length: Int, _ width: Int) -> Bool {
    length >= K_BLOCKED_LENGTH && width <= K_BLOCKED_WIDTH
}

/// out[rows, <= columns rounded up] = x[rows, width] times the panels of the first `columns` columns.
@inline(__always)
func blockProduct(
    _ rows: Int, _ columns: Int, _ width: Int, _ x: UnsafePointer<Float>, _ ld: Int, _ panels: UnsafePointer<Float>,
    _ out: UnsafeMutablePointer<Float>, _ stride: Int
) {
    var j = 0
    while j < columns {
        panelProduct(
            rows, panelWidth / 16, width, x, ld, 1, panels + j &* width, panelWidth, out + j, stride, false)
        j &+= panelWidth
    }
}

/// The first `count` floats, zeros after them; `readable` floats from p on may be read.
@inline(__always) func loadFirst(_ p: UnsafePointer<Float>, _ count: Int, _ readable: Int) -> V {
    if readable >= 16 { return count >= 16 ? load(p) : below(count, load(p), V.zero) }
    return loadPart(p, count < 16 ? count : 16)
}

/// `dot` for a head: 8 columns at once too.
@inline(__always) func headDot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ width: Int) -> Float {
    var c = 0
    var sum: Float = 0
    if width >= 16 {
        var s = load(a) * load(b)
        c = 16
        while c &+ 16 <= width {
            s = fma(s, load(a + c), load(b + c))
            c &+= 16
        }
        sum = total(s)
    }
    if c &+ 8 <= width {
        sum += total8(load8(a + c) * load8(b + c))
        c &+= 8
    }
    while c < width {
        sum += a[c] * b[c]
        c &+= 1
    }
    return sum
}
