internal import Domain
internal import Glibc

extension Advisor {
    /// Warnings about the law itself.
    func standing(_ law: LawFit, _ branch: Branch) -> [Warning] {
        var warnings: [Warning] = []
        if let prior = law.prior, law.places.count < Self.fewest {
            warnings.append(fromOthers(law, prior, branch))
        } else if law.places.count < Self.fewest {
            warnings.append(
                Warning(
                    code: "few-observations",
                    message:
                        "the law rests on \(law.places.count) configurations; 9 or more, 3 levels of each axis, make it "
                        + "trustworthy",
                    command: training(branch)))
        }
        let values = Set(law.points.map(\.observed))
        if law.places.count >= Self.fewestConstant, values.count == 1, let value = values.first {
            warnings.append(
                Warning(
                    code: "constant-metric",
                    message: "\(law.metric) is \(Format.short(value)) in all \(law.points.count) trainings of "
                        + "\(law.places.count) configurations: a constant says nothing about layers and dim"))
        }
        let rising = branch.observations.count { $0.status == Observation.stoppedRising }
        if rising > 0 {
            warnings.append(
                Warning(
                    code: "still-rising",
                    message:
                        "\(rising) of \(branch.observations.count) trainings were still rising when their policy stopped them: more "
                        + "epochs or patience would give more, and the law does not know how much",
                    command: training(branch, "--budget 1h --patience 20")))
        }
        // Of a law that mostly is what other datasets say there is no more to be said.
        if law.prior != nil, law.places.count < Self.fewestAlone { return warnings }
        guard let lead = law.lead else { return warnings }
        let free = lead.names.filter { !lead.identified.contains($0) }
        if !free.isEmpty {
            warnings.append(
                Warning(
                    code: "not-identified",
                    message:
                        "the observations fix \(lead.rank) of the \(lead.names.count) parameters of the \(lead.family.rawValue): "
                        + "its optimum and what lies beyond the observations are a guess",
                    command: training(branch)))
        }
        if lead.r2 < 0.5 {
            warnings.append(
                Warning(
                    code: "poor-fit",
                    message:
                        "the \(lead.family.rawValue) explains "
                        + (lead.r2 < 0.005 ? "none" : "only \(Int(nearest: lead.r2 * 100)) %")
                        + " of the variance; answers rest on what was measured nearby",
                    command: training(branch)))
        }
        if law.predictsLargest == false, let largest = lead.crossValidation.leaveLargestOut,
            let nearest = law.nearestNeighbour
        {
            warnings.append(
                Warning(
                    code: "no-better-than-nearest",
                    message:
                        "on the largest observations left out the law errs by \(Format.share(largest.relativeError)), the nearest "
                        + "observation by \(Format.share(nearest.relativeError)): do not extrapolate",
                    command: training(branch)))
        }
        if law.effectiveTokensRange.first == law.effectiveTokensRange.last {
            warnings.append(
                Warning(
                    code: "one-data-size",
                    message: "all observations have one data size: nothing is known about more data"))
        }
        return warnings
    }

    /// Configurations that make a law trustworthy, and those without which it says nothing of its own.
    private static let fewest = 9
    private static let fewestAlone = 6
    /// From as many configurations on it is no chance that all measure the same.
    private static let fewestConstant = 3

    /// A level that is known no better than this was told by other datasets, not by a training of this one.
    private static let levelOfOthers = 0.4

    /// How much of an answer was measured here.
    private func fromOthers(_ law: LawFit, _ prior: LawFit.PriorUse, _ branch: Branch) -> Warning {
        let others = "\(prior.datasets) other datasets"
        let cut = law.expected?.count ?? 0
        if law.places.isEmpty, prior.levelDeviation >= Self.levelOfOthers {
            return Warning(
                code: "other-datasets",
                message: "from \(others), none of yours: nothing was trained here yet", command: training(branch))
        }
        var own: [String] = []
        if !law.places.isEmpty { own.append("\(law.places.count) trained here") }
        if cut > 0 { own.append("\(cut) cut short here, by where \(cut == 1 ? "it was" : "they were") heading") }
        return Warning(
            code: "other-datasets",
            message:
                "from \(others) and configurations of yours: \(own.joined(separator: ", ")); \(Self.fewest) or more, 3 levels of "
                + "each axis, make a law of your own", command: training(branch))
    }

    /// The command that trains more of what a branch rests on, or one shape of it; nil where there is nothing to train on.
    func training(_ branch: Branch, _ options: String = "--budget 30m") -> String? {
        let key = branch.key
        if !hasInteractions || key.backbone.value.map({ $0.core == nil }) == true { return nil }
        /// What is unsaid, or as a calibration does it by itself, needs no option.
        func option(_ name: String, _ value: String?, _ usual: String) -> String {
            value.map { $0 == usual ? "" : " --\(name) \($0)" } ?? ""
        }
        return "plaw calibrate \(dataset)"
            + option("backbone", key.backbone.value?.rawValue, Model.sasrec.rawValue)
            + option("loss", key.loss.value?.core?.rawValue, Loss.cce.rawValue)
            + option("max-length", key.maxLength.value?.description, "\(LawKey.usualLength)") + " " + options
    }

    func training(_ branch: Branch, layers: Int, dim: Int) -> String? {
        training(branch, "--layers \(layers) --dims \(dim) --budget 30m")
    }

    /// Warnings about a configuration's place among the observations.
    func around(_ c: DeclaredConfiguration, _ law: LawFit, _ grade: ExtrapolationGrade, _ branch: Branch) -> [Warning] {
        var warnings: [Warning] = []
        let there = training(branch, layers: c.layers, dim: c.dim)
        for (axis, value, range) in [("layers", c.layers, law.layersRange), ("dim", c.dim, law.dimRange)] {
            let distance = Self.distance(value, range)
            if distance > 0 {
                warnings.append(
                    Warning(
                        code: "outside-range",
                        message: "\(axis) \(value) lies outside the observed \(range[0]) to \(range[1]), by "
                            + "\(Format.short(distance)) e-folds", command: there))
            } else if range[0] < range[1], value == range[1] || (value == range[0] && value > 1) {
                let next = value == range[1] ? 2 * value : value / 2
                warnings.append(
                    Warning(
                        code: "optimum-at-edge",
                        message:
                            "\(axis) \(value) is the edge of what was observed (\(range[0]) to \(range[1])); the best may "
                            + "lie beyond",
                        command: axis == "layers"
                            ? training(branch, layers: next, dim: c.dim) : training(branch, layers: c.layers, dim: next)
                    ))
            }
        }
        if warnings.isEmpty, grade != .inside {
            warnings.append(
                Warning(
                    code: "outside-hull",
                    message:
                        "layers \(c.layers) and dim \(c.dim) were not observed together: the corner is extrapolated",
                    command: there))
        }
        return warnings
    }

    /// What the key of a branch leaves open.
    func branchWarnings(_ branch: Branch) -> [Warning] {
        var warnings: [Warning] = []
        if !branch.hasAllUsers, !branch.observations.isEmpty {
            warnings.append(
                Warning(
                    code: "no-full-training",
                    message:
                        "nothing was trained on all users: what they would give is extrapolated from shares of them",
                    command: training(branch, "--budget 1h")))
        }
        let keys = Set(branches.map(\.key))
        guard keys.count > 1 else { return warnings }
        let backbones = Set(keys.map(\.backboneName)).sorted().joined(separator: ", ")
        warnings.append(
            Warning(code: "several-laws", message: "compared over the laws of \(keys.count) keys (\(backbones))"))
        return warnings
    }
}
