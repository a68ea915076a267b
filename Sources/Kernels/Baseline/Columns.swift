// Sums over the rows of some columns. Rules as in Gemm.swift.
//
// A column is summed from its first row to its last, so that its bits do not depend on the columns beside it.

/// sum[c] += x[0, c] + x[1, c] + ...; ld floats between rows.
@inline(never)
package func addColumnSums(
    _ x: UnsafePointer<Float>, _ rows: Int, _ ld: Int, _ columns: Int, _ sum: UnsafeMutablePointer<Float>
) {
    var c = 0
    while c &+ 16 <= columns {
        var s = load(sum + c)
        var r = 0
        while r < rows {
            s += load(x + r &* ld + c)
            r &+= 1
        }
        store(s, sum + c)
        c &+= 16
    }
    while c < columns {
        var s = sum[c]
        var r = 0
        while r < rows {
            s += x[r &* ld &+ c]
            r &+= 1
        }
        sum[c] = s
        c &+= 1
    }
}

/// products[c] += x[0, c] y[0, c] + ..., sums[c] += x[0, c] + ...; ld floats between rows.
@inline(never)
package func addColumnProducts(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ rows: Int, _ ld: Int, _ columns: Int,
    _ products: UnsafeMutablePointer<Float>, _ sums: UnsafeMutablePointer<Float>
) {
    var c = 0
    while c &+ 16 <= columns {
        var p = load(products + c)
        var s = load(sums + c)
        var r = 0
        while r < rows {
            let v = load(x + r &* ld + c)
            p = fma(p, v, load(y + r &* ld + c))
            s += v
            r &+= 1
        }
        store(p, products + c)
        store(s, sums + c)
        c &+= 16
    }
    while c < columns {
        var p = products[c]
        var s = sums[c]
        var r = 0
        while r < rows {
            let v = x[r &* ld &+ c]
            p += v * y[r &* ld &+ c]
            s += v
            r &+= 1
        }
        products[c] = p
        sums[c] = s
        c &+= 1
    }
}
