/// A fitted law for one metric: every family with its scores, how they are weighted, and every choice that produced them;
/// enough to predict without refitting.
package struct LawFit: Codable, Sendable, Hashable {
    /// One observation as the law saw it.
    package struct Point: Codable, Sendable, Hashable {
        package var observation: Int64
        package var layers: Int
        package var dim: Int
        /// D' = tokens / ApEn; 0 where it is not known.
        package var effectiveTokens: Double
        package var observed: Double
        /// What the leading family's formula gives.
        package var fitted: Double
        /// observed - fitted, in metric units.
        package var residual: Double
        /// Weight in the least-squares sum: 1 / variance, less for an outlier.
        package var weight: Double

        package init(
            observation: Int64, layers: Int, dim: Int, effectiveTokens: Double, observed: Double, fitted: Double,
            residual: Double, weight: Double
        ) {
            (self.observation, self.layers, self.dim) = (observation, layers, dim)
            (self.effectiveTokens, self.observed, self.fitted) = (effectiveTokens, observed, fitted)
            (self.residual, self.weight) = (residual, weight)
        }
    }

    /// A distinct place with what was measured there: what predictions rest on.
    package struct Place: Codable, Sendable, Hashable {
        /// ln N, ln d, ln D'.
        package var x: [Double]
        /// Mean of the trainings there.
        package var value: Double
        package var variance: Double
        /// Variance besides, that no factor of the noise scales; nil for none.
        package var ownVariance: Double?

        package init(x: [Double], value: Double, variance: Double, ownVariance: Double? = nil) {
            (self.x, self.value, self.variance, self.ownVariance) = (x, value, variance, ownVariance)
        }
    }

    /// What a law took from trainings on other datasets.
    package struct PriorUse: Codable, Sendable, Hashable {
        /// What is expected of one configuration.
        package struct Shape: Codable, Sendable, Hashable {
            package var layers: Int
            package var dim: Int
            /// ln of the metric over that of 2 x 64.
            package var ratio: Double
            /// By how much datasets differ in it.
            package var deviation: Double

            package init(layers: Int, dim: Int, ratio: Double, deviation: Double) {
                (self.layers, self.dim, self.ratio, self.deviation) = (layers, dim, ratio, deviation)
            }
        }

        /// Datasets that it was learnt from.
        package var datasets: Int
        package var shapes: [Shape]
        /// Standard deviation of ln(metric) that all shapes have in common: how well the level is known where no training ended here; 0
        /// where one did.
        package var levelDeviation: Double

        package init(datasets: Int, shapes: [Shape], levelDeviation: Double) {
            (self.datasets, self.shapes, self.levelDeviation) = (datasets, shapes, levelDeviation)
        }

        /// Smallest and largest layers and dim that those trainings had.
        package var layersRange: [Int] { [shapes.map(\.layers).min() ?? 0, shapes.map(\.layers).max() ?? 0] }
        package var dimRange: [Int] { [shapes.map(\.dim).min() ?? 0, shapes.map(\.dim).max() ?? 0] }

        /// The shapes between which other datasets say what to expect.
        package var corners: [(layers: Int, dim: Int)] {
            layersRange.flatMap { n in dimRange.map { (layers: n, dim: $0) } }
        }
    }

    /// Where the noise of one training comes from, as standard deviations in metric units.
    package struct Noise: Codable, Sendable, Hashable {
        /// What says how much a training varies.
        package enum Source: String, Codable, Sendable, Hashable {
            /// Standard errors that were measured, said, or follow from the number of users.
            case standardErrors = "standard-errors"
            /// Nothing but repeats, and how far the trainings lie from the law.
            case residuals
            /// Nothing: neither users nor repeats, and no more places than a law has parameters.
            case unknown
        }

        /// What is said where the source is `unknown`.
        package static let unknownWords = "not known: no users, no repeats"

        package var source: Source
        /// Standard error of a mean over the test users (median of the observations); nil where none is known.
        package var evaluation: Double?
        /// Mean correlation over users between the gains of two trainings; nil where ranks are not stored. What is common to all
        /// trainings moves them together and does not tell configurations apart.
        package var correlation: Double?
        /// A new training on the same test users: seed, and the users' part that is not common. An assumption where the source
        /// is `unknown`.
        package var training: Double
        /// Trainings that repeat another one's configuration and data.
        package var replicates: Int

        package init(
            source: Source = .standardErrors, evaluation: Double?, correlation: Double?, training: Double,
            replicates: Int
        ) {
            (self.source, self.evaluation, self.correlation) = (source, evaluation, correlation)
            (self.training, self.replicates) = (training, replicates)
        }

        private enum CodingKeys: CodingKey { case source, evaluation, correlation, training, replicates }

        package init(from decoder: any Decoder) throws {
            let c = try decoder.container(keyedBy: CodingKeys.self)
            // Laws of former versions took every noise for known.
            source = try c.decodeIfPresent(Source.self, forKey: .source) ?? .standardErrors
            evaluation = try c.decodeIfPresent(Double.self, forKey: .evaluation)
            correlation = try c.decodeIfPresent(Double.self, forKey: .correlation)
            training = try c.decode(Double.self, forKey: .training)
            replicates = try c.decode(Int.self, forKey: .replicates)
        }
    }

    package var metric: Metric
    /// The family that stands out in cross-validation, or `weighted`.
    package var family: String
    /// The family with the largest weight: whose formula, R² and optimum are shown.
    package var leading: LawFamily
    /// Every family, in the order of `LawFamily`.
    package var fits: [FamilyFit]
    package var noise: Noise
    package var points: [Point]
    package var places: [Place]
    /// Where trainings that were cut short were heading, and without any training the level that is expected. Their variances are their
    /// own, whatever the noise of a training. nil where there is nothing of it.
    package var expected: [Place]?
    /// What trainings on other datasets had to say; nil where they were not asked.
    package var prior: PriorUse?
    /// Error of answering with the nearest observation, on the largest ones left out: the least a law must beat.
    package var nearestNeighbour: FoldScore?
    /// Smallest and largest layers, dim and D' among the observations.
    package var layersRange: [Int]
    package var dimRange: [Int]
    package var effectiveTokensRange: [Double]
    /// Fixed factor p; nil where it was profiled.
    package var fixedP: Double?
    /// Every choice of the fit in words: the checklist of arXiv 2502.18969.
    package var choices: [String: String]

    package init(
        metric: Metric, family: String, leading: LawFamily, fits: [FamilyFit], noise: Noise, points: [Point],
        places: [Place], expected: [Place]? = nil, prior: PriorUse? = nil, nearestNeighbour: FoldScore?,
        layersRange: [Int], dimRange: [Int], effectiveTokensRange: [Double],
        fixedP: Double?, choices: [String: String]
    ) {
        self.metric = metric
        self.family = family
        self.leading = leading
        self.fits = fits
        self.noise = noise
        self.points = points
        self.places = places
        self.expected = expected
        self.prior = prior
        self.nearestNeighbour = nearestNeighbour
        self.layersRange = layersRange
        self.dimRange = dimRange
        self.effectiveTokensRange = effectiveTokensRange
        self.fixedP = fixedP
        self.choices = choices
    }

    /// The fit of the leading family.
    package var lead: FamilyFit? { fits.first { $0.family == leading } }

    /// Whether the law predicted its largest observations, left out, better than the nearest observation did; nil where too
    /// few would have remained to tell.
    package var predictsLargest: Bool? {
        guard let largest = lead?.crossValidation.leaveLargestOut, let nearestNeighbour else { return nil }
        return largest.relativeError <= nearestNeighbour.relativeError
    }
}

