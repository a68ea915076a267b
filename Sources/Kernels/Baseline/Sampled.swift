// Losses over sampled items: scores of a few items a row, slopes of the losses, and their way back. Rules as in Gemm.swift.

private typealias Lanes = SIMDMask<SIMD16<Int32>>

/// ln u for u in [1, 2] (Cephes).
@inline(__always) private func logUpTo2(_ u: V) -> V {
    let large = u .> splat(1.414_213_56)
    let f = u.replacing(with: u * splat(0.5), where: large) - splat(1)
    var p = splat(7.037_683_629e-2)
    p = fma(splat(-1.151_461_031e-1), p, f)
    p = fma(splat(1.167_699_874e-1), p, f)
    p = fma(splat(-1.242_014_085e-1), p, f)
    p = fma(splat(1.424_932_279e-1), p, f)
    p = fma(splat(-1.666_805_767e-1), p, f)
    p = fma(splat(2.000_071_477e-1), p, f)
    p = fma(splat(-2.499_999_399e-1), p, f)
    p = fma(splat(3.333_333_117e-1), p, f)
    let z = f * f
    let y = fma(fma(f, splat(-0.5), z), p * f, z)
    return y.replacing(with: y + splat(0.693_147_18), where: large)
}

@inline(__always) private func magnitude(_ x: V) -> V { x.replacing(with: V.zero - x, where: x .< V.zero) }

/// 1 / (1 + e^-x).
@inline(__always) private func stableSigmoid(_ x: V) -> V {
    let small = exp(V.zero - magnitude(x))
    let tail = small / (splat(1) + small)
    return tail.replacing(with: splat(1) / (splat(1) + small), where: x .> V.zero)
}

/// ln(1 + e^x).
@inline(__always) private func softplus(_ x: V) -> V {
    let rest = logUpTo2(splat(1) + exp(V.zero - magnitude(x)))
    return rest + V.zero.replacing(with: x, where: x .> V.zero)
}

/// Lanes of a vector that lie below `count`.
@inline(__always) private func lanes(_ count: Int) -> Lanes {
    let lane = SIMD16<Int32>(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    return lane .< SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: count < 16 ? count : 16))
}

/// targetScores[r] = <h_r, e[target_r]>, scores[r, j] = <h_r, e[negative_rj]>; see `Kernels.gatherScores`.
@inline(never)
package func gatherScores(
    _ h: UnsafePointer<Float>, _ rows: Int, _ dim: Int, _ e: UnsafePointer<Float>, _ targets: UnsafePointer<Int32>,
    _ negatives: UnsafePointer<Int32>, _ perRow: Int, _ stride: Int, _ targetScores: UnsafeMutablePointer<Float>,
    _ scores: UnsafeMutablePointer<Float>
) {
    var r = 0
    while r < rows {
        let hr = h + r &* dim
        let row = scores + r &* stride
        let which = negatives + r &* perRow
        targetScores[r] = dot(hr, e + Int(targets[r]) &* dim, dim)
        var j = 0
        while j < perRow {
            row[j] = dot(hr, e + Int(which[j]) &* dim, dim)
            j &+= 1
        }
        while j < stride {
            row[j] = 0
            j &+= 1
        }
        r &+= 1
    }
}

/// dh_r (+)= Σ slope e, de[item] += slope h_r; see `Kernels.scatterSlopes`.
@inline(never)
package func scatterSlopes(
    _ h: UnsafePointer<Float>, _ rows: Int, _ dim: Int, _ e: UnsafePointer<Float>, _ targets: UnsafePointer<Int32>,
    _ negatives: UnsafePointer<Int32>, _ perRow: Int, _ stride: Int, _ targetSlopes: UnsafePointer<Float>,
    _ slopes: UnsafePointer<Float>, _ scale: Float, _ add: Bool, _ dh: UnsafeMutablePointer<Float>,
    _ de: UnsafeMutablePointer<Float>
) {
    var r = 0
    while r < rows {
        let hr = h + r &* dim
        let out = dh + r &* dim
        if !add {
            var k = 0
            while k < dim {
                out[k] = 0
                k &+= 1
            }
        }
        var j = -1
        while j < perRow {
            let item = Int(j < 0 ? targets[r] : negatives[r &* perRow &+ j])
            let slope = (j < 0 ? targetSlopes[r] : slopes[r &* stride &+ j]) * scale
            accumulate(slope, e + item &* dim, out, dim)
            accumulate(slope, hr, de + item &* dim, dim)
            j &+= 1
        }
        r &+= 1
    }
}

