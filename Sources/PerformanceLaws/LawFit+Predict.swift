package import Domain
internal import Glibc

extension LawFit {
    /// The expected metric of a configuration; a pure function of what is stored, so equal after every reload.
    package func predict(layers: Int, dim: Int, effectiveTokens: Double) -> Double {
        model.value(point(layers, dim, effectiveTokens))
    }

    /// The 90 % prediction interval of one new training: the law's own uncertainty (delta method) and the scatter of single
    /// observations around it, by Student's t. It widens away from the observations. Cut to [0, 1].
    package func interval(layers: Int, dim: Int, effectiveTokens: Double) -> Interval {
        let point = point(layers, dim, effectiveTokens)
        let center = model.value(point)
        let half =
            studentQuantile95(degreesOfFreedom)
            * (lawVariance(point) + residualDeviation * residualDeviation)
            .squareRoot()
        return Interval(low: max(0, center - half), high: min(1, center + half))
    }

    private func lawVariance(_ point: LawModel.Point) -> Double {
        let gradient = model.gradient(point)
        let n = gradient.count
        guard covariance.count == n * n else { return 0 }
        var sum = 0.0
        for i in 0..<n { for j in 0..<n { sum += gradient[i] * gradient[j] * covariance[i * n + j] } }
        return max(0, sum)
    }

    private func point(_ layers: Int, _ dim: Int, _ effectiveTokens: Double) -> LawModel.Point {
        LawModel.Point(
            lnLayers: log(Double(layers)), lnDim: log(Double(dim)), lnData: log(effectiveTokens), value: 0, weight: 1)
    }

    private var model: LawModel {
        func form(_ curvature: String, _ slope: String) -> AxisForm {
            covarianceParameters.contains(curvature) ? .linex : covarianceParameters.contains(slope) ? .log : .none
        }
        func value(_ name: String) -> Double { parameters[name] ?? 0 }
        var model = LawModel(
            layersForm: form("curvatureN", "slopeN"), dimForm: form("curvatureD", "slopeD"),
            hasData: covarianceParameters.contains("slopeData"), profilesP: covarianceParameters.contains("lnP"))
        model.level = value("level")
        model.layersCoefficient = model.layersForm == .linex ? value("curvatureN") : value("slopeN")
        model.dimCoefficient = model.dimForm == .linex ? value("curvatureD") : value("slopeD")
        model.dataCoefficient = value("slopeData")
        model.layersOptimum = parameters["lnOptimumN"] ?? 1
        model.dimOptimum = parameters["lnOptimumD"] ?? 1
        model.lnP = parameters["lnP"] ?? log(2)
        return model
    }
}
