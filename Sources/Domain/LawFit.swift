/// A fitted law for one metric, with every choice that produced it: enough to predict without refitting.
package struct LawFit: Codable, Sendable, Hashable {
    /// One observation as the law saw it.
    package struct Point: Codable, Sendable, Hashable {
        package var observation: Int64
        package var layers: Int
        package var dim: Int
        /// D' = tokens / ApEn.
        package var effectiveTokens: Double
        package var observed: Double
        package var fitted: Double
        /// observed - fitted, in metric units.
        package var residual: Double
        /// Weight in the least-squares sum.
        package var weight: Double

        package init(
            observation: Int64, layers: Int, dim: Int, effectiveTokens: Double, observed: Double, fitted: Double,
            residual: Double, weight: Double
        ) {
            self.observation = observation
            self.layers = layers
            self.dim = dim
            self.effectiveTokens = effectiveTokens
            self.observed = observed
            self.fitted = fitted
            self.residual = residual
            self.weight = weight
        }
    }

    /// Closed-form optimum of each axis, nil where the law has no interior maximum there.
    package struct Optimum: Codable, Sendable, Hashable {
        package var layers: Double?
        package var dim: Double?

        package init(layers: Double?, dim: Double?) {
            self.layers = layers
            self.dim = dim
        }
    }

    package var metric: Metric
    /// `performance-law`.
    package var family: String
    /// Named as in the formula (`choices.form`): `p`, `w1`, `a1`, `w2`, `a2`, `w3`, `b`, a term the data cannot determine
    /// being absent; and the coordinates of the fit, named in `covarianceParameters`.
    package var parameters: [String: Double]
    /// Names of the parameters the data determines.
    package var identified: [String]
    package var rank: Int
    package var conditionNumber: Double
    /// 1 - SS_res / SS_tot, unweighted, in metric units.
    package var r2: Double
    package var adjustedR2: Double?
    package var optimum: Optimum
    /// Standard deviation of a new observation around the law, in metric units.
    package var residualDeviation: Double
    /// Covariance of the parameters named in `covarianceParameters`, row major, for prediction intervals.
    package var covariance: [Double]
    package var covarianceParameters: [String]
    /// Degrees of freedom behind `residualDeviation`.
    package var degreesOfFreedom: Int
    /// Smallest and largest layers, dim and D' among the observations.
    package var layersRange: [Int]
    package var dimRange: [Int]
    package var effectiveTokensRange: [Double]
    package var points: [Point]
    /// Every choice of the fit in words: estimator, weights, grid, whether p was profiled.
    package var choices: [String: String]

    package init(
        metric: Metric, family: String, parameters: [String: Double], identified: [String], rank: Int,
        conditionNumber: Double, r2: Double, adjustedR2: Double?, optimum: Optimum, residualDeviation: Double,
        covariance: [Double], covarianceParameters: [String], degreesOfFreedom: Int, layersRange: [Int],
        dimRange: [Int], effectiveTokensRange: [Double], points: [Point], choices: [String: String]
    ) {
        self.metric = metric
        self.family = family
        self.parameters = parameters
        self.identified = identified
        self.rank = rank
        self.conditionNumber = conditionNumber
        self.r2 = r2
        self.adjustedR2 = adjustedR2
        self.optimum = optimum
        self.residualDeviation = residualDeviation
        self.covariance = covariance
        self.covarianceParameters = covarianceParameters
        self.degreesOfFreedom = degreesOfFreedom
        self.layersRange = layersRange
        self.dimRange = dimRange
        self.effectiveTokensRange = effectiveTokensRange
        self.points = points
        self.choices = choices
    }
}
