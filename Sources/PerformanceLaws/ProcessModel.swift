internal import Glibc
internal import Numerics

/// A family as the mean of a Gaussian process over its residuals.
///
///     y = law(x; θ) + g(x) + noise,   θ ~ prior,   g ~ GP(0, amplitude² Matérn-5/2),   noise ~ N(0, factor · variance)
///
/// The mean is the law at its most probable parameters θ̂, found with the process beside it, plus what the process makes of the
/// residuals. For the variance the law is linearised there, so that it is a closed form: with J the derivatives by θ, the
/// observations have covariance J Λ Jᵀ + K + V (universal kriging; Rasmussen and Williams 2006, 2.7). What the law's form gets
/// wrong, the process learns near the observations and leaves open away from them.
struct ProcessModel: Sendable {
    /// Amplitude, length scale and noise factor.
    struct Settings: Sendable {
        var amplitude: Double
        var length: Double
        var noiseFactor: Double
        /// Of a process along D' alone, which is 0 at the largest D': what the data's curve gets wrong says nothing of shapes.
        var dataAmplitude = 0.0
    }

    let form: LawForm
    let parameters: [Double]
    let prior: Prior
    let points: [LawPoint]
    let settings: Settings
    /// J Λ, n x count.
    private let scaled: [[Double]]
    private let kernel: Kernel
    /// `Kernel.scale` of the points.
    private let scales: [Double]
    private let shift: DataShift
    private let beyond: Beyond
    private let factor: Cholesky
    /// C⁻¹ (y - what the prior expects).
    private let alpha: [Double]
    /// (K + V)⁻¹ (y - law).
    private let beta: [Double]

    /// Takes `parameters` to the most probable ones beside the process. nil where a covariance is not definite, which takes two
    /// equal points without noise.
    ///
    /// - Parameter isFinal: the parameters are the most probable ones already.
    init?(
        form: LawForm, parameters: [Double], prior: Prior, points: [LawPoint], settings: Settings, isFinal: Bool = false
    ) {
        self.form = form
        self.prior = prior
        self.points = points
        self.settings = settings
        let n = points.count
        let kernel = Kernel(settings, pinned: points.largestData, expectation: form.expectation)
        self.kernel = kernel
        let scales = points.map { kernel.scale($0.x) }
        self.scales = scales
        let shift = DataShift(points)
        self.shift = shift
        beyond = Beyond(points, expectation: form.expectation)
        var residual = [Double](repeating: 0, count: n * n)
        for i in 0..<n {
            for j in 0...i {
                residual[i * n + j] =
                    kernel(points[i].x, points[j].x, scale: scales[i] * scales[j])
                    + shift(points[i].x, points[j].x)
            }
            residual[i * n + i] += settings.noiseFactor * points[i].variance + points[i].ownVariance
        }
        guard let own = Cholesky(residual, n: n) else { return nil }
        var best = parameters
        if !isFinal {
            var search = LawSearch(form, points, prior: prior, covariance: own)
            best = search.polish(LawSearch.Solution(parameters: parameters, cost: .infinity), steps: 30).parameters
        }
        self.parameters = best
        let parts = Parts(form: form, parameters: best, prior: prior, points: points)
        scaled = parts.scaled
        var matrix = parts.law
        for i in matrix.indices { matrix[i] += residual[i] }
        guard let factor = Cholesky(matrix, n: n) else { return nil }
        self.factor = factor
        alpha = factor.solve(parts.residuals)
        beta = own.solve(points.map { $0.value - form.value($0.x, best) })
    }

    /// What the families leave out of the data's part: less data flattens the slopes in ln N and ln d, or steepens them. Two slopes
    /// that change by a normal amount with each e-fold of D', 0 at the largest D'. So a share of the users tells less of shapes
    /// the smaller it is, and where the shapes do not differ in data nothing changes.
    struct DataShift: Sendable {
        private let center: SIMD2<Double>
        private let pinned: Double
        private let variance: Double

        /// Of the metric's spread over the shapes, the standard deviation of a slope's change for each e-fold of D'.
        static let share = 0.25

        init(_ points: [LawPoint]) {
            let pinned = points.largestData
            self.pinned = pinned
            let whole = points.ofWholeData
            center = whole.reduce(SIMD2()) { $0 + SIMD2($1.x[0], $1.x[1]) } / Double(max(1, whole.count))
            let slope = Self.share * MetricSpan(points).shapes
            variance = slope * slope
        }

