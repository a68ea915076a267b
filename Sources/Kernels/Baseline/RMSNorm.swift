// Root-mean-square norm and rotary positions, of llama. Rules as in Gemm.swift.

@inline(never)
package func rmsNorm(
    _ x: UnsafePointer<Float>, _ gamma: UnsafePointer<Float>, _ epsilon: Float, _ rows: Int, _ columns: Int,
    _ y: UnsafeMutablePointer<Float>, _ xhat: UnsafeMutablePointer<Float>, _ scales: UnsafeMutablePointer<Float>
) {
    let whole = columns &- columns % 16
    let n = Float(columns)
    var r = 0
    while r < rows {
        let row = x + r &* columns
        var q = V.zero
        var c = 0
        while c < whole {
            let v = load(row + c)
            q = fma(q, v, v)
            c &+= 16
        }
        var square = total(q)
        while c < columns {
            square += row[c] * row[c]
            c &+= 1
        }
        let scale = 1 / (square / n + epsilon).squareRoot()
        scales[r] = scale
        let hat = xhat + r &* columns
        let out = y + r &* columns
        c = 0
        while c < whole {
            let h = load(row + c) * splat(scale)
            store(h, hat + c)
            store(h * load(gamma + c), out + c)
            c &+= 16
        }
        while c < columns {
            let h = row[c] * scale
            hat[c] = h
            out[c] = h * gamma[c]
            c &+= 1
        }
        r &+= 1
    }
}

@inline(never)
package func rmsNormBackward(
    _ dy: UnsafePointer<Float>, _ xhat: UnsafePointer<Float>, _ scales: UnsafePointer<Float>,
    _ gamma: UnsafePointer<Float>, _ rows: Int, _ columns: Int, _ dx: UnsafeMutablePointer<Float>,
    _ dgamma: UnsafeMutablePointer<Float>
) {
    let whole = columns &- columns % 16
    let n = Float(columns)
    var r = 0
    while r < rows {
        let d = dy + r &* columns
        let h = xhat + r &* columns
        let out = dx + r &* columns
        var q = V.zero
        var c = 0
        while c < whole {
            let dv = load(d + c)
            let hv = load(h + c)
            q = fma(q, dv * load(gamma + c), hv)
            store(fma(load(dgamma + c), dv, hv), dgamma + c)
            c &+= 16
        }
        var along = total(q)
        while c < columns {
            along += d[c] * gamma[c] * h[c]
            dgamma[c] += d[c] * h[c]
            c &+= 1
        }
        along /= n
        let scale = scales[r]
        c = 0
        while c < whole {
            store((load(d + c) * load(gamma + c) - load(h + c) * splat(along)) * splat(scale), out + c)
            c &+= 16
        }
        while c < columns {
            out[c] = (d[c] * gamma[c] - h[c] * along) * scale
            c &+= 1
        }
        r &+= 1
    }
}

@inline(never)
package func rotary(
    _ x: UnsafeMutablePointer<Float>, _ ld: Int, _ rows: Int, _ heads: Int, _ width: Int,
    _ cosines: UnsafePointer<Float>, _ sines: UnsafePointer<Float>, _ direction: Float
) {
    let half = width / 2
    var r = 0
    while r < rows {
        let cosine = cosines + r &* half
        let sine = sines + r &* half
        var head = 0
        while head < heads {
            let low = x + r &* ld + head &* width
            let high = low + half
            var c = 0
            while c &+ 16 <= half {
                let (a, b) = (load(low + c), load(high + c))
                let (cv, sv) = (load(cosine + c), load(sine + c) * splat(direction))
                store(a * cv - b * sv, low + c)
                store(fma(b * cv, a, sv), high + c)
                c &+= 16
            }
            while c < half {
                let (a, b) = (low[c], high[c])
                let s = sine[c] * direction
                low[c] = a * cosine[c] - b * s
                high[c] = b * cosine[c] + a * s
                c &+= 1
            }
            head &+= 1
        }
        r &+= 1
    }
}
