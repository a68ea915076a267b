// Kernels over rows of numbers: norms, activations, dropout, optimiser. Rules as in Gemm.swift.

/// erf(|x|) complement terms (Abramowitz and Stegun 7.1.26, absolute error 1.5e-7), given e^(-x²).
@inline(__always) private func cumulative(_ x: V, _ gauss: V) -> V {
    // Φ(x) = 1 - ½ poly(t) e^(-x²/2) for x >= 0, mirrored below; t = 1 / (1 + 0.3275911 |x| / √2).
    let negative = x .< V.zero
    let magnitude = x.replacing(with: V.zero - x, where: negative)
    let t = splat(1) / fma(splat(1), magnitude, splat(0.231_641_9))
    var p = splat(1.061_405_429)
    p = fma(splat(-1.453_152_027), p, t)
    p = fma(splat(1.421_413_741), p, t)
    p = fma(splat(-0.284_496_736), p, t)
    p = fma(splat(0.254_829_592), p, t)
    let tail = splat(0.5) * p * t * gauss
    return (splat(1) - tail).replacing(with: tail, where: negative)
}

@inline(__always) private func gelu(_ x: V) -> V { x * cumulative(x, exp(splat(-0.5) * x * x)) }

@inline(__always) private func geluSlope(_ x: V) -> V {
    let gauss = exp(splat(-0.5) * x * x)
    return fma(cumulative(x, gauss), x, gauss * splat(0.398_942_280_4))
}

@inline(never)
package func addBias(_ y: UnsafeMutablePointer<Float>, _ bias: UnsafePointer<Float>, _ rows: Int, _ columns: Int) {
    var r = 0
    while r < rows {
        let row = y + r &* columns
        var c = 0
        while c &+ 16 <= columns {
            store(load(row + c) + load(bias + c), row + c)
            c &+= 16
        }
        while c < columns {
            row[c] += bias[c]
            c &+= 1
        }
        r &+= 1
    }
}

@inline(never)
package func layerNorm(
    _ x: UnsafePointer<Float>, _ gamma: UnsafePointer<Float>, _ beta: UnsafePointer<Float>, _ epsilon: Float,
    _ rows: Int, _ columns: Int, _ y: UnsafeMutablePointer<Float>, _ xhat: UnsafeMutablePointer<Float>,
    _ rstd: UnsafeMutablePointer<Float>
) {
    let whole = columns &- columns % 16
    let n = Float(columns)
    var r = 0
    while r < rows {
        let row = x + r &* columns
        var s = V.zero
        var c = 0
        while c < whole {
            s += load(row + c)
            c &+= 16
        }
        var mean = total(s)
        while c < columns {
            mean += row[c]
            c &+= 1
        }
        mean /= n
        var q = V.zero
        c = 0
        while c < whole {
            let d = load(row + c) - splat(mean)
            q = fma(q, d, d)
            c &+= 16
        }
        var variance = total(q)
        while c < columns {
            variance += (row[c] - mean) * (row[c] - mean)
            c &+= 1
        }
        let scale = 1 / (variance / n + epsilon).squareRoot()
        rstd[r] = scale
        let hat = xhat + r &* columns
        let out = y + r &* columns
        c = 0
        while c < whole {
            let h = (load(row + c) - splat(mean)) * splat(scale)
            store(h, hat + c)
            store(fma(load(beta + c), h, load(gamma + c)), out + c)
            c &+= 16
        }
        while c < columns {
            let h = (row[c] - mean) * scale
            hat[c] = h
            out[c] = h * gamma[c] + beta[c]
            c &+= 1
        }
        r &+= 1
    }
}

@inline(never)
package func layerNormBackward(
    _ dy: UnsafePointer<Float>, _ xhat: UnsafePointer<Float>, _ rstd: UnsafePointer<Float>,
    _ gamma: UnsafePointer<Float>, _ rows: Int, _ columns: Int, _ dx: UnsafeMutablePointer<Float>,
    _ dgamma: UnsafeMutablePointer<Float>, _ dbeta: UnsafeMutablePointer<Float>
) {
    let whole = columns &- columns % 16
    let n = Float(columns)
    var r = 0
    while r < rows {
        let d = dy + r &* columns
        let h = xhat + r &* columns
        let out = dx + r &* columns
        var s = V.zero
        var q = V.zero
        var c = 0
        while c < whole {
            let dv = load(d + c)
            let hv = load(h + c)
            let g = dv * load(gamma + c)
            s += g
            q = fma(q, g, hv)
            store(fma(load(dgamma + c), dv, hv), dgamma + c)
            store(load(dbeta + c) + dv, dbeta + c)
            c &+= 16
        }
        var mean = total(s)
        var along = total(q)
        while c < columns {
            let g = d[c] * gamma[c]
            mean += g
            along += g * h[c]
            dgamma[c] += d[c] * h[c]
            dbeta[c] += d[c]
            c &+= 1
        }
        mean /= n
        along /= n
        let scale = rstd[r]
        c = 0
        while c < whole {
            let g = load(d + c) * load(gamma + c) - splat(mean)
            store((g - load(h + c) * splat(along)) * splat(scale), out + c)
            c &+= 16
        }
        while c < columns {
            out[c] = (d[c] * gamma[c] - mean - h[c] * along) * scale
            c &+= 1
        }
        r &+= 1
    }
}