/// -beta ln σ(s⁺) - Σ ln(1 - σ(s⁻)); scores become slopes; see `Kernels.pairSlopes`.
@inline(never)
package func calibratedSlopes(
    _ targetScores: UnsafeMutablePointer<Float>, _ scores: UnsafeMutablePointer<Float>, _ rows: Int, _ perRow: Int,
    _ stride: Int, _ beta: Float
) -> Double {
    var loss = 0.0
    var r = 0
    while r < rows {
        let row = scores + r &* stride
        var sum = V.zero
        var c = 0
        while c < perRow {
            let s = load(row + c)
            let live = lanes(perRow &- c)
            sum += V.zero.replacing(with: softplus(s), where: live)
            store(V.zero.replacing(with: stableSigmoid(s), where: live), row + c)
            c &+= 16
        }
        let t = splat(targetScores[r])
        loss += Double(total(sum)) + Double(beta * softplus(V.zero - t)[0])
        targetScores[r] = -beta * stableSigmoid(V.zero - t)[0]
        r &+= 1
    }
    return loss
}

/// Mean over negatives of -ln σ(s⁺ - s⁻); scores become slopes.
@inline(never)
package func bprSlopes(
    _ targetScores: UnsafeMutablePointer<Float>, _ scores: UnsafeMutablePointer<Float>, _ rows: Int, _ perRow: Int,
    _ stride: Int
) -> Double {
    let share = 1 / Float(perRow)
    var loss = 0.0
    var r = 0
    while r < rows {
        let row = scores + r &* stride
        let t = splat(targetScores[r])
        var sum = V.zero
        var slope = V.zero
        var c = 0
        while c < perRow {
            let x = load(row + c) - t
            let live = lanes(perRow &- c)
            sum += V.zero.replacing(with: softplus(x), where: live)
            let s = V.zero.replacing(with: stableSigmoid(x) * splat(share), where: live)
            slope += s
            store(s, row + c)
            c &+= 16
        }
        loss += Double(total(sum) * share)
        targetScores[r] = -total(slope)
        r &+= 1
    }
    return loss
}

/// Mean over negatives of σ(s⁻ - s⁺) + σ(s⁻²); scores become slopes.
@inline(never)
package func top1Slopes(
    _ targetScores: UnsafeMutablePointer<Float>, _ scores: UnsafeMutablePointer<Float>, _ rows: Int, _ perRow: Int,
    _ stride: Int
) -> Double {
    let share = splat(1 / Float(perRow))
    var loss = 0.0
    var r = 0
    while r < rows {
        let row = scores + r &* stride
        let t = splat(targetScores[r])
        var sum = V.zero
        var slope = V.zero
        var c = 0
        while c < perRow {
            let s = load(row + c)
            let live = lanes(perRow &- c)
            let above = stableSigmoid(s - t)
            let large = stableSigmoid(s * s)
            let pull = above * (splat(1) - above) * share
            let push = splat(2) * s * large * (splat(1) - large) * share
            sum += V.zero.replacing(with: (above + large) * share, where: live)
            slope += V.zero.replacing(with: pull, where: live)
            store(V.zero.replacing(with: pull + push, where: live), row + c)
            c &+= 16
        }
        loss += Double(total(sum))
        targetScores[r] = -total(slope)
        r &+= 1
    }
    return loss
}

@inline(__always) private func largest(_ row: UnsafePointer<Float>, _ count: Int) -> Float {
    var top = row[0]
    var j = 1
    while j < count {
        if row[j] > top { top = row[j] }
        j &+= 1
    }
    return top
}

/// Σ_j w_j (σ(s_j - s⁺) + σ(s_j²)), w the softmax over the negatives; scores become slopes.
@inline(never)
package func top1MaxSlopes(
    _ targetScores: UnsafeMutablePointer<Float>, _ scores: UnsafeMutablePointer<Float>, _ rows: Int, _ perRow: Int,
    _ stride: Int
) -> Double {
    var loss = 0.0
    var r = 0
    while r < rows {
        let row = scores + r &* stride
        let t = splat(targetScores[r])
        let top = splat(largest(row, perRow))
        var weights = V.zero
        var weighted = V.zero
        var c = 0
        while c < perRow {
            let s = load(row + c)
            let w = V.zero.replacing(with: exp(s - top), where: lanes(perRow &- c))
            weights += w
            weighted = fma(weighted, w, stableSigmoid(s - t) + stableSigmoid(s * s))
            c &+= 16
        }
        let norm = 1 / total(weights)
        let value = total(weighted) * norm
        var slope = V.zero
        c = 0
        while c < perRow {
            let s = load(row + c)
            let w = V.zero.replacing(with: exp(s - top), where: lanes(perRow &- c)) * splat(norm)
            let above = stableSigmoid(s - t)
            let large = stableSigmoid(s * s)
            let pull = above * (splat(1) - above)
            let push = splat(2) * s * large * (splat(1) - large)
            slope = fma(slope, w, pull)
            store(w * (above + large - splat(value) + pull + push), row + c)
            c &+= 16
        }
        loss += Double(value)
        targetScores[r] = -total(slope)
        r &+= 1
    }
    return loss
}

