internal import Domain
internal import Glibc

/// What AdamW steps without a gradient do to a parameter, in closed form.
///
/// A row whose gradient is zero from step s + 1 to t decays m by beta1 and v by beta2 each step, and moves by
///
///     Σ_i a(s+i) r^i m / (√v + epsilon √c2(s+i) beta2^(-i/2)),   a(k) = rate(k) √c2(k) / c1(k),   r = beta1 / √beta2
///
/// with c1, c2 the bias corrections of step k. The sum is m G / (√v + epsilon E), exact in the first order of epsilon, where G
/// is the sum of a r^i and E the mean of what multiplies epsilon under these weights. Weight decay multiplies what was there.
struct CatchUp {
    private let options: TrainingOptions
    private let rate: LearningRate
    /// Of the learning rate of item embeddings; leaves rate times decay as it is.
    private let factor: Double
    private let ratio: Double
    /// Steps after which what is left of the sum is below 1e-8 of it.
    private let horizon: Int
    /// The factors for lags 0...horizon from the current step, five each.
    private var near: [Float] = []
    /// The same from step s to s + horizon, by s: after it the sum no longer changes but by decay.
    private var far: [Int: Lag] = [:]
    /// ln of the product of all decays up to each step.
    private var decays: [Double] = [0]
    private var now = 0

    /// nil where the sum does not converge quickly: momentum that outlives the second moment.
    init?(_ options: TrainingOptions, rate: LearningRate) {
        ratio = options.beta1 / options.beta2
        guard ratio < 0.997 else { return nil }
        horizon = ratio > 0 ? max(2, Int(up: log(1e-8) / log(ratio))) : 2
        self.options = options
        self.rate = rate
        factor = options.itemRate
    }

    /// Prepares the factors for rows that are to be brought to step `step`.
    mutating func move(to step: Int) {
        now = step
        if options.weightDecay > 0 {
            while decays.count <= step {
                decays.append(decays[decays.count - 1] + log(1 - rate.rate(decays.count) * options.weightDecay))
            }
        }
        near.removeAll(keepingCapacity: true)
        var lag = Lag()
        append(lag, 0)
        for k in Swift.stride(from: step, to: max(0, step - horizon), by: -1) {
            lag = extended(lag, over: k)
            append(lag, step - k + 1)
        }
    }

    /// Product of decays, G, and E G over a number of steps without a gradient.
    private struct Lag {
        var decay = 1.0
        var sum = 0.0
        var epsilon = 0.0
    }

    private mutating func append(_ lag: Lag, _ steps: Int) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 5) { five in
            guard let f = five.baseAddress else { return }
            write(lag, steps, into: f)
            near.append(contentsOf: five)
        }
    }

    private func write(_ lag: Lag, _ steps: Int, into f: UnsafeMutablePointer<Float>) {
        f[0] = Float(lag.decay)
        f[1] = Float(lag.sum)
        // Never 0, so that a row that was never touched is not 0 / 0.
        f[2] = lag.sum > 0 ? Float(max(1e-30, options.epsilon * lag.epsilon / lag.sum)) : 1
        // Below this nothing is left that a float could add, and denormal numbers are slow.
        let first = pow(options.beta1, Double(steps))
        f[3] = first < 1e-20 ? 0 : Float(first)
        f[4] = Float(pow(options.beta2, Double(steps)))
    }

    /// From "rows last touched at k" to "rows last touched at k - 1".
    private func extended(_ lag: Lag, over k: Int) -> Lag {
        let root2 = (1 - pow(options.beta2, Double(k))).squareRoot()
        let rate = rate.rate(k)
        let a = rate * factor * root2 / (1 - pow(options.beta1, Double(k)))
        return Lag(
            decay: lag.decay * (1 - rate * options.weightDecay),
            sum: options.beta1 / options.beta2.squareRoot() * (a * lag.decay + lag.sum),
            epsilon: ratio * (a * root2 * lag.decay + lag.epsilon))
    }

    /// The five factors of `Kernels.catchUpRows` for a row last touched at step `last`, before the current one.
    mutating func factors(_ last: Int, into f: UnsafeMutablePointer<Float>) {
        let steps = now - last
        if 5 * steps < near.count {
            for i in 0..<5 { f[i] = near[5 * steps + i] }
            return
        }
        var lag = settled(last)
        if options.weightDecay > 0 {
            let rest = exp(decays[now] - decays[last + horizon])
            lag = Lag(decay: lag.decay * rest, sum: lag.sum * rest, epsilon: lag.epsilon * rest)
        }
        write(lag, steps, into: f)
    }

    private mutating func settled(_ last: Int) -> Lag {
        if let known = far[last] { return known }
        var lag = Lag()
        for k in Swift.stride(from: last + horizon, to: last, by: -1) { lag = extended(lag, over: k) }
        far[last] = lag
        return lag
    }
}