        func callAsFunction(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> Double {
            let data = (a[2] - pinned) * (b[2] - pinned)
            guard data != 0 else { return 0 }
            let (u, v) = (SIMD2(a[0], a[1]) - center, SIMD2(b[0], b[1]) - center)
            return variance * data * (u * v).sum()
        }
    }

    /// What no family has and no observation can show: a straight line in ln N, in ln d and in ln D' that begins where the
    /// observations end, with a slope of unknown sign. It widens what is said of places beyond, and changes nothing else.
    struct Beyond: Sendable {
        private let low: SIMD3<Double>
        private let high: SIMD3<Double>
        private let variances: SIMD3<Double>

        /// Of the metric's spread over the shapes, the standard deviation an e-fold adds.
        static let share = 0.1
        /// Of the metric's mean slope along the observed D', the standard deviation of what it changes by beyond.
        static let dataShare = 0.3

        /// - Parameter expectation: what other datasets had counts as observed.
        init(_ points: [LawPoint], expectation: Expectation?) {
            var low = SIMD3<Double>(repeating: .infinity)
            var high = -low
            for x in points.map(\.x) + (expectation?.corners(data: points.largestData) ?? []) {
                low.replace(with: x, where: x .< low)
                high.replace(with: x, where: x .> high)
            }
            (self.low, self.high) = (low, high)
            let span = MetricSpan(points)
            let shape = Self.share * span.shapes
            // Over less than an e-fold the spread is mostly noise and shapes.
            let data = Self.dataShare * span.data / max(1, high[2] - low[2])
            variances = SIMD3(shape * shape, shape * shape, data * data)
        }

        func callAsFunction(_ a: SIMD3<Double>, _ b: SIMD3<Double>) -> Double {
            let zero = SIMD3<Double>()
            let above = pointwiseMax(a - high, zero) * pointwiseMax(b - high, zero)
            let below = pointwiseMax(low - a, zero) * pointwiseMax(low - b, zero)
            return (variances * (above + below)).sum()
        }
    }

    /// Covariance of the residual process.
    struct Kernel: Sendable {
        private let variance: Double
        private let scale: SIMD3<Double>
        private let dataVariance: Double
        private let pinned: Double
        private let expectation: Expectation?

        /// - Parameters:
        ///   - pinned: ln D' where the process along D' is 0.
        ///   - expectation: where other datasets say how far a shape may lie from what is expected, the process is as large as that.
        init(_ settings: Settings, pinned: Double, expectation: Expectation? = nil) {
            self.expectation = expectation
            variance = settings.amplitude * settings.amplitude
            scale = SIMD3(1, 1, 1 / 1.5) * (5.0.squareRoot() / settings.length)
            dataVariance = settings.dataAmplitude * settings.dataAmplitude
            self.pinned = pinned
        }

        private func matern(_ r: Double) -> Double { (1 + r + r * r / 3) * exp(-r) }

        /// How large the process is at a place beside its amplitude.
        func scale(_ x: SIMD3<Double>) -> Double { expectation?.deviation(x) ?? 1 }

        /// - Parameter scale: the product of those of both places.
        func callAsFunction(_ a: SIMD3<Double>, _ b: SIMD3<Double>, scale own: Double) -> Double {
            var sum = 0.0
            if variance > 0 {
                let u = (a - b) * scale
                sum = variance * own * matern((u * u).sum().squareRoot())
            }
            if dataVariance > 0 {
                let c = 5.0.squareRoot() / 1.5
                sum +=
                    dataVariance
                    * (1 + matern(c * abs(a[2] - b[2])) - matern(c * abs(a[2] - pinned))
                        - matern(c * abs(b[2] - pinned)))
            }
            return sum
        }
    }

    /// What does not depend on the settings.
    private struct Parts {
        /// J Λ Jᵀ, the lower triangle.
        var law: [Double]
        var scaled: [[Double]]
        /// y less what the linearised law expects before it saw any observation.
        var residuals: [Double]

        init(form: LawForm, parameters: [Double], prior: Prior, points: [LawPoint]) {
            let n = points.count
            let gradients = points.map { form.gradient($0.x, parameters) }
            scaled = gradients.map { row in row.indices.map { row[$0] * prior.deviations[$0] * prior.deviations[$0] } }
            law = [Double](repeating: 0, count: n * n)
            for i in 0..<n {
                for j in 0...i { law[i * n + j] = zip(scaled[i], gradients[j]).reduce(0) { $0 + $1.0 * $1.1 } }
            }
            residuals = points.indices.map { i in
                var rest = points[i].value - form.value(points[i].x, parameters)
                for (m, slope) in gradients[i].enumerated() { rest -= slope * (prior.means[m] - parameters[m]) }
                return rest
            }
        }
    }