@inline(never)
package func biasGelu(
    _ x: UnsafeMutablePointer<Float>, _ bias: UnsafePointer<Float>, _ rows: Int, _ columns: Int,
    _ y: UnsafeMutablePointer<Float>
) {
    let whole = columns &- columns % 16
    var r = 0
    while r < rows {
        let row = x + r &* columns
        let out = y + r &* columns
        var c = 0
        while c < whole {
            let v = load(row + c) + load(bias + c)
            store(v, row + c)
            store(gelu(v), out + c)
            c &+= 16
        }
        if c < columns {
            let v = loadPart(row + c, columns &- c) + loadPart(bias + c, columns &- c)
            storePart(v, row + c, columns &- c)
            storePart(gelu(v), out + c, columns &- c)
        }
        r &+= 1
    }
}

@inline(never)
package func geluBackward(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ count: Int, _ dx: UnsafeMutablePointer<Float>
) {
    var i = 0
    while i &+ 16 <= count {
        store(load(dy + i) * geluSlope(load(x + i)), dx + i)
        i &+= 16
    }
    if i < count {
        let v = loadPart(dy + i, count &- i) * geluSlope(loadPart(x + i, count &- i))
        storePart(v, dx + i, count &- i)
    }
}

@inline(never)
package func dropoutAdd(
    _ x: UnsafePointer<Float>, _ base: UnsafePointer<Float>?, _ count: Int, _ threshold: UInt32, _ scale: Float,
    _ stream: UInt64, _ counter: UInt64, _ y: UnsafeMutablePointer<Float>
) {
    let low = UInt32(truncatingIfNeeded: stream)
    let high = UInt32(truncatingIfNeeded: stream >> 32)
    let limit = U(repeating: threshold)
    var first = UInt32(truncatingIfNeeded: counter)
    var i = 0
    while i < count {
        let left = count &- i
        let kept = hash(first, low, high) .>= limit
        let v = left >= 16 ? load(x + i) : loadPart(x + i, left)
        var out = V.zero.replacing(with: v * splat(scale), where: kept)
        if let base { out += left >= 16 ? load(base + i) : loadPart(base + i, left) }
        if left >= 16 { store(out, y + i) } else { storePart(out, y + i, left) }
        first = first &+ 16
        i &+= 16
    }
}

@inline(never)
package func adamW(
    _ p: UnsafeMutablePointer<Float>, _ g: UnsafePointer<Float>, _ m: UnsafeMutablePointer<Float>,
    _ v: UnsafeMutablePointer<Float>, _ count: Int, _ beta1: Float, _ beta2: Float, _ epsilon: Float, _ decay: Float,
    _ rate: Float, _ rootCorrection2: Float
) {
    // rate = lr / (1 - beta1^t); the second moment's correction is folded into the root.
    var i = 0
    while i &+ 16 <= count {
        let gv = load(g + i)
        let mv = fma(load(m + i) * splat(beta1), gv, splat(1 - beta1))
        let vv = fma(load(v + i) * splat(beta2), gv * gv, splat(1 - beta2))
        store(mv, m + i)
        store(vv, v + i)
        let step = mv * splat(rate) / fma(splat(epsilon), vv.squareRoot(), splat(rootCorrection2))
        store(load(p + i) * splat(decay) - step, p + i)
        i &+= 16
    }
    while i < count {
        let mi = m[i] * beta1 + g[i] * (1 - beta1)
        let vi = v[i] * beta2 + g[i] * g[i] * (1 - beta2)
        m[i] = mi
        v[i] = vi
        p[i] = p[i] * decay - mi * rate / (vi.squareRoot() * rootCorrection2 + epsilon)
        i &+= 1
    }
}

@inline(never)
package func sumOfSquares(_ x: UnsafePointer<Float>, _ count: Int) -> Double {
    // Blocks of 4096 in float, their sums in double.
    var sum = 0.0
    var i = 0
    while i < count {
        let end = count &- i < 4096 ? count : i &+ 4096
        var s = V.zero
        while i &+ 16 <= end {
            let v = load(x + i)
            s = fma(s, v, v)
            i &+= 16
        }
        var rest = total(s)
        while i < end {
            rest += x[i] * x[i]
            i &+= 1
        }
        sum += Double(rest)
    }
    return sum
}
