// The output layer: softmax and binary cross-entropy over tied item embeddings, and rank counting. Rules as in Gemm.swift.
//
// Item embeddings come packed: panels of `panelWidth` items, each [dim][panelWidth], zeros past the last item, so that
// every product streams through contiguous memory.

private typealias V = SIMD16<Float>
private typealias U = SIMD16<UInt32>

@inline(__always) private func load(_ p: UnsafePointer<Float>) -> V { UnsafeRawPointer(p).loadUnaligned(as: V.self) }

@inline(__always) private func store(_ v: V, _ p: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(p).storeBytes(of: v, as: V.self)
}

@inline(__always) private func fma(_ c: V, _ a: V, _ b: V) -> V {
    #if K_NOFMA && arch(x86_64)
    return c + a * b
    #else
    return c.addingProduct(a, b)
    #endif
}

@inline(__always) private func splat(_ x: Float) -> V { V(repeating: x) }

@inline(__always) private func total(_ v: V) -> Float {
    let a = v.lowHalf + v.highHalf
    let b = a.lowHalf + a.highHalf
    let c = b.lowHalf + b.highHalf
    return c.x + c.y
}

/// e^x to 1e-7 relative, x clamped to [-87, 88] (Cephes).
@inline(__always) private func exp(_ x: V) -> V {
    var x = x.replacing(with: splat(-87), where: x .< splat(-87))
    x = x.replacing(with: splat(88), where: x .> splat(88))
    let magic = splat(12_582_912)
    let t = fma(magic, x, splat(1.442_695_04))
    let n = t - magic
    var r = fma(x, n, splat(-0.693_359_375))
    r = fma(r, n, splat(2.121_944_40e-4))
    var p = splat(1.987_569_15e-4)
    p = fma(splat(1.398_199_95e-3), p, r)
    p = fma(splat(8.333_451_91e-3), p, r)
    p = fma(splat(4.166_579_59e-2), p, r)
    p = fma(splat(1.666_666_55e-1), p, r)
    p = fma(splat(5.000_000_12e-1), p, r)
    let y = fma(r + splat(1), p, r * r)
    let bits = (unsafeBitCast(t, to: U.self) &<< U(repeating: 23)) &+ U(repeating: 0x3f80_0000)
    return y * unsafeBitCast(bits, to: V.self)
}

@inline(__always) private func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ width: Int) -> Float {
    var s = V.zero
    var c = 0
    while c &+ 16 <= width {
        s = fma(s, load(a + c), load(b + c))
        c &+= 16
    }
    var sum = total(s)
    while c < width {
        sum += a[c] * b[c]
        c &+= 1
    }
    return sum
}

@inline(__always)
private func accumulate(_ w: Float, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ width: Int) {
    var c = 0
    while c &+ 16 <= width {
        store(fma(load(y + c), splat(w), load(x + c)), y + c)
        c &+= 16
    }
    while c < width {
        y[c] += w * x[c]
        c &+= 1
    }
}

/// Items of a block of probabilities: its rows are contiguous and lie apart by one line more, so that they do not
/// compete for the same cache sets.
private let blockItems = 256
private let blockStride = 272

/// Floats of the probabilities of one row over all items.
package func probabilityFloats(_ items: Int) -> Int { (items &+ blockItems &- 1) / blockItems &* blockStride }

@inline(never)
package func packItems(_ e: UnsafePointer<Float>, _ items: Int, _ dim: Int, _ out: UnsafeMutablePointer<Float>) {
    var start = 0
    while start < items {
        let panel = out + start &* dim
        let count = items &- start < panelWidth ? items &- start : panelWidth
        var item = 0
        while item < panelWidth {
            var k = 0
            if item < count {
                let row = e + (start &+ item) &* dim
                while k < dim {
                    panel[k &* panelWidth &+ item] = row[k]
                    k &+= 1
                }
            } else {
                while k < dim {
                    panel[k &* panelWidth &+ item] = 0
                    k &+= 1
                }
            }
            item &+= 1
        }
        start &+= panelWidth
    }
}

/// de[items, dim] += the unpacked panels.
@inline(never)
package func addUnpacked(
    _ packed: UnsafePointer<Float>, _ items: Int, _ dim: Int, _ de: UnsafeMutablePointer<Float>
) {
    var start = 0
    while start < items {
        let panel = packed + start &* dim
        let count = items &- start < panelWidth ? items &- start : panelWidth
        var item = 0
        while item < count {
            let row = de + (start &+ item) &* dim
            var k = 0
            while k < dim {
                row[k] += panel[k &* panelWidth &+ item]
                k &+= 1
            }
            item &+= 1
        }
        start &+= panelWidth
    }
}

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

