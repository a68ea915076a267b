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

    /// A loss of a target's score s⁺ against the scores s of a row's negatives, w their softmax.
    package enum PairLoss: Int, Sendable, CaseIterable {
        /// -beta ln σ(s⁺) - Σ ln(1 - σ(s)): arXiv 2308.07192, binary cross-entropy where beta is 1.
        case calibrated
        /// Mean of -ln σ(s⁺ - s): Rendle et al. 2009.
        case bpr
        /// Mean of σ(s - s⁺) + σ(s²): arXiv 1511.06939.
        case top1
        /// -ln Σ w σ(s⁺ - s), and Σ w (σ(s - s⁺) + σ(s²)): arXiv 1706.03847.
        case bprMax, top1Max
    }

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
            (self.learningRate, self.beta1, self.beta2, self.epsilon) = (learningRate, beta1, beta2, epsilon)
            (self.weightDecay, self.correction1, self.correction2) = (weightDecay, correction1, correction2)
        }
    }

    package typealias In = UnsafePointer<Float>
    package typealias Out = UnsafeMutablePointer<Float>

    package var variant: Variant

    /// C[m,n] = op(A) op(B) (+ C when `accumulate`).
    /// `nn`: A[m,k], B[k,n]; `nt`: A[m,k], B[n,k]; `tn`: A[k,m], B[k,n].
    package var gemm:
        @Sendable (
            _ layout: Layout, _ m: Int, _ n: Int, _ k: Int, _ a: In, _ lda: Int, _ b: In, _ ldb: Int, _ c: Out,
            _ ldc: Int, _ accumulate: Bool, _ scratch: Out
        ) -> Void

    /// y[r,c] += bias[c] for every row.
    package var addBias: @Sendable (_ y: Out, _ bias: In, _ rows: Int, _ columns: Int) -> Void

    /// sum[c] += Σ_r x[r,c]; ld floats between rows.
    package var addColumnSums: @Sendable (_ x: In, _ rows: Int, _ ld: Int, _ columns: Int, _ sum: Out) -> Void

    /// products[c] += Σ_r x[r,c] y[r,c], sums[c] += Σ_r x[r,c]; ld floats between rows of both.
    package var addColumnProducts:
        @Sendable (
            _ x: In, _ y: In, _ rows: Int, _ ld: Int, _ columns: Int, _ products: Out, _ sums: Out
        ) -> Void

    /// y = layerNorm(x) * gamma + beta per row; writes 1/sqrt(var + epsilon) to rstd[row] and the normalised
    /// values to xhat (may alias x).
    package var layerNorm:
        @Sendable (
            _ x: In, _ gamma: In, _ beta: In, _ epsilon: Float, _ rows: Int, _ columns: Int, _ y: Out, _ xhat: Out,
            _ rstd: Out
        ) -> Void

    /// dx = gradient of layerNorm (may alias dy); dgamma and dbeta accumulate.
    package var layerNormBackward:
        @Sendable (
            _ dy: In, _ xhat: In, _ rstd: In, _ gamma: In, _ rows: Int, _ columns: Int, _ dx: Out, _ dgamma: Out,
            _ dbeta: Out
        ) -> Void

    /// y = (x + bias) Φ(x + bias), the exact (erf) GELU; x is overwritten with x + bias for the backward pass.
    package var biasGelu: @Sendable (_ x: Out, _ bias: In, _ rows: Int, _ columns: Int, _ y: Out) -> Void

    /// dx = dy * GELU'(x) (may alias dy or x), x as left by `biasGelu`.
    package var geluBackward: @Sendable (_ dy: In, _ x: In, _ count: Int, _ dx: Out) -> Void

    /// y[i] = (base == nil ? 0 : base[i]) + keep(stream, counter + i) * x[i] / (1 - rate).
    /// keep is a pure function of (stream, counter + i), the same in every variant: see `Dropout`. May work in place.
    /// Counters count modulo 2^32 within a stream.
    package var dropoutAdd:
        @Sendable (
            _ x: In, _ base: In?, _ count: Int, _ rate: Float, _ stream: UInt64, _ counter: UInt64, _ y: Out
        ) -> Void

    /// Causal softmax attention of one head of one sequence of `length` rows: q, k, v and out have `ld` floats
    /// between rows and `width` columns. Scores are scaled by `scale`; attention weights are dropped by `rate` with element
    /// (i, j) at counter + i * length + j. probabilities[length * length] receives the weights before dropout.
    package var attention:
        @Sendable (
            _ q: In, _ k: In, _ v: In, _ ld: Int, _ length: Int, _ width: Int, _ scale: Float, _ rate: Float,
            _ stream: UInt64, _ counter: UInt64, _ probabilities: Out, _ out: Out, _ ldOut: Int, _ scratch: Out
        ) -> Void

    /// Gradients of `attention`: dq, dk, dv (ld floats between rows) are overwritten.
    package var attentionBackward:
        @Sendable (
            _ q: In, _ k: In, _ v: In, _ ld: Int, _ length: Int, _ width: Int, _ scale: Float, _ rate: Float,
            _ stream: UInt64, _ counter: UInt64, _ probabilities: In, _ dOut: In, _ ldOut: Int, _ dq: Out, _ dk: Out,
            _ dv: Out, _ scratch: Out
        ) -> Void

    /// `attention` of short sequences in packs, all heads: q, k and v have `ld` floats between rows and a head's `width`
    /// columns beside the next head's. Nothing is kept for the backward pass. The scale is positive.
    /// scratch: `shortAttentionScratch` floats.
    package var shortAttention:
        @Sendable (
            _ q: In, _ k: In, _ v: In, _ ld: Int, _ heads: Int, _ width: Int, _ packs: ShortPacks.Part,
            _ scale: Float, _ rate: Float, _ stream: UInt64, _ out: Out, _ ldOut: Int, _ scratch: Out
        ) -> Void

    /// Gradients of `shortAttention`: dq, dk, dv (ld floats between rows) are overwritten.
    package var shortAttentionBackward:
        @Sendable (
            _ q: In, _ k: In, _ v: In, _ ld: Int, _ heads: Int, _ width: Int, _ packs: ShortPacks.Part,
            _ scale: Float, _ rate: Float, _ stream: UInt64, _ dOut: In, _ ldOut: Int, _ dq: Out, _ dk: Out,
            _ dv: Out, _ scratch: Out
        ) -> Void

    /// Softmax cross-entropy of logits = h Eᵀ, fused by row chunks: returns Σ_r -ln p(target_r), writes
    /// dh[rows,dim] = `gradientScale` * dLoss/dh and adds the same scale's gradient to de[items,dim].
    /// scratch: `crossEntropyScratch` floats. A NaN or infinity in gives a NaN out.
    package var linearCrossEntropy:
        @Sendable (
            _ h: In, _ rows: Int, _ dim: Int, _ e: In, _ items: Int, _ targets: UnsafePointer<Int32>,
            _ gradientScale: Float, _ dh: Out, _ de: Out, _ scratch: Out
        ) -> Double

    /// Binary cross-entropy: for each row the target and `negatives` sampled items; returns
    /// Σ -ln σ(s⁺) - Σ ln(1 - σ(s⁻)), writes dh and adds to de, both times `gradientScale`.
    package var linearBinaryCrossEntropy:
        @Sendable (
            _ h: In, _ rows: Int, _ dim: Int, _ e: In, _ targets: UnsafePointer<Int32>,
            _ negatives: UnsafePointer<Int32>, _ negativesPerRow: Int, _ gradientScale: Float, _ dh: Out, _ de: Out
        ) -> Double

    /// In-place AdamW on `count` parameters.
    package var adamW: @Sendable (_ p: Out, _ g: In, _ m: Out, _ v: Out, _ count: Int, _ step: AdamStep) -> Void

    /// Σ x².
    package var sumOfSquares: @Sendable (_ x: In, _ count: Int) -> Double

    /// scores[i] = <h, e[which[i]]> for `count` items, bit for bit as `rankCounts` computes them.
    package var itemScores:
        @Sendable (
            _ h: In, _ dim: Int, _ e: In, _ which: UnsafePointer<Int32>, _ count: Int, _ scores: Out
        ) -> Void

    /// For each row of h the number of items that score above its threshold, and of those equal to it, never keeping
    /// scores. False when a score is not finite. scratch: `rankScratch` floats.
    package var rankCounts:
        @Sendable (
            _ h: In, _ rows: Int, _ dim: Int, _ e: In, _ items: Int, _ thresholds: In,
            _ greater: UnsafeMutablePointer<Int32>, _ equal: UnsafeMutablePointer<Int32>, _ scratch: Out
        ) -> Bool

    /// y = x / sqrt(mean(x²) + epsilon) * gamma per row; writes the factor to scales[row] and the scaled values before gamma
    /// to xhat (may alias x).
    package var rmsNorm:
        @Sendable (
            _ x: In, _ gamma: In, _ epsilon: Float, _ rows: Int, _ columns: Int, _ y: Out, _ xhat: Out, _ scales: Out
        ) -> Void

    /// dx = gradient of rmsNorm (may alias dy); dgamma accumulates.
    package var rmsNormBackward:
        @Sendable (
            _ dy: In, _ xhat: In, _ scales: In, _ gamma: In, _ rows: Int, _ columns: Int, _ dx: Out, _ dgamma: Out
        ) -> Void

    /// y = GELU(x + bias) in its tanh form; x is overwritten with x + bias for the backward pass.
    package var biasGeluTanh: @Sendable (_ x: Out, _ bias: In, _ rows: Int, _ columns: Int, _ y: Out) -> Void

    /// dx = dy * GELU'(x) of the tanh form (may alias dy or x), x as left by `biasGeluTanh`.
    package var geluTanhBackward: @Sendable (_ dy: In, _ x: In, _ count: Int, _ dx: Out) -> Void

    /// y = (x + bias) σ(x + bias); x is overwritten with x + bias for the backward pass.
    package var biasSilu: @Sendable (_ x: Out, _ bias: In, _ rows: Int, _ columns: Int, _ y: Out) -> Void

    /// dx = dy * SiLU'(x) (may alias dy), x as left by `biasSilu`.
    package var siluBackward: @Sendable (_ dy: In, _ x: In, _ count: Int, _ dx: Out) -> Void

    /// y[rows,columns] = SiLU(gate) * up, where a row of x is gate[columns], up[columns].
    package var swiGLU: @Sendable (_ x: In, _ rows: Int, _ columns: Int, _ y: Out) -> Void

    /// Gradient of `swiGLU`: dx[rows, 2 columns] (may alias x) from dy[rows, columns].
    package var swiGLUBackward: @Sendable (_ dy: In, _ x: In, _ rows: Int, _ columns: Int, _ dx: Out) -> Void

    /// y[r,c] = a[r,c] b[r,c], each with its own floats between rows; may work in place.
    package var multiply:
        @Sendable (
            _ a: In, _ lda: Int, _ b: In, _ ldb: Int, _ rows: Int, _ columns: Int, _ y: Out, _ ldy: Int
        ) -> Void

    /// Turns each head's `width` columns of x in place: columns c and c + width / 2 of row r by the angle whose cosine and
    /// sine stand at [r, c] of the tables (width / 2 columns), backwards when `direction` is -1 instead of 1.
    package var rotary:
        @Sendable (
            _ x: Out, _ ld: Int, _ rows: Int, _ heads: Int, _ width: Int, _ cosines: In, _ sines: In,
            _ direction: Float
        ) -> Void

    /// Causal pointwise attention of one head of one sequence: s = q kᵀ + bias, out = scale SiLU(s) v. `bias` and `scores`
    /// are [length, length], of which the lower triangle is read and written; scores receives s.
    /// scratch: `attentionScratch` floats.
    package var pointwiseAttention:
        @Sendable (
            _ q: In, _ k: In, _ v: In, _ ld: Int, _ length: Int, _ width: Int, _ bias: In, _ scale: Float,
            _ scores: Out, _ out: Out, _ ldOut: Int, _ scratch: Out
        ) -> Void

    /// Gradients of `pointwiseAttention`: dq, dk, dv (ld floats between rows) are overwritten, dBias accumulates.
    package var pointwiseAttentionBackward:
        @Sendable (
            _ q: In, _ k: In, _ v: In, _ ld: Int, _ length: Int, _ width: Int, _ scale: Float, _ scores: In,
            _ dOut: In, _ ldOut: Int, _ dq: Out, _ dk: Out, _ dv: Out, _ dBias: Out, _ scratch: Out
        ) -> Void

    /// Softmax attention of one query over all `length` keys, without dropout: out[width]. k and v have `ld` floats between rows.
    /// scratch: length + 16 floats.
    package var newestAttention:
        @Sendable (
            _ q: In, _ k: In, _ v: In, _ ld: Int, _ length: Int, _ width: Int, _ scale: Float, _ out: Out,
            _ scratch: Out
        ) -> Void

    /// Pointwise attention of one query over all `length` keys: out[width] = scale Σ SiLU(q k_j + bias[j]) v_j.
    /// scratch: length + 16 floats.
    package var newestPointwiseAttention:
        @Sendable (
            _ q: In, _ k: In, _ v: In, _ ld: Int, _ length: Int, _ width: Int, _ bias: In, _ scale: Float, _ out: Out,
            _ scratch: Out
        ) -> Void

    /// `pointwiseAttention` of short sequences in packs, as `shortAttention`. bias[pack, distance, position] has
    /// `ShortPacks.plane` floats a pack, of which those within reach are read.
    package var shortPointwiseAttention:
        @Sendable (
            _ q: In, _ k: In, _ v: In, _ ld: Int, _ heads: Int, _ width: Int, _ packs: ShortPacks.Part, _ bias: In,
            _ scale: Float, _ out: Out, _ ldOut: Int, _ scratch: Out
        ) -> Void

    /// Gradients of `shortPointwiseAttention`: dq, dk, dv and, within reach, dBias (laid out as bias) are overwritten.
    package var shortPointwiseAttentionBackward:
        @Sendable (
            _ q: In, _ k: In, _ v: In, _ ld: Int, _ heads: Int, _ width: Int, _ packs: ShortPacks.Part, _ bias: In,
            _ scale: Float, _ dOut: In, _ ldOut: Int, _ dq: Out, _ dk: Out, _ dv: Out, _ dBias: Out, _ scratch: Out
        ) -> Void

    /// targetScores[r] = <h_r, e[targets[r]]>; scores[r, j] = <h_r, e[negatives[r, j]]>, `stride` floats between rows, which is
    /// a multiple of 16 and at least `perRow`; the rest of a row becomes 0.
    package var gatherScores:
        @Sendable (
            _ h: In, _ rows: Int, _ dim: Int, _ e: In, _ targets: UnsafePointer<Int32>,
            _ negatives: UnsafePointer<Int32>, _ perRow: Int, _ stride: Int, _ targetScores: Out, _ scores: Out
        ) -> Void

    /// Returns the summed loss of rows of scores as `gatherScores` leaves them, and overwrites the scores with their slopes.
    /// `perRow` is at least 1; `beta` is for `calibrated`. scratch: rows floats.
    package var pairSlopes:
        @Sendable (
            _ loss: PairLoss, _ beta: Float, _ targetScores: Out, _ scores: Out, _ rows: Int, _ perRow: Int,
            _ stride: Int, _ scratch: Out
        ) -> Double

    /// The way back of `gatherScores`: dh_r = (or += with `add`) scale Σ slope e, de[item] += scale slope h_r.
    package var scatterSlopes:
        @Sendable (
            _ h: In, _ rows: Int, _ dim: Int, _ e: In, _ targets: UnsafePointer<Int32>,
            _ negatives: UnsafePointer<Int32>, _ perRow: Int, _ stride: Int, _ targetSlopes: In, _ slopes: In,
            _ scale: Float, _ add: Bool, _ dh: Out, _ de: Out
        ) -> Void

    /// Softmax cross-entropy of each row's target against `count` negatives that all rows share:
    /// Σ_r ln( e^(s⁺ - s⁺) + Σ_j e^(s_j - corrections[j] - s⁺) ), over the j that are not the row's target. Scores become slopes.
    /// `stride` as in `gatherScores`; scratch: 2 rows floats.
    package var sampledSoftmaxSlopes:
        @Sendable (
            _ targetScores: Out, _ scores: Out, _ rows: Int, _ count: Int, _ stride: Int,
            _ targets: UnsafePointer<Int32>, _ negatives: UnsafePointer<Int32>, _ corrections: In, _ scratch: Out
        ) -> Double

    /// out[i] = e[which[i]], rows of `dim` floats.
    package var gatherRows:
        @Sendable (_ e: In, _ dim: Int, _ which: UnsafePointer<Int32>, _ count: Int, _ out: Out) -> Void

    /// e[which[i]] += x[i], rows of `dim` floats; a row may occur many times.
    package var addRows: @Sendable (_ x: In, _ dim: Int, _ which: UnsafePointer<Int32>, _ count: Int, _ e: Out) -> Void

    /// x[which[i]] = 0, rows of `dim` floats.
    package var clearRows: @Sendable (_ x: Out, _ dim: Int, _ which: UnsafePointer<Int32>, _ count: Int) -> Void

    /// `adamW` on `count` different rows of `dim` floats.
    package var adamWRows:
        @Sendable (
            _ p: Out, _ g: In, _ m: Out, _ v: Out, _ dim: Int, _ which: UnsafePointer<Int32>, _ count: Int,
            _ step: AdamStep
        ) -> Void

    /// What AdamW steps without a gradient do to rows, at once, with five factors f for each row:
    /// p = p f0 - m f1 / (√v + f2), m = m f3, v = v f4.
    package var catchUpRows:
        @Sendable (
            _ p: Out, _ m: Out, _ v: Out, _ dim: Int, _ which: UnsafePointer<Int32>, _ count: Int, _ factors: In
        ) -> Void

    /// Computes products with addition that depend on no memory, and returns how many FLOPs that were: the speed that no
    /// kernel can exceed, for benchmarks.
    package var peak: @Sendable (_ rounds: Int) -> Int
}
