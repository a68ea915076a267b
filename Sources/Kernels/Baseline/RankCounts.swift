// How many items score above a target: scores are counted while they are in registers. Rules as in Gemm.swift.

/// scores[i] = <h, e[which[i]]>, summed in the order of the panels, so that equal products compare equal.
@inline(never)
package func itemScores(
    _ h: UnsafePointer<Float>, _ dim: Int, _ e: UnsafePointer<Float>, _ which: UnsafePointer<Int32>, _ count: Int,
    _ scores: UnsafeMutablePointer<Float>
) {
    var i = 0
    while i < count {
        let row = e + Int(which[i]) &* dim
        var s: Float = 0
        var k = 0
        while k < dim {
            #if K_NOFMA && arch(x86_64)
            s = s + h[k] * row[k]
            #else
            s = s.addingProduct(h[k], row[k])
            #endif
            k &+= 1
        }
        scores[i] = s
        i &+= 1
    }
}

/// For each row the items that score above its threshold and those equal to it; false when a score is not finite.
/// scratch: k_rank_scratch floats.
@inline(never)
package func rankCounts(
    _ h: UnsafePointer<Float>, _ rows: Int, _ dim: Int, _ e: UnsafePointer<Float>, _ items: Int,
    _ thresholds: UnsafePointer<Float>, _ greater: UnsafeMutablePointer<Int32>, _ equal: UnsafeMutablePointer<Int32>,
    _ scratch: UnsafeMutablePointer<Float>
) -> Bool {
    if rows == 1 { return countOne(h, dim, e, items, thresholds[0], greater, equal, scratch) }
    // Few rows: one vector of them.
    let width = rows <= 16 ? 16 : panelWidth
    let columns = (rows &+ width &- 1) / width &* width
    let hT = scratch
    let limits = hT + columns &* dim
    let finite = limits + columns
    let counts = UnsafeMutableRawPointer(finite + 16).assumingMemoryBound(to: Int32.self)
    transposePanels(h, dim, rows, dim, width, hT)
    store(V.zero, finite)
    var r = 0
    while r < columns {
        limits[r] = r < rows ? thresholds[r] : 0
        counts[r] = 0
        counts[columns &+ r] = 0
        r &+= 1
    }
    var start = 0
    while start < items {
        let count = items &- start < blockItems ? items &- start : blockItems
        var g = 0
        while g < columns {
            countColumn(
                count, width, dim, e + start &* dim, hT + g &* dim, limits + g, counts + g, counts + (columns &+ g),
                finite)
            g &+= width
        }
        start &+= count
    }
    r = 0
    while r < rows {
        greater[r] = counts[r]
        equal[r] = counts[columns &+ r]
        r &+= 1
    }
    return total(load(finite)) == 0
}

@inline(__always)
private func countColumn(
    _ items: Int, _ width: Int, _ dim: Int, _ e: UnsafePointer<Float>, _ hT: UnsafePointer<Float>,
    _ limits: UnsafePointer<Float>, _ greater: UnsafeMutablePointer<Int32>, _ equal: UnsafeMutablePointer<Int32>,
    _ finite: UnsafeMutablePointer<Float>
) {
    var i = 0
    #if K_AVX512
    if width == 32 {
        while i &+ 12 <= items {
            countTile12x2(dim, e + i &* dim, dim, hT, 32, limits, greater, equal, finite)
            i &+= 12
        }
        while i < items {
            countTile1x2(dim, e + i &* dim, dim, hT, 32, limits, greater, equal, finite)
            i &+= 1
        }
        return
    }
    while i &+ 12 <= items {
        countTile12x1(dim, e + i &* dim, dim, hT, 16, limits, greater, equal, finite)
        i &+= 12
    }
    #else
    while i &+ 6 <= items {
        countTile6x1(dim, e + i &* dim, dim, hT, 16, limits, greater, equal, finite)
        i &+= 6
    }
    #endif
    while i < items {
        countTile1x1(dim, e + i &* dim, dim, hT, 16, limits, greater, equal, finite)
        i &+= 1
    }
}
