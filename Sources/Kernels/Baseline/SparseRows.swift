// The optimiser on chosen rows of a matrix: what a step costs then depends on the rows it touched. Rules as in Gemm.swift.

/// AdamW on rows; the arguments after `count` as in `adamW`.
@inline(never)
package func adamWRows(
    _ p: UnsafeMutablePointer<Float>, _ g: UnsafePointer<Float>, _ m: UnsafeMutablePointer<Float>,
    _ v: UnsafeMutablePointer<Float>, _ dim: Int, _ which: UnsafePointer<Int32>, _ count: Int, _ beta1: Float,
    _ beta2: Float, _ epsilon: Float, _ decay: Float, _ rate: Float, _ rootCorrection2: Float
) {
    var i = 0
    while i < count {
        let start = Int(which[i]) &* dim
        let (pr, gr, mr, vr) = (p + start, g + start, m + start, v + start)
        var k = 0
        while k &+ 16 <= dim {
            let gv = load(gr + k)
            let mv = fma(load(mr + k) * splat(beta1), gv, splat(1 - beta1))
            let vv = fma(load(vr + k) * splat(beta2), gv * gv, splat(1 - beta2))
            store(mv, mr + k)
            store(vv, vr + k)
            let step = mv * splat(rate) / fma(splat(epsilon), vv.squareRoot(), splat(rootCorrection2))
            store(load(pr + k) * splat(decay) - step, pr + k)
            k &+= 16
        }
        while k < dim {
            let mi = mr[k] * beta1 + gr[k] * (1 - beta1)
            let vi = vr[k] * beta2 + gr[k] * gr[k] * (1 - beta2)
            mr[k] = mi
            vr[k] = vi
            pr[k] = pr[k] * decay - mi * rate / (vi.squareRoot() * rootCorrection2 + epsilon)
            k &+= 1
        }
        i &+= 1
    }
}

/// What steps without a gradient do to rows, at once; see `Kernels.catchUpRows`.
@inline(never)
package func catchUpRows(
    _ p: UnsafeMutablePointer<Float>, _ m: UnsafeMutablePointer<Float>, _ v: UnsafeMutablePointer<Float>, _ dim: Int,
    _ which: UnsafePointer<Int32>, _ count: Int, _ factors: UnsafePointer<Float>
) {
    var i = 0
    while i < count {
        let start = Int(which[i]) &* dim
        let (pr, mr, vr) = (p + start, m + start, v + start)
        let f = factors + 5 &* i
        var k = 0
        while k &+ 16 <= dim {
            let mv = load(mr + k)
            let vv = load(vr + k)
            let step = mv * splat(f[1]) / (vv.squareRoot() + splat(f[2]))
            store(load(pr + k) * splat(f[0]) - step, pr + k)
            store(mv * splat(f[3]), mr + k)
            store(vv * splat(f[4]), vr + k)
            k &+= 16
        }
        while k < dim {
            pr[k] = pr[k] * f[0] - mr[k] * f[1] / (vr[k].squareRoot() + f[2])
            mr[k] *= f[3]
            vr[k] *= f[4]
            k &+= 1
        }
        i &+= 1
    }
}

/// x[which[i]] = 0, `dim` floats each.
@inline(never)
package func clearRows(_ x: UnsafeMutablePointer<Float>, _ dim: Int, _ which: UnsafePointer<Int32>, _ count: Int) {
    var i = 0
    while i < count {
        let row = x + Int(which[i]) &* dim
        var k = 0
        while k &+ 16 <= dim {
            store(V.zero, row + k)
            k &+= 16
        }
        while k < dim {
            row[k] = 0
            k &+= 1
        }
        i &+= 1
    }
}
