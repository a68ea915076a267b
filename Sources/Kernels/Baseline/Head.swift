// The output layer: softmax cross-entropy over tied item embeddings. Rules as in Gemm.swift.
//
// Scores are computed with items as rows and positions as columns: then the embeddings and their gradient are read and
// written as they lie, and what is summed over items is summed lane by lane.

/// Largest norm of the rows of x.
@inline(never)
package func largestNorm(_ x: UnsafePointer<Float>, _ rows: Int, _ dim: Int) -> Float {
    var largest: Float = 0
    var r = 0
    while r < rows {
        let row = x + r &* dim
        let s = dot(row, row, dim)
        // A NaN must win, so that the caller sees it.
        if !(s <= largest) { largest = s }
        r &+= 1
    }
    return largest.squareRoot()
}

/// Items between which the products change: their scores for a group of positions stay in the first-level cache.
let blockItems = 240

/// Positions rounded up to whole groups.
@inline(__always) private func whole(_ rows: Int) -> Int {
    (rows &+ panelWidth &- 1) / panelWidth &* panelWidth
}

/// hT[group][dim][panelWidth] = factor * h, zeros past the last row.
@inline(__always)
private func transposeGroups(
    _ h: UnsafePointer<Float>, _ rows: Int, _ dim: Int, _ factor: Float, _ hT: UnsafeMutablePointer<Float>
) {
    transposePanels(h, dim, rows, dim, panelWidth, hT)
    let count = whole(rows) &* dim
    var i = 0
    while i < count {
        store(load(hT + i) * splat(factor), hT + i)
        i &+= 16
    }
}

/// p[items, panelWidth] = 2^(e hT - shifts), sums += its columns.
@inline(__always)
private func expColumn(
    _ items: Int, _ dim: Int, _ e: UnsafePointer<Float>, _ hT: UnsafePointer<Float>,
    _ p: UnsafeMutablePointer<Float>, _ sums: UnsafeMutablePointer<Float>, _ shifts: UnsafePointer<Float>?
) {
    var i = 0
    #if K_AVX512
    while i &+ 12 <= items {
        expTile12x2(dim, e + i &* dim, dim, hT, 32, p + i &* 32, 32, sums, shifts)
        i &+= 12
    }
    while i < items {
        expTile1x2(dim, e + i &* dim, dim, hT, 32, p + i &* 32, 32, sums, shifts)
        i &+= 1
    }
    #else
    while i &+ 6 <= items {
        expTile6x1(dim, e + i &* dim, dim, hT, 16, p + i &* 16, 16, sums, shifts)
        i &+= 6
    }
    while i < items {
        expTile1x1(dim, e + i &* dim, dim, hT, 16, p + i &* 16, 16, sums, shifts)
        i &+= 1
    }
    #endif
}

/// de[items, dim] += Σ over groups of p[group][items, panelWidth] scaled[group, panelWidth, dim], with scaled in panels.
@inline(__always)
private func addItemGradient(
    _ items: Int, _ dim: Int, _ groups: Int, _ p: UnsafePointer<Float>, _ pGroup: Int, _ scaled: UnsafePointer<Float>,
    _ de: UnsafeMutablePointer<Float>
) {
    let columns = groups &* panelWidth
    var i = 0
    while i < items {
        var k = 0
        let tile = p + i &* panelWidth
        #if K_AVX512
        let tall = i &+ 12 <= items
        while k &+ 32 <= dim {
            let to = de + (i &* dim &+ k)
            if tall {
                groupTile12x2(groups, tile, pGroup, scaled + k &* columns, 32, to, dim)
            } else {
                groupTile1x2(groups, tile, pGroup, scaled + k &* columns, 32, to, dim)
            }
            k &+= 32
        }
        if k < dim {
            let to = de + (i &* dim &+ k)
            if tall {
                groupTile12x1(groups, tile, pGroup, scaled + k &* columns, 16, to, dim)
            } else {
                groupTile1x1(groups, tile, pGroup, scaled + k &* columns, 16, to, dim)
            }
        }
        i &+= tall ? 12 : 1
        #else
        let tall = i &+ 6 <= items
        while k < dim {
            let to = de + (i &* dim &+ k)
            if tall {
                groupTile6x1(groups, tile, pGroup, scaled + k &* columns, 16, to, dim)
            } else {
                groupTile1x1(groups, tile, pGroup, scaled + k &* columns, 16, to, dim)
            }
            k &+= 16
        }
        i &+= tall ? 6 : 1
        #endif
    }
}

