// Matrix products from register tiles. This folder is compiled three times, for three instruction sets: no imports, no
// arrays, no generics, nothing that the linker could merge with code of another instruction set.

/// Columns of a panel: two vectors where there are 32 registers.
#if K_AVX512
package let panelWidth = 32
#else
package let panelWidth = 16
#endif

/// Longest inner loop before the accumulators go back to memory: a panel of it fits the first-level cache.
private let innerBlock = 384

/// Columns and rows that the product works on at a time: as much of B and A for an inner block as the second-level cache
/// holds, so that A is read from further away only once for so many columns.
private let blockColumns = 256
private let blockRows = 192

/// Floats of scratch that `gemm` needs: packed panels of a block and a tile's spill.
package let gemmScratch = 384 * 256 + 12 * 32

/// Runs the tiles that cover `rows` rows of one panel of `vectors` vectors.
@inline(__always)
private func column(
    _ rows: Int, _ vectors: Int, _ count: Int, _ a: UnsafePointer<Float>, _ aRow: Int, _ aStep: Int,
    _ b: UnsafePointer<Float>, _ bStep: Int, _ c: UnsafeMutablePointer<Float>, _ cRow: Int, _ accumulate: Bool
) {
    var i = 0
    while i < rows {
        let left = rows &- i
        let ai = a + i &* aRow
        let ci = c + i &* cRow
        #if K_AVX512
        if vectors == 2 {
            if left >= 12 && left != 16 {
                tile12x2(count, ai, aRow, aStep, b, bStep, ci, cRow, accumulate)
                i &+= 12
            } else if left >= 8 {
                tile8x2(count, ai, aRow, aStep, b, bStep, ci, cRow, accumulate)
                i &+= 8
            } else if left >= 4 {
                tile4x2(count, ai, aRow, aStep, b, bStep, ci, cRow, accumulate)
                i &+= 4
            } else if left >= 2 {
                tile2x2(count, ai, aRow, aStep, b, bStep, ci, cRow, accumulate)
                i &+= 2
            } else {
                tile1x2(count, ai, aRow, aStep, b, bStep, ci, cRow, accumulate)
                i &+= 1
            }
            continue
        }
        if left >= 12 && left != 16 {
            tile12x1(count, ai, aRow, aStep, b, bStep, ci, cRow, accumulate)
            i &+= 12
            continue
        }
        if left >= 8 {
            tile8x1(count, ai, aRow, aStep, b, bStep, ci, cRow, accumulate)
            i &+= 8
            continue
        }
        #else
        if left >= 6 {
            tile6x1(count, ai, aRow, aStep, b, bStep, ci, cRow, accumulate)
            i &+= 6
            continue
        }
        #endif
        if left >= 4 {
            tile4x1(count, ai, aRow, aStep, b, bStep, ci, cRow, accumulate)
            i &+= 4
        } else if left >= 2 {
            tile2x1(count, ai, aRow, aStep, b, bStep, ci, cRow, accumulate)
            i &+= 2
        } else {
            tile1x1(count, ai, aRow, aStep, b, bStep, ci, cRow, accumulate)
            i &+= 1
        }
    }
}

/// One panel of whole vectors: c[rows, 16 * vectors] (+)= A B, with A given by its two strides.
@inline(never)
package func panelProduct(
    _ rows: Int, _ vectors: Int, _ count: Int, _ a: UnsafePointer<Float>, _ aRow: Int, _ aStep: Int,
    _ b: UnsafePointer<Float>, _ bStep: Int, _ c: UnsafeMutablePointer<Float>, _ cRow: Int, _ accumulate: Bool
) {
    if count <= innerBlock {
        column(rows, vectors, count, a, aRow, aStep, b, bStep, c, cRow, accumulate)
        return
    }
    var k = 0
    while k < count {
        let block = count &- k < innerBlock ? count &- k : innerBlock
        column(
            rows, vectors, block, a + k &* aStep, aRow, aStep, b + k &* bStep, bStep, c, cRow, accumulate || k > 0)
        k &+= block
    }
}

