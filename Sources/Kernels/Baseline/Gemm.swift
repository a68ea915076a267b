// Matrix products from register tiles. This folder is compiled three times, for three instruction sets: no imports but
// CKernels, no arrays, no generics, nothing that the linker could merge with code of another instruction set.

internal import CKernels

/// Columns of a panel: two vectors where there are 32 registers.
#if K_AVX512
package let panelWidth = 32
#else
package let panelWidth = 16
#endif

// Sizes of blocks and of scratch: CKernels.
private let innerBlock = K_INNER_BLOCK
private let blockColumns = K_BLOCK_COLUMNS
private let blockRows = K_BLOCK_ROWS
private let copiedColumns = K_COPIED_COLUMNS

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

/// scratch: K_GEMM_SCRATCH floats.
/// C[m,n] = op(A) op(B) (+ C); layout 0: A[m,k] B[k,n], 1: A[m,k] B[n,k], 2: A[k,m] B[k,n].
@inline(never)
package func gemm(
    _ layout: Int, _ m: Int, _ n: Int, _ k: Int, _ a: UnsafePointer<Float>, _ lda: Int, _ b: UnsafePointer<Float>,
    _ ldb: Int, _ c: UnsafeMutablePointer<Float>, _ ldc: Int, _ accumulate: Bool,
    _ scratch: UnsafeMutablePointer<Float>
) {
    if k == 0 {
        if !accumulate { clearResult(m, n, c, ldc) }
        return
    }
    // A tile reads 12 numbers of each row of a transposed A. Where rows lie a multiple of 1 KB apart, their lines fight for few
    // sets of the caches and are gone before the next tile wants the rest of them.
    let copies = layout == 2 && n >= 64 && lda & 255 == 0
    let copy = scratch + K_GEMM_COPY
    let mostRows = copies ? copiedColumns : blockRows
    var start = 0
    while start < k {
        let block = k &- start < innerBlock ? k &- start : innerBlock
        let add = accumulate || start > 0
        var first = 0
        while first < n {
            let end = n &- first < blockColumns ? n : first &+ blockColumns
            var i = 0
            while i < m {
                let rows = m &- i < mostRows ? m &- i : mostRows
                var ai = a + (layout == 2 ? start &* lda &+ i : i &* lda &+ start)
                let aRow = layout == 2 ? 1 : lda
                var aStep = layout == 2 ? lda : 1
                if copies {
                    copyRows(block, rows, ai, lda, copy, copiedColumns)
                    ai = UnsafePointer(copy)
                    aStep = copiedColumns
                }
                panels(
                    layout, rows, n, first, end, block, ai, aRow, aStep, b, ldb, start, i == 0, c + i &* ldc, ldc, add,
                    scratch)
                i &+= rows
            }
            first = end
        }
        start &+= block
    }
}

/// `rows` rows of the result in the columns from `first` to `end` of n, for one inner block from `start` on; `packs`: the first
/// rows, for which the panels that need it are packed.
@inline(__always)
private func panels(
    _ layout: Int, _ rows: Int, _ n: Int, _ first: Int, _ end: Int, _ block: Int, _ a: UnsafePointer<Float>,
    _ aRow: Int, _ aStep: Int, _ b: UnsafePointer<Float>, _ ldb: Int, _ start: Int, _ packs: Bool,
    _ c: UnsafeMutablePointer<Float>, _ ldc: Int, _ add: Bool, _ scratch: UnsafeMutablePointer<Float>
) {
    let spill = scratch + K_GEMM_SPILL
    var next = first
    while next < end {
        var j = next
        let left = n &- j
        var width = left < panelWidth ? left : panelWidth
        let vectors = width > 16 ? 2 : 1
        let full = vectors &* 16
        let packed = scratch + (next &- first) &* block
        next &+= width
        if width < full && !add && n >= full {
            // Once more some columns of the panel before, with the same result, rather than columns that do not exist.
            j = n &- full
            width = full
        }
        if layout != 1 && width == full {
            column(rows, vectors, block, a, aRow, aStep, b + start &* ldb + j, ldb, c + j, ldc, add)
            continue
        }
        if packs { packPanel(layout, b, ldb, start, block, j, width, full, packed) }
        if width == full {
            column(rows, vectors, block, a, aRow, aStep, packed, full, c + j, ldc, add)
        } else {
            edge(rows, vectors, width, block, a, aRow, aStep, packed, full, c + j, ldc, add, spill)
        }
    }
}

/// Clears rows of `columns` floats.
@inline(__always) private func clearResult(_ rows: Int, _ columns: Int, _ c: UnsafeMutablePointer<Float>, _ ldc: Int) {
    var i = 0
    while i < rows {
        clear(c + i &* ldc, columns)
        i &+= 1
    }
}

/// Copies rows of some columns.
@inline(__always)
private func copyRows(
    _ rows: Int, _ columns: Int, _ x: UnsafePointer<Float>, _ ld: Int, _ out: UnsafeMutablePointer<Float>, _ ldOut: Int
) {
    var i = 0
    while i < rows {
        let from = x + i &* ld
        let to = out + i &* ldOut
        var j = 0
        while j &+ 16 <= columns {
            store(load(from + j), to + j)
            j &+= 16
        }
        while j < columns {
            to[j] = from[j]
            j &+= 1
        }
        i &+= 1
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
        let rows = m &- i < K_EDGE_ROWS ? m &- i : K_EDGE_ROWS
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