/// One chunk of rows: sums[r] = Σ e^(l - shift), targetScores[r] = l_target, dh = gradient times `scale`, and the packed
/// gradient of the items grows. shifts[r] is 0 unless `findShifts`, when it becomes the row's largest logit.
@inline(never)
package func crossEntropyChunk(
    _ h: UnsafePointer<Float>, _ rows: Int, _ dim: Int, _ e: UnsafePointer<Float>, _ packed: UnsafePointer<Float>,
    _ items: Int, _ targets: UnsafePointer<Int32>, _ scale: Float, _ findShifts: Bool,
    _ dh: UnsafeMutablePointer<Float>, _ de: UnsafeMutablePointer<Float>, _ dePacked: UnsafeMutablePointer<Float>,
    _ probabilities: UnsafeMutablePointer<Float>, _ scaled: UnsafeMutablePointer<Float>,
    _ sums: UnsafeMutablePointer<Float>, _ targetScores: UnsafeMutablePointer<Float>,
    _ shifts: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
) {
    let vectors = panelWidth / 16
    var r = 0
    while r < rows {
        sums[r] = 0
        shifts[r] = findShifts ? -3e38 : 0
        targetScores[r] = dot(h + r &* dim, e + Int(targets[r]) &* dim, dim)
        r &+= 1
    }
    if findShifts {
        var start = 0
        while start < items {
            panelProduct(
                rows, vectors, dim, h, dim, 1, packed + start &* dim, panelWidth, probabilities, panelWidth, false)
            let count = items &- start < panelWidth ? items &- start : panelWidth
            r = 0
            while r < rows {
                var c = 0
                while c < count {
                    let l = probabilities[r &* panelWidth &+ c]
                    if l > shifts[r] { shifts[r] = l }
                    c &+= 1
                }
                r &+= 1
            }
            start &+= panelWidth
        }
    }
    // Logits of a panel, their exponentials while they are in the first-level cache, and the rows' sums.
    var start = 0
    while start < items {
        let block = start / blockItems
        let place = probabilities + block &* rows &* blockStride + start % blockItems
        panelProduct(rows, vectors, dim, h, dim, 1, packed + start &* dim, panelWidth, place, blockStride, false)
        let count = items &- start < panelWidth ? items &- start : panelWidth
        r = 0
        while r < rows {
            let row = place + r &* blockStride
            let shift = splat(shifts[r])
            if count == panelWidth {
                var c = 16
                let first = exp(load(row) - shift)
                store(first, row)
                var sum = first
                while c < panelWidth {
                    let p = exp(load(row + c) - shift)
                    store(p, row + c)
                    sum += p
                    c &+= 16
                }
                sums[r] += total(sum)
            } else {
                var c = 0
                while c < panelWidth {
                    store(exp(load(row + c) - shift), row + c)
                    c &+= 16
                }
                c = 0
                while c < panelWidth {
                    if c < count { sums[r] += row[c] } else { row[c] = 0 }
                    c &+= 1
                }
            }
            r &+= 1
        }
        start &+= panelWidth
    }
    // The normaliser is folded into a copy of h, so that the probabilities are never rewritten.
    r = 0
    while r < rows {
        let factor = scale / sums[r]
        let from = h + r &* dim
        let to = scaled + r &* dim
        var k = 0
        while k < dim {
            to[k] = from[k] * factor
            k &+= 1
        }
        r &+= 1
    }
    start = 0
    while start < items {
        let count = items &- start < blockItems ? items &- start : blockItems
        let block = probabilities + start / blockItems &* rows &* blockStride
        gemm(0, rows, dim, count, block, blockStride, e + start &* dim, dim, dh, dim, start > 0, scratch)
        var panel = 0
        while panel < count {
            panelProduct(
                dim, vectors, rows, scaled, 1, dim, block + panel, blockStride,
                dePacked + (start &+ panel) &* dim, panelWidth, true)
            panel &+= panelWidth
        }
        start &+= blockItems
    }
    r = 0
    while r < rows {
        let factor = scale / sums[r]
        let target = Int(targets[r])
        let from = e + target &* dim
        let row = dh + r &* dim
        var k = 0
        while k < dim {
            row[k] = row[k] * factor - from[k] * scale
            k &+= 1
        }
        accumulate(-scale, h + r &* dim, de + target &* dim, dim)
        r &+= 1
    }
}