    // MARK: - Choice of the settings

    /// How noise is known beforehand.
    struct NoisePrior: Sendable {
        /// Factors to try and the logarithm of their prior density.
        var factors: [(factor: Double, log: Double)]
        /// Squares of deviations between trainings that repeat each other, in units of their variance, and their number.
        var squares: Double
        var degrees: Int
    }

    /// Averages the settings over their posterior on a grid: the mode would often be no process at all, and too sure of it.
    ///
    /// - Parameter span: how far the metric spreads over shapes and over data sizes.
    static func settings(
        form: LawForm, parameters: [Double], prior: Prior, points: [LawPoint], span: MetricSpan, noise: NoisePrior
    ) -> Settings {
        let parts = Parts(form: form, parameters: parameters, prior: prior, points: points)
        let n = points.count
        let pinned = points.largestData
        // In units of the noise a noise factor is a shift of the diagonal: one reduction serves all of them.
        let turned = Tridiagonal(n)
        let stride = turned.stride
        let scales = points.map { 1 / $0.variance.squareRoot() }
        func whitened(_ value: (_ i: Int, _ j: Int) -> Double) -> [Double] {
            var matrix = [Double](repeating: 0, count: n * stride)
            for i in 0..<n {
                for j in 0...i {
                    let value = value(i, j) * scales[i] * scales[j]
                    matrix[i * stride + j] = value
                    matrix[j * stride + i] = value
                }
            }
            return matrix
        }
        func covariances(_ settings: Settings) -> [Double] {
            let kernel = Kernel(settings, pinned: pinned, expectation: form.expectation)
            let scales = points.map { kernel.scale($0.x) }
            return whitened { kernel(points[$0].x, points[$1].x, scale: scales[$0] * scales[$1]) }
        }
        let shift = DataShift(points)
        let law = whitened {
            parts.law[$0 * n + $1] + shift(points[$0].x, points[$1].x) + ($0 == $1 ? points[$0].ownVariance : 0)
        }
        let dataSizes = points.levels(.data)
        let dataShares = dataSizes >= 3 ? [0, 0.1, 0.3] : [0]
        let alongData =
            dataSizes >= 3 ? covariances(Settings(amplitude: 0, length: 1, noiseFactor: 1, dataAmplitude: 1)) : law
        let noises = noise.factors.map { factor, log in
            (factor, log - 0.5 * (Double(noise.degrees) * Glibc.log(factor) + noise.squares / factor))
        }
        var tried: [(log: Double, settings: Settings)] = []
        // A process of a twentieth of the range is expected, one of two fifths is a surprise. Without one the length means nothing: that is
        // counted once.
        var sizes: [(amplitude: Double, log: Double, length: Double?)] = [(0, 1.1, 1.6)]
        sizes += [0.02, 0.05, 0.1, 0.2, 0.4].map { share in
            (share * span.shapes, -pow(Glibc.log(share / 0.06) / 1.1, 2) / 2, nil)
        }
        if form.expectation != nil {
            // The deviations are relative: the level times as much as datasets differ, half or twice that where it fits better.
            sizes = [0.5, 1, 2].map { factor in
                (factor * abs(parameters[0]), -pow(Glibc.log(factor) / 0.7, 2) / 2, nil)
            }
        }
        for length in form.expectation.map({ [$0.length] }) ?? [0.8, 1.6, 3.0] {
            let smooth = covariances(Settings(amplitude: 1, length: length, noiseFactor: 1))
            for (amplitude, size, only) in sizes where only == nil || only == length {
                let variance = amplitude * amplitude
                for dataShare in dataShares {
                    let dataVariance = dataShare * dataShare * span.data * span.data
                    turned.replace(law, plus: variance, of: smooth, plus: dataVariance, of: alongData)
                    for i in 0..<n { turned.vector[i] = parts.residuals[i] * scales[i] }
                    turned.reduce()
                    var settings = Settings(
                        amplitude: variance.squareRoot(), length: length, noiseFactor: 1,
                        dataAmplitude: dataVariance.squareRoot())
                    for first in Swift.stride(from: 0, to: noises.count, by: 4) {
                        let four = noises[first..<min(first + 4, noises.count)]
                        var shifts = SIMD4<Double>(repeating: 1)
                        for (lane, noise) in four.enumerated() { shifts[lane] = noise.0 }
                        let fits = turned.fit(shifts)
                        for (lane, noise) in four.enumerated() where fits[lane].isFinite {
                            settings.noiseFactor = noise.0
                            tried.append((-0.5 * fits[lane] + noise.1 + size, settings))
                        }
                    }
                }
            }
        }
        guard let top = tried.map(\.log).max() else { return Settings(amplitude: 0, length: 1.6, noiseFactor: 1) }
        var (total, square, length, lengthWeight, noiseLog, dataSquare) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        for (log, settings) in tried {
            let weight = exp(log - top)
            total += weight
            square += weight * settings.amplitude * settings.amplitude
            dataSquare += weight * settings.dataAmplitude * settings.dataAmplitude
            noiseLog += weight * Glibc.log(settings.noiseFactor)
            length += weight * settings.amplitude * Glibc.log(settings.length)
            lengthWeight += weight * settings.amplitude
        }
        return Settings(
            amplitude: (square / total).squareRoot(),
            length: lengthWeight > 0 ? exp(length / lengthWeight) : 1.6, noiseFactor: exp(noiseLog / total),
            dataAmplitude: (dataSquare / total).squareRoot())
    }