/// C[m,n] = op(A) op(B) (+ C); layout 0: A[m,k] B[k,n], 1: A[m,k] B[n,k], 2: A[k,m] B[k,n].
@inline(never)
package func gemm(
    _ layout: Int, _ m: Int, _ n: Int, _ k: Int, _ a: UnsafePointer<Float>, _ lda: Int, _ b: UnsafePointer<Float>,
    _ ldb: Int, _ c: UnsafeMutablePointer<Float>, _ ldc: Int, _ accumulate: Bool,
    _ scratch: UnsafeMutablePointer<Float>
) {
    let aRow = layout == 2 ? 1 : lda
    let aStep = layout == 2 ? lda : 1
    if k == 0 {
        if accumulate { return }
        var i = 0
        while i < m {
            var j = 0
            while j < n {
                c[i &* ldc &+ j] = 0
                j &+= 1
            }
            i &+= 1
        }
        return
    }
    let spill = scratch + innerBlock &* blockColumns
    var start = 0
    while start < k {
        let block = k &- start < innerBlock ? k &- start : innerBlock
        let add = accumulate || start > 0
        let ak = a + start &* aStep
        var first = 0
        while first < n {
            let end = n &- first < blockColumns ? n : first &+ blockColumns
            var i = 0
            while i < m {
                let rows = m &- i < blockRows ? m &- i : blockRows
                let ai = ak + i &* aRow
                var j = first
                while j < end {
                    let left = n &- j
                    let width = left < panelWidth ? left : panelWidth
                    let vectors = width > 16 ? 2 : 1
                    let full = vectors &* 16
                    let to = c + (i &* ldc &+ j)
                    if layout != 1 && width == full {
                        column(rows, vectors, block, ai, aRow, aStep, b + start &* ldb + j, ldb, to, ldc, add)
                    } else {
                        let panel = scratch + (j &- first) &* block
                        if i == 0 { packPanel(layout, b, ldb, start, block, j, width, full, panel) }
                        if width == full {
                            column(rows, vectors, block, ai, aRow, aStep, panel, full, to, ldc, add)
                        } else {
                            edge(rows, vectors, width, block, ai, aRow, aStep, panel, full, to, ldc, add, spill)
                        }
                    }
                    j &+= width
                }
                i &+= rows
            }
            first = end
        }
        start &+= block
    }
}

/// panels[panel][width][panelWidth] = the transpose of x[rows, width], zeros past the last row.
@inline(never)
func transposePanels(
    _ x: UnsafePointer<Float>, _ ld: Int, _ rows: Int, _ width: Int, _ panelWidth: Int,
    _ panels: UnsafeMutablePointer<Float>
) {
    let end = (rows &+ panelWidth &- 1) / panelWidth &* panelWidth
    var j = 0
    while j < end {
        let panel = panels + (j / panelWidth &* panelWidth &* width &+ j % panelWidth)
        let left = rows &- j
        let count = left < 0 ? 0 : left < 16 ? left : 16
        let x = x + (count > 0 ? j &* ld : 0)
        var c = 0
        while c &+ 16 <= width {
            transpose16(x + c, ld, count, false, panel + c &* panelWidth, panelWidth)
            c &+= 16
        }
        if c &+ 8 <= width {
            transpose16(x + c, ld, count, true, panel + c &* panelWidth, panelWidth)
            c &+= 8
        }
        while c < width {
            var r = 0
            while r < 16 {
                panel[c &* panelWidth &+ r] = r < count ? x[r &* ld &+ c] : 0
                r &+= 1
            }
            c &+= 1
        }
        j &+= 16
    }
}

/// Copies `width` columns of `block` rows of op(B) next to each other, zeros up to `full`.
@inline(__always)
private func packPanel(
    _ layout: Int, _ b: UnsafePointer<Float>, _ ldb: Int, _ start: Int, _ block: Int, _ j: Int, _ width: Int,
    _ full: Int, _ panel: UnsafeMutablePointer<Float>
) {
    if layout == 1 {
        transposePanels(b + (j &* ldb &+ start), ldb, width, block, full, panel)
        return
    }
    var k = 0
    while k < block {
        let row = b + (start &+ k) &* ldb + j
        var column = 0
        while column &+ 8 <= width {
            store8(load8(row + column), panel + (k &* full &+ column))
            column &+= 8
        }
        while column < width {
            panel[k &* full &+ column] = row[column]
            column &+= 1
        }
        while column < full {
            panel[k &* full &+ column] = 0
            column &+= 1
        }
        k &+= 1
    }
}

/// A panel that is narrower than its vectors: computed aside, then added or copied column by column.
@inline(__always)
private func edge(
    _ m: Int, _ vectors: Int, _ width: Int, _ block: Int, _ a: UnsafePointer<Float>, _ aRow: Int, _ aStep: Int,
    _ panel: UnsafePointer<Float>, _ full: Int, _ c: UnsafeMutablePointer<Float>, _ ldc: Int, _ add: Bool,
    _ spill: UnsafeMutablePointer<Float>
) {
    var i = 0
    while i < m {
        let rows = m &- i < 12 ? m &- i : 12
        column(rows, vectors, block, a + i &* aRow, aRow, aStep, panel, full, spill, full, false)
        var row = 0
        while row < rows {
            let ci = c + (i &+ row) &* ldc
            let si = spill + row &* full
            var j = 0
            while j &+ 8 <= width {
                store8(add ? load8(ci + j) + load8(si + j) : load8(si + j), ci + j)
                j &+= 8
            }
            while j < width {
                ci[j] = add ? ci[j] + si[j] : si[j]
                j &+= 1
            }
            row &+= 1
        }
        i &+= rows
    }
}