/// -ln Σ_j w_j σ(s⁺ - s_j), w the softmax over the negatives; scores become slopes. What is inside the logarithm is returned
/// in `inside`, one number a row, because logarithms live with the caller.
@inline(never)
package func bprMaxSlopes(
    _ targetScores: UnsafeMutablePointer<Float>, _ scores: UnsafeMutablePointer<Float>, _ rows: Int, _ perRow: Int,
    _ stride: Int, _ inside: UnsafeMutablePointer<Float>
) {
    var r = 0
    while r < rows {
        let row = scores + r &* stride
        let t = splat(targetScores[r])
        let top = splat(largest(row, perRow))
        var weights = V.zero
        var weighted = V.zero
        var c = 0
        while c < perRow {
            let s = load(row + c)
            let w = V.zero.replacing(with: exp(s - top), where: lanes(perRow &- c))
            weights += w
            weighted = fma(weighted, w, stableSigmoid(t - s))
            c &+= 16
        }
        let norm = 1 / total(weights)
        // As GRU4Rec's code, which adds 1e-24 inside the logarithm.
        let value = total(weighted) * norm + 1e-24
        let factor = splat(norm / value)
        var slope = V.zero
        c = 0
        while c < perRow {
            let s = load(row + c)
            let w = V.zero.replacing(with: exp(s - top), where: lanes(perRow &- c)) * factor
            let below = stableSigmoid(t - s)
            let pull = below * stableSigmoid(s - t)
            slope = fma(slope, w, pull)
            store(w * (splat(value) - below + pull), row + c)
            c &+= 16
        }
        inside[r] = value
        targetScores[r] = -total(slope)
        r &+= 1
    }
}

/// Softmax over the target and the shared negatives but those equal to it, each lowered by its correction; scores become
/// slopes. sums[r] = Σ e^(l - shift), shifts[r] the row's largest score; see `Kernels.sampledSoftmaxSlopes`.
@inline(never)
package func sampledSoftmaxSlopes(
    _ targetScores: UnsafeMutablePointer<Float>, _ scores: UnsafeMutablePointer<Float>, _ rows: Int, _ count: Int,
    _ stride: Int, _ targets: UnsafePointer<Int32>, _ negatives: UnsafePointer<Int32>,
    _ corrections: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>, _ shifts: UnsafeMutablePointer<Float>
) {
    let never = splat(-1e30)
    var r = 0
    while r < rows {
        let row = scores + r &* stride
        let target = SIMD16<Int32>(repeating: targets[r])
        var top = splat(targetScores[r])
        var c = 0
        while c < count {
            var l = never
            let live = lanes(count &- c)
            if c &+ 16 <= count {
                let items = UnsafeRawPointer(negatives + c).loadUnaligned(as: SIMD16<Int32>.self)
                l = (load(row + c) - load(corrections + c)).replacing(with: never, where: items .== target)
            } else {
                var j = 0
                while c &+ j < count {
                    if negatives[c &+ j] != targets[r] { l[j] = row[c &+ j] - corrections[c &+ j] }
                    j &+= 1
                }
            }
            l = never.replacing(with: l, where: live)
            top = top.replacing(with: l, where: l .> top)
            store(l, row + c)
            c &+= 16
        }
        var shift = top[0]
        var lane = 1
        while lane < 16 {
            if top[lane] > shift { shift = top[lane] }
            lane &+= 1
        }
        var sum = V.zero
        c = 0
        while c < count {
            let l = load(row + c)
            // exp is clamped, so that what is left out must be taken out here.
            let p = exp(l - splat(shift)).replacing(with: V.zero, where: l .<= never)
            sum += p
            store(p, row + c)
            c &+= 16
        }
        let own = exp(splat(targetScores[r] - shift))[0]
        let whole = total(sum) + own
        let norm = splat(1 / whole)
        c = 0
        while c < count {
            store(load(row + c) * norm, row + c)
            c &+= 16
        }
        sums[r] = whole
        shifts[r] = shift
        // Not own / whole - 1, which loses all digits when the target is nearly certain.
        targetScores[r] = -total(sum) / whole
        r &+= 1
    }
}

/// out[i] = e[which[i]], `dim` floats each.
@inline(never)
package func gatherRows(
    _ e: UnsafePointer<Float>, _ dim: Int, _ which: UnsafePointer<Int32>, _ count: Int,
    _ out: UnsafeMutablePointer<Float>
) {
    var i = 0
    while i < count {
        let from = e + Int(which[i]) &* dim
        let to = out + i &* dim
        var k = 0
        while k &+ 16 <= dim {
            store(load(from + k), to + k)
            k &+= 16
        }
        while k < dim {
            to[k] = from[k]
            k &+= 1
        }
        i &+= 1
    }
}

/// e[which[i]] += x[i], `dim` floats each, one after the other.
@inline(never)
package func addRows(
    _ x: UnsafePointer<Float>, _ dim: Int, _ which: UnsafePointer<Int32>, _ count: Int,
    _ e: UnsafeMutablePointer<Float>
) {
    var i = 0
    while i < count {
        accumulate(1, x + i &* dim, e + Int(which[i]) &* dim, dim)
        i &+= 1
    }
}