/// Largest |logit| for which e^logit summed over any catalogue stays far inside the range of a float.
private let safeLogit: Float = 60

private let log2e: Float = 1.442_695_04

/// Sets what is subtracted from the scores of one group of positions, in units of log 2; false where nothing need be.
///
/// No score exceeds `bound`. While that is safe, nothing is subtracted. Beyond, bound - 60 is subtracted: nothing can
/// overflow, and a row whose target scores at least bound - 120 cannot vanish. Else, and for a NaN, the maxima are found.
@inline(__always)
private func findShifts(
    _ bound: Float, _ rows: Int, _ dim: Int, _ e: UnsafePointer<Float>, _ items: Int, _ hT: UnsafePointer<Float>,
    _ targetScores: UnsafePointer<Float>, _ p: UnsafeMutablePointer<Float>, _ shifts: UnsafeMutablePointer<Float>
) -> Bool {
    var lowest = Float.greatestFiniteMagnitude
    var r = 0
    while r < rows {
        // A NaN must win, so that the maxima are asked for.
        if !(targetScores[r] >= lowest) { lowest = targetScores[r] }
        r &+= 1
    }
    let bounded = lowest >= bound - 2 * safeLogit
    let shift = bound <= safeLogit ? 0 : bounded ? (bound - safeLogit) * log2e : -3e38
    r = 0
    while r < panelWidth {
        shifts[r] = shift
        r &+= 1
    }
    if bound <= safeLogit { return false }
    if bounded { return true }
    var start = 0
    while start < items {
        let count = items &- start < blockItems ? items &- start : blockItems
        panelProduct(count, panelWidth / 16, dim, e + start &* dim, dim, 1, hT, panelWidth, p, panelWidth, false)
        var c = 0
        while c < panelWidth {
            var largest = load(shifts + c)
            var i = 0
            while i < count {
                let score = load(p + (i &* panelWidth &+ c))
                largest = largest.replacing(with: score, where: score .> largest)
                i &+= 1
            }
            store(largest, shifts + c)
            c &+= 16
        }
        start &+= count
    }
    return true
}