/// ln u for u in [1, 2] (Cephes).
@inline(__always) private func logUpTo2(_ u: Float) -> Float {
    let large = u > 1.414_213_56
    let f = (large ? u * 0.5 : u) - 1
    var p: Float = 7.037_683_629e-2
    p = p * f - 1.151_461_031e-1
    p = p * f + 1.167_699_874e-1
    p = p * f - 1.242_014_085e-1
    p = p * f + 1.424_932_279e-1
    p = p * f - 1.666_805_767e-1
    p = p * f + 2.000_071_477e-1
    p = p * f - 2.499_999_399e-1
    p = p * f + 3.333_333_117e-1
    let z = f * f
    return p * f * z - 0.5 * z + f + (large ? 0.693_147_18 : 0)
}

/// Σ softplus over one target and `negatives` sampled items a row; see `Kernels.linearBinaryCrossEntropy`.
@inline(never)
package func binaryCrossEntropy(
    _ h: UnsafePointer<Float>, _ rows: Int, _ dim: Int, _ e: UnsafePointer<Float>, _ targets: UnsafePointer<Int32>,
    _ negatives: UnsafePointer<Int32>, _ perRow: Int, _ scale: Float, _ dh: UnsafeMutablePointer<Float>,
    _ de: UnsafeMutablePointer<Float>
) -> Double {
    var loss = 0.0
    var r = 0
    while r < rows {
        let hr = h + r &* dim
        let out = dh + r &* dim
        var k = 0
        while k < dim {
            out[k] = 0
            k &+= 1
        }
        var n = -1
        while n < perRow {
            let item = Int(n < 0 ? targets[r] : negatives[r &* perRow &+ n])
            let s = dot(hr, e + item &* dim, dim)
            // The loss is softplus(-s) for the target and softplus(s) for a negative.
            let x = n < 0 ? -s : s
            let magnitude = x < 0 ? -x : x
            let small = exp(splat(-magnitude))[0]
            loss += Double(logUpTo2(1 + small) + (x > 0 ? x : 0))
            let sigmoid = x > 0 ? 1 / (1 + small) : small / (1 + small)
            let slope = (n < 0 ? -sigmoid : sigmoid) * scale
            accumulate(slope, e + item &* dim, out, dim)
            accumulate(slope, hr, de + item &* dim, dim)
            n &+= 1
        }
        r &+= 1
    }
    return loss
}

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
/// tile: rows * panelWidth floats.
@inline(never)
package func rankCounts(
    _ h: UnsafePointer<Float>, _ rows: Int, _ dim: Int, _ packed: UnsafePointer<Float>, _ items: Int,
    _ thresholds: UnsafePointer<Float>, _ greater: UnsafeMutablePointer<Int32>, _ equal: UnsafeMutablePointer<Int32>,
    _ tile: UnsafeMutablePointer<Float>
) -> Bool {
    let one = SIMD16<Int32>(repeating: 1)
    var finite = V.zero
    var r = 0
    while r < rows {
        greater[r] = 0
        equal[r] = 0
        r &+= 1
    }
    var start = 0
    while start < items {
        panelProduct(
            rows, panelWidth / 16, dim, h, dim, 1, packed + start &* dim, panelWidth, tile, panelWidth, false)
        let count = items &- start < panelWidth ? items &- start : panelWidth
        r = 0
        while r < rows {
            let row = tile + r &* panelWidth
            let limit = splat(thresholds[r])
            var above = SIMD16<Int32>.zero
            var same = SIMD16<Int32>.zero
            var c = 0
            while c &+ 16 <= count {
                let s = load(row + c)
                // x - x is 0 for finite x and NaN otherwise.
                finite += s - s
                above = above.replacing(with: above &+ one, where: s .> limit)
                same = same.replacing(with: same &+ one, where: s .== limit)
                c &+= 16
            }
            if c > 0 {
                var lane = 0
                while lane < 16 {
                    greater[r] &+= above[lane]
                    equal[r] &+= same[lane]
                    lane &+= 1
                }
            }
            while c < count {
                let s = row[c]
                finite[0] += s - s
                if s > thresholds[r] { greater[r] &+= 1 }
                if s == thresholds[r] { equal[r] &+= 1 }
                c &+= 1
            }
            r &+= 1
        }
        start &+= panelWidth
    }
    return total(finite) == 0
}