extension FamilyFit {
    /// The parameters in the order of the formula.
    package var orderedParameters: [(name: String, value: Double)] {
        let order = [
            "p", "w1", "a1", "w11", "w2", "a2", "w22", "w12", "rho", "A", "alpha", "B", "beta", "C", "gamma", "w3",
            "w33",
            "kappa", "b",
        ]
        return order.compactMap { name in parameters[name].map { (name, $0) } }
    }
}

/// One family fitted to the observations of a law.
package struct FamilyFit: Codable, Sendable, Hashable {
    /// One axis of a performance law, a LINEX curve in ln x.
    package struct AxisShape: Codable, Sendable, Hashable {
        /// x*, where the axis peaks; each of the three is nil where the observations do not determine it.
        package var optimum: Double?
        /// Second derivative of the metric by ln x at the optimum; negative.
        package var curvature: Double?
        /// q: positive where the metric falls faster beyond the optimum than before it.
        package var skew: Double?
        /// Which of `optimum`, `curvature`, `skew` the observations determine.
        package var identified: [String]

        package init(optimum: Double?, curvature: Double?, skew: Double?) {
            self.optimum = optimum
            self.curvature = curvature
            self.skew = skew
            let known = [("optimum", optimum), ("curvature", curvature), ("skew", skew)]
            identified = known.filter { $0.1 != nil }.map(\.0)
        }
    }

    /// Closed-form optimum of each axis, nil where the law has no interior maximum there, or the observations do not determine
    /// it, or it lies more than an e-fold from them.
    package struct Optimum: Codable, Sendable, Hashable {
        package var layers: Double?
        package var dim: Double?

        package init(layers: Double?, dim: Double?) {
            (self.layers, self.dim) = (layers, dim)
        }
    }

    /// The family as the mean of a Gaussian process: what predictions are made with.
    package struct Process: Codable, Sendable, Hashable {
        /// The most probable parameters, in the order of `names`.
        package var parameters: [Double]
        /// Standard deviation of the smooth residual, in metric units.
        package var amplitude: Double
        /// Its length scale in e-folds of N and d; 1.5 times that in D'.
        package var length: Double
        /// Variance of a training over its measured variance.
        package var noiseFactor: Double
        /// Standard deviation of a process along D' alone, 0 at the largest D'.
        package var dataAmplitude: Double

        package init(
            parameters: [Double], amplitude: Double, length: Double, noiseFactor: Double, dataAmplitude: Double = 0
        ) {
            (self.parameters, self.amplitude, self.length) = (parameters, amplitude, length)
            (self.noiseFactor, self.dataAmplitude) = (noiseFactor, dataAmplitude)
        }
    }

    package var family: LawFamily
    package var metric: Metric
    /// The formula with the terms that the observations allow.
    package var form: String
    /// Named as in the formula; what the observations do not determine is absent.
    package var parameters: [String: Double]
    /// 90 % bootstrap intervals of the parameters and of the optimum (`layers`, `dim`).
    package var intervals: [String: Interval]
    /// Parameters of the formula without a number, because the observations do not determine them; nil in laws of former
    /// versions.
    package var notIdentified: [String]?
    /// Coordinates of the fit, and which of them the observations determine.
    package var names: [String]
    package var identified: [String]
    /// Directions in the parameters that the observations determine to within what is of use.
    package var rank: Int
    package var conditionNumber: Double
    /// 1 - SS_res / SS_tot, unweighted, in metric units.
    package var r2: Double
    package var adjustedR2: Double?
    /// Observations less the independent parameters.
    package var degreesOfFreedom: Int
    /// Standard deviation of the residuals, in metric units; nil without degrees of freedom.
    package var residualDeviation: Double?
    package var optimum: Optimum
    /// `layers` and `dim` of a performance law, where the axis is curved.
    package var axes: [String: AxisShape]
    package var crossValidation: CrossValidation
    package var process: Process
    /// What its own formula gives at each point of the law, in their order; nil where there are more than 5,000, and in laws of a former version.
    package var fitted: [Double]?

    package init(
        family: LawFamily, metric: Metric, form: String, parameters: [String: Double], intervals: [String: Interval],
        notIdentified: [String]? = [], names: [String], identified: [String], rank: Int, conditionNumber: Double,
        r2: Double,
        adjustedR2: Double?,
        degreesOfFreedom: Int, residualDeviation: Double?, optimum: Optimum, axes: [String: AxisShape],
        crossValidation: CrossValidation, process: Process
    ) {
        self.family = family
        self.metric = metric
        self.form = form
        self.parameters = parameters
        self.intervals = intervals
        self.notIdentified = notIdentified
        self.names = names
        self.identified = identified
        self.rank = rank
        self.conditionNumber = conditionNumber
        self.r2 = r2
        self.adjustedR2 = adjustedR2
        self.degreesOfFreedom = degreesOfFreedom
        self.residualDeviation = residualDeviation
        self.optimum = optimum
        self.axes = axes
        self.crossValidation = crossValidation
        self.process = process
    }
}

