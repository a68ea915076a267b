/// The kernels the transformer core is built from: one implementation each per instruction set, chosen once.
///
/// All matrices are fp32, row major, given as a pointer to their first element and a leading dimension (floats between
/// rows). No kernel allocates; scratch comes from the caller. Every kernel has a naive twin in `Kernels.naive` that
/// defines what it computes; the variants equal it up to rounding.
package struct Kernels: Sendable {
    /// An instruction-set level; `v3` is AVX2 + FMA, `v4` AVX-512, `v2` what every x86-64 and arm64 CPU runs.
    package enum Variant: String, Sendable, CaseIterable { case naive, v2, v3, v4 }

    /// Which operand is read transposed: `nt` computes A Bᵀ, `tn` computes Aᵀ B.
    package enum Layout: Int, Sendable { case nn, nt, tn }

    /// One step's decoupled-weight-decay Adam constants; `correction1` = 1 - beta1^t, `correction2` = 1 - beta2^t.
    package struct AdamStep: Sendable {
        package var learningRate: Float
        package var beta1: Float
        package var beta2: Float
        package var epsilon: Float
        package var weightDecay: Float
        package var correction1: Float
        package var correction2: Float

        package init(
            learningRate: Float, beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float, correction1: Float,
            correction2: Float
        ) {
            self.learningRate = learningRate
            self.beta1 = beta1
            self.beta2 = beta2
            self.epsilon = epsilon
            self.weightDecay = weightDecay
            self.correction1 = correction1
            self.correction2 = correction2
        }
    }

    package typealias In = UnsafePointer<Float>
    package typealias Out = UnsafeMutablePointer<Float>

    package let variant: Variant

    /// C[m,n] = op(A) op(B) (+ C when `accumulate`).
    /// `nn`: A[m,k], B[k,n]; `nt`: A[m,k], B[n,k]; `tn`: A[k,m], B[k,n].
    package let gemm:
        @Sendable (
            _ layout: Layout, _ m: Int, _ n: Int, _ k: Int, _ a: In, _ lda: Int, _ b: In, _ ldb: Int, _ c: Out,
            _ ldc: Int, _ accumulate: Bool, _ scratch: Out
        ) -> Void

    /// y[r,c] += bias[c] for every row.
    package let addBias: @Sendable (_ y: Out, _ bias: In, _ rows: Int, _ columns: Int) -> Void

    /// sum[c] += Σ_r x[r,c].
    package let addColumnSums: @Sendable (_ x: In, _ rows: Int, _ columns: Int, _ sum: Out) -> Void

    /// y = layerNorm(x) * gamma + beta per row; writes 1/sqrt(var + epsilon) to rstd[row] and the normalised
    /// values to xhat (may alias x).
    package let layerNorm:
        @Sendable (
            _ x: In, _ gamma: In, _ beta: In, _ epsilon: Float, _ rows: Int, _ columns: Int, _ y: Out, _ xhat: Out,
            _ rstd: Out
        ) -> Void

    /// dx = gradient of layerNorm (may alias dy); dgamma and dbeta accumulate.
    package let layerNormBackward:
        @Sendable (
            _ dy: In, _ xhat: In, _ rstd: In, _ gamma: In, _ rows: Int, _ columns: Int, _ dx: Out, _ dgamma: Out,
            _ dbeta: Out
        ) -> Void

    /// y = (x + bias) Φ(x + bias), the exact (erf) GELU; x is overwritten with x + bias for the backward pass.
    package let biasGelu: @Sendable (_ x: Out, _ bias: In, _ rows: Int, _ columns: Int, _ y: Out) -> Void

    /// dx = dy * GELU'(x) (may alias dy), x as left by `biasGelu`.
    package let geluBackward: @Sendable (_ dy: In, _ x: In, _ count: Int, _ dx: Out) -> Void

    /// y[i] = (base == nil ? 0 : base[i]) + keep(stream, counter + i) * x[i] / (1 - rate).
    /// keep is a pure function of (stream, counter + i), the same in every variant: see `Dropout`. May work in place.
    /// Counters count modulo 2^32 within a stream.
    package let dropoutAdd:
        @Sendable (
            _ x: In, _ base: In?, _ count: Int, _ rate: Float, _ stream: UInt64, _ counter: UInt64, _ y: Out
        ) -> Void

    /// Causal softmax attention of one head of one sequence of `length` rows: q, k, v and out have `ld` floats
    /// between rows and `width` columns. Scores are scaled by `scale`; attention weights are dropped by `rate` with element
    /// (i, j) at counter + i * length + j. probabilities[length * length] receives the weights before dropout.
    package let attention:
        @Sendable (
            _ q: In, _ k: In, _ v: In, _ ld: Int, _ length: Int, _ width: Int, _ scale: Float, _ rate: Float,
            _ stream: UInt64, _ counter: UInt64, _ probabilities: Out, _ out: Out, _ ldOut: Int, _ scratch: Out
        ) -> Void

    /// Gradients of `attention`: dq, dk, dv (ld floats between rows) are overwritten.
    package let attentionBackward:
        @Sendable (
            _ q: In, _ k: In, _ v: In, _ ld: Int, _ length: Int, _ width: Int, _ scale: Float, _ rate: Float,
            _ stream: UInt64, _ counter: UInt64, _ probabilities: In, _ dOut: In, _ ldOut: Int, _ dq: Out, _ dk: Out,
            _ dv: Out, _ scratch: Out
        ) -> Void

    /// Softmax cross-entropy of logits = h Eᵀ, fused by row chunks: returns Σ_r -ln p(target_r), writes
    /// dh[rows,dim] = `gradientScale` * dLoss/dh and adds the same scale's gradient to de[items,dim].
    /// scratch: `crossEntropyScratch` floats. A NaN or infinity in gives a NaN out.
    package let linearCrossEntropy:
        @Sendable (
            _ h: In, _ rows: Int, _ dim: Int, _ e: In, _ items: Int, _ targets: UnsafePointer<Int32>,
            _ gradientScale: Float, _ dh: Out, _ de: Out, _ scratch: Out
        ) -> Double

    /// Binary cross-entropy: for each row the target and `negatives` sampled items; returns
    /// Σ -ln σ(s⁺) - Σ ln(1 - σ(s⁻)), writes dh and adds to de, both times `gradientScale`.
    package let linearBinaryCrossEntropy:
        @Sendable (
            _ h: In, _ rows: Int, _ dim: Int, _ e: In, _ targets: UnsafePointer<Int32>,
            _ negatives: UnsafePointer<Int32>, _ negativesPerRow: Int, _ gradientScale: Float, _ dh: Out, _ de: Out
        ) -> Double

    /// In-place AdamW on `count` parameters.
    package let adamW: @Sendable (_ p: Out, _ g: In, _ m: Out, _ v: Out, _ count: Int, _ step: AdamStep) -> Void

    /// Σ x².
    package let sumOfSquares: @Sendable (_ x: In, _ count: Int) -> Double

    /// scores[i] = <h, e[which[i]]> for `count` items, bit for bit as `rankCounts` computes them.
    package let itemScores:
        @Sendable (
            _ h: In, _ dim: Int, _ e: In, _ which: UnsafePointer<Int32>, _ count: Int, _ scores: Out
        ) -> Void

    /// For each row of h the number of items that score above its threshold, and of those equal to it, never keeping
    /// scores. False when a score is not finite. scratch: `rankScratch` floats.
    package let rankCounts:
        @Sendable (
            _ h: In, _ rows: Int, _ dim: Int, _ e: In, _ items: Int, _ thresholds: In,
            _ greater: UnsafeMutablePointer<Int32>, _ equal: UnsafeMutablePointer<Int32>, _ scratch: Out
        ) -> Bool
    /// Computes products with addition that depend on no memory, and returns how many FLOPs that were: the speed that no
    /// kernel can exceed, for benchmarks.
    package let peak: @Sendable (_ rounds: Int) -> Int
}
