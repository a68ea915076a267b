// Activations of gpt, llama and hstu: tanh-GELU, SiLU, SwiGLU, products. Rules as in Gemm.swift.

/// ½ x (1 + tanh z) = x σ(2 z), z = √(2/π) (x + 0.044715 x³).
@inline(__always) private func twiceInner(_ x: V) -> V {
    splat(1.595_769_121_6) * x * fma(splat(1), x * x, splat(0.044_715))
}

@inline(__always) private func geluTanh(_ x: V) -> V { x * sigmoid(twiceInner(x)) }

@inline(__always) private func geluTanhSlope(_ x: V) -> V {
    let s = sigmoid(twiceInner(x))
    let slope = splat(1.595_769_121_6) * fma(splat(1), x * x, splat(0.134_145))
    return fma(s, x * s * (splat(1) - s), slope)
}

@inline(__always) private func siluSlope(_ x: V) -> V {
    let s = sigmoid(x)
    return s * fma(splat(1), x, splat(1) - s)
}

@inline(never)
package func biasGeluTanh(
    _ x: UnsafeMutablePointer<Float>, _ bias: UnsafePointer<Float>, _ rows: Int, _ columns: Int,
    _ y: UnsafeMutablePointer<Float>
) {
    var r = 0
    while r < rows {
        let row = x + r &* columns
        let out = y + r &* columns
        var c = 0
        while c &+ 16 <= columns {
            let v = load(row + c) + load(bias + c)
            store(v, row + c)
            store(geluTanh(v), out + c)
            c &+= 16
        }
        if c < columns {
            let v = loadPart(row + c, columns &- c) + loadPart(bias + c, columns &- c)
            storePart(v, row + c, columns &- c)
            storePart(geluTanh(v), out + c, columns &- c)
        }
        r &+= 1
    }
}

@inline(never)
package func geluTanhBackward(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ count: Int, _ dx: UnsafeMutablePointer<Float>
) {
    var i = 0
    while i &+ 16 <= count {
        store(load(dy + i) * geluTanhSlope(load(x + i)), dx + i)
        i &+= 16
    }
    if i < count {
        let v = loadPart(dy + i, count &- i) * geluTanhSlope(loadPart(x + i, count &- i))
        storePart(v, dx + i, count &- i)
    }
}

@inline(never)
package func biasSilu(
    _ x: UnsafeMutablePointer<Float>, _ bias: UnsafePointer<Float>, _ rows: Int, _ columns: Int,
    _ y: UnsafeMutablePointer<Float>
) {
    var r = 0
    while r < rows {
        let row = x + r &* columns
        let out = y + r &* columns
        var c = 0
        while c &+ 16 <= columns {
            let v = load(row + c) + load(bias + c)
            store(v, row + c)
            store(v * sigmoid(v), out + c)
            c &+= 16
        }
        if c < columns {
            let v = loadPart(row + c, columns &- c) + loadPart(bias + c, columns &- c)
            storePart(v, row + c, columns &- c)
            storePart(v * sigmoid(v), out + c, columns &- c)
        }
        r &+= 1
    }
}

@inline(never)
package func siluBackward(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ count: Int, _ dx: UnsafeMutablePointer<Float>
) {
    var i = 0
    while i &+ 16 <= count {
        store(load(dy + i) * siluSlope(load(x + i)), dx + i)
        i &+= 16
    }
    if i < count {
        let v = loadPart(dy + i, count &- i) * siluSlope(loadPart(x + i, count &- i))
        storePart(v, dx + i, count &- i)
    }
}

@inline(never)
package func swiGLU(_ x: UnsafePointer<Float>, _ rows: Int, _ columns: Int, _ y: UnsafeMutablePointer<Float>) {
    var r = 0
    while r < rows {
        let gate = x + 2 &* r &* columns
        let up = gate + columns
        let out = y + r &* columns
        var c = 0
        while c &+ 16 <= columns {
            let g = load(gate + c)
            store(g * sigmoid(g) * load(up + c), out + c)
            c &+= 16
        }
        if c < columns {
            let g = loadPart(gate + c, columns &- c)
            storePart(g * sigmoid(g) * loadPart(up + c, columns &- c), out + c, columns &- c)
        }
        r &+= 1
    }
}

@inline(never)
package func swiGLUBackward(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ rows: Int, _ columns: Int,
    _ dx: UnsafeMutablePointer<Float>
) {
    var r = 0
    while r < rows {
        let gate = x + 2 &* r &* columns
        let up = gate + columns
        let slope = dy + r &* columns
        let dGate = dx + 2 &* r &* columns
        let dUp = dGate + columns
        var c = 0
        while c &+ 16 <= columns {
            let g = load(gate + c)
            let d = load(slope + c)
            store(d * load(up + c) * siluSlope(g), dGate + c)
            store(d * g * sigmoid(g), dUp + c)
            c &+= 16
        }
        if c < columns {
            let left = columns &- c
            let g = loadPart(gate + c, left)
            let d = loadPart(slope + c, left)
            storePart(d * loadPart(up + c, left) * siluSlope(g), dGate + c, left)
            storePart(d * g * sigmoid(g), dUp + c, left)
        }
        r &+= 1
    }
}

@inline(never)
package func multiply(
    _ a: UnsafePointer<Float>, _ lda: Int, _ b: UnsafePointer<Float>, _ ldb: Int, _ rows: Int, _ columns: Int,
    _ y: UnsafeMutablePointer<Float>, _ ldy: Int
) {
    var r = 0
    while r < rows {
        let first = a + r &* lda
        let second = b + r &* ldb
        let out = y + r &* ldy
        var c = 0
        while c &+ 16 <= columns {
            store(load(first + c) * load(second + c), out + c)
            c &+= 16
        }
        while c < columns {
            out[c] = first[c] * second[c]
            c &+= 1
        }
        r &+= 1
    }
}