/// Scores of a family on observations it was not fitted to.
package struct CrossValidation: Codable, Sendable, Hashable {
    /// Each point left out in turn, the family with its process.
    package var leaveOneOut: FoldScore
    /// The largest N, the largest d and the most expensive quarter left out in turn; nil where too few points would remain.
    package var leaveLargestOut: FoldScore?
    /// The same of the formula alone, without the process.
    package var leaveLargestOutAlone: FoldScore?
    /// Share of the family in the predictions.
    package var weight: Double

    package init(
        leaveOneOut: FoldScore, leaveLargestOut: FoldScore?, leaveLargestOutAlone: FoldScore?, weight: Double
    ) {
        (self.leaveOneOut, self.leaveLargestOut) = (leaveOneOut, leaveLargestOut)
        (self.leaveLargestOutAlone, self.weight) = (leaveLargestOutAlone, weight)
    }
}

/// Errors on points left out.
package struct FoldScore: Codable, Sendable, Hashable {
    /// Mean of |predicted - observed| / observed.
    package var relativeError: Double
    /// Root mean squared error, in metric units.
    package var deviation: Double
    /// Mean log predictive density; nil for a prediction without one.
    package var logDensity: Double?
    package var points: Int

    package init(relativeError: Double, deviation: Double, logDensity: Double?, points: Int) {
        (self.relativeError, self.deviation) = (relativeError, deviation)
        (self.logDensity, self.points) = (logDensity, points)
    }
}