    // MARK: - Predictions

    /// What links a place to the observations: covariances with them, and what of its own variance they explain.
    struct Place: Sendable {
        var x: SIMD3<Double>
        var mean: Double
        var gradient: [Double]
        /// L⁻¹ of the covariances with the observations.
        var white: [Double]
        var variance: Double
        /// What no observation can explain of it.
        fileprivate var beyond: Double
        /// `Kernel.scale` there.
        fileprivate var scale: Double

        fileprivate mutating func resolve(_ white: [Double]) {
            self.white = white
            variance = max(0, variance - white.reduce(0) { $0 + $1 * $1 }) + beyond
        }
    }

    func place(_ x: SIMD3<Double>) -> Place {
        var place = link(x)
        place.resolve(factor.forward(place.white))
        return place
    }

    /// The same of many.
    func places(_ many: [SIMD3<Double>]) -> [Place] {
        var places = many.map(link)
        for first in Swift.stride(from: 0, to: places.count, by: 8) {
            let eight = first..<min(first + 8, places.count)
            var links = [SIMD8<Double>](repeating: SIMD8(), count: points.count)
            for (lane, number) in eight.enumerated() {
                for i in points.indices { links[i][lane] = places[number].white[i] }
            }
            let white = factor.forward(links)
            for (lane, number) in eight.enumerated() { places[number].resolve(white.map { $0[lane] }) }
        }
        return places
    }

    /// A place whose covariances and variance the observations have not entered yet.
    private func link(_ x: SIMD3<Double>) -> Place {
        let gradient = form.gradient(x, parameters)
        var mean = form.value(x, parameters)
        let scale = kernel.scale(x)
        var own = kernel(x, x, scale: scale * scale) + shift(x, x)
        for m in gradient.indices { own += gradient[m] * gradient[m] * prior.deviations[m] * prior.deviations[m] }
        var covariances = [Double](repeating: 0, count: points.count)
        for i in points.indices {
            let smooth = kernel(points[i].x, x, scale: scales[i] * scale) + shift(points[i].x, x)
            mean += smooth * beta[i]
            var sum = smooth
            for m in gradient.indices { sum += scaled[i][m] * gradient[m] }
            covariances[i] = sum
        }
        return Place(
            x: x, mean: mean, gradient: gradient, white: covariances, variance: own, beyond: beyond(x, x),
            scale: scale)
    }

    /// Posterior covariance of the metric at two places, noise left out.
    func covariance(_ a: Place, _ b: Place) -> Double {
        var sum = kernel(a.x, b.x, scale: a.scale * b.scale) + shift(a.x, b.x) + beyond(a.x, b.x)
        for m in a.gradient.indices { sum += a.gradient[m] * b.gradient[m] * prior.deviations[m] * prior.deviations[m] }
        for i in a.white.indices { sum -= a.white[i] * b.white[i] }
        return sum
    }

    /// Prediction of each point from all others: mean and variance, noise included (Rasmussen and Williams 2006, 5.4.2).
    func leaveOneOut() -> [(mean: Double, variance: Double)] {
        let inverse = factor.inverse()
        let n = points.count
        return (0..<n).map { i in
            let variance = 1 / inverse[i * n + i]
            return (points[i].value - alpha[i] * variance, variance)
        }
    }
}