/// The positions start..<end of a chunk of `rows`, start in whole groups: what depends on nothing but their own positions.
///
/// sums[r] = Σ 2^(l log2 e - shift), targetScores[r] = l_target, shifts[r] in units of log 2, dh = gradient times `scale`; and
/// for `crossEntropyItems` the probabilities before division by their sums and h over those sums.
/// Probabilities lie in groups of positions, [group][items][panelWidth]: every product streams through them.
/// probabilities: whole(rows) * items floats; hT, dhT and scaled: whole(rows) * dim; sums and shifts: whole(rows).
/// largest: largest norm of an item's embedding.
@inline(never)
package func crossEntropyPositions(
    _ start: Int, _ endRow: Int, _ h: UnsafePointer<Float>, _ rows: Int, _ dim: Int, _ e: UnsafePointer<Float>,
    _ items: Int, _ targets: UnsafePointer<Int32>, _ scale: Float, _ largest: Float, _ dh: UnsafeMutablePointer<Float>,
    _ probabilities: UnsafeMutablePointer<Float>, _ hT: UnsafeMutablePointer<Float>,
    _ dhT: UnsafeMutablePointer<Float>, _ scaled: UnsafeMutablePointer<Float>, _ sums: UnsafeMutablePointer<Float>,
    _ targetScores: UnsafeMutablePointer<Float>, _ shifts: UnsafeMutablePointer<Float>
) {
    let columns = whole(rows)
    let pGroup = items &* panelWidth
    let first = start / panelWidth
    let end = whole(endRow)
    let last = end / panelWidth
    transposeGroups(h + start &* dim, endRow &- start, dim, log2e, hT + start &* dim)
    var r = start
    while r < end {
        sums[r] = 0
        r &+= 1
    }
    r = start
    while r < endRow {
        targetScores[r] = dot(h + r &* dim, e + Int(targets[r]) &* dim, dim)
        r &+= 1
    }
    var shifted = false
    var g = first
    while g < last {
        let column = g &* panelWidth
        let count = rows &- column < panelWidth ? rows &- column : panelWidth
        let bound = largestNorm(h + column &* dim, count, dim) * largest
        let found = findShifts(
            bound, count, dim, e, items, hT + column &* dim, targetScores + column, probabilities + g &* pGroup,
            shifts + column)
        shifted = shifted || found
        g &+= 1
    }
    // Scores of a block of items, their exponentials while they are in registers, and with them while they are in the
    // first-level cache the gradient of the rows, before it is known what their sums will be.
    var item = 0
    while item < items {
        let count = items &- item < blockItems ? items &- item : blockItems
        let block = e + item &* dim
        var g = first
        while g < last {
            let p = probabilities + (g &* pGroup &+ item &* panelWidth)
            let column = g &* panelWidth
            expColumn(
                count, dim, block, hT + column &* dim, p, sums + column,
                shifted ? UnsafePointer(shifts + column) : nil)
            panelProduct(
                dim, panelWidth / 16, count, block, 1, dim, p, panelWidth, dhT + column &* dim, panelWidth, item > 0)
            g &+= 1
        }
        item &+= count
    }
    // The normaliser is folded into a copy of h, so that the probabilities are never rewritten; a copy in panels of
    // columns where those are whole vectors.
    r = start
    while r < end {
        let factor = r < rows ? scale / sums[r] : 0
        let from = h + (r < rows ? r : 0) &* dim
        var k = 0
        if dim % 16 == 0 {
            while k < dim {
                let left = dim &- k
                let width = left < panelWidth ? left : panelWidth
                let to = scaled + (k &* columns &+ r &* width)
                var c = 0
                while c < width {
                    store(r < rows ? load(from + (k &+ c)) * splat(factor) : V.zero, to + c)
                    c &+= 16
                }
                k &+= width
            }
        } else {
            while k < dim {
                scaled[r &* dim &+ k] = r < rows ? from[k] * factor : 0
                k &+= 1
            }
        }
        r &+= 1
    }
    r = start
    while r < endRow {
        let factor = scale / sums[r]
        let from = e + Int(targets[r]) &* dim
        let row = dh + r &* dim
        let column = dhT + (r / panelWidth &* panelWidth &* dim &+ r % panelWidth)
        var k = 0
        while k < dim {
            row[k] = column[k &* panelWidth] * factor - from[k] * scale
            k &+= 1
        }
        r &+= 1
    }
}

/// de of the items first..<last grows by what a chunk's `crossEntropyPositions` left; `subtractTargets` does the rest.
@inline(never)
package func crossEntropyItems(
    _ first: Int, _ last: Int, _ rows: Int, _ dim: Int, _ items: Int, _ de: UnsafeMutablePointer<Float>,
    _ probabilities: UnsafePointer<Float>, _ scaled: UnsafePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
) {
    let groups = whole(rows) / panelWidth
    let pGroup = items &* panelWidth
    let p = probabilities + first &* panelWidth
    let to = de + first &* dim
    if dim % 16 == 0 {
        addItemGradient(last &- first, dim, groups, p, pGroup, scaled, to)
    } else {
        var g = 0
        while g < groups {
            gemm(
                0, last &- first, dim, panelWidth, p + g &* pGroup, panelWidth, scaled + g &* panelWidth &* dim, dim,
                to, dim, true, scratch)
            g &+= 1
        }
    }
}

/// de[target] -= scale h for the positions whose target is one of the items first..<last.
@inline(never)
package func subtractTargets(
    _ first: Int, _ last: Int, _ h: UnsafePointer<Float>, _ rows: Int, _ dim: Int, _ targets: UnsafePointer<Int32>,
    _ scale: Float, _ de: UnsafeMutablePointer<Float>
) {
    var r = 0
    while r < rows {
        let target = Int(targets[r])
        if target >= first, target < last { accumulate(-scale, h + r &* dim, de + target &* dim, dim) }
        r &+= 1
    }
}
