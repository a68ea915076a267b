/// What the test targets of a dataset leave for a model to do: measured from the data alone, before any training.
package struct TargetFacts: Codable, Sendable, Hashable {
    /// Users with a test target.
    package var users: Int
    /// Minimum, lower quartile, median, upper quartile and maximum of the items that a target is ranked among, itself included.
    package var candidates: [Int]
    /// Share of the targets that occur in no training history: nothing can have been learnt about them.
    package var unseen: Double

    package init(users: Int, candidates: [Int], unseen: Double) {
        (self.users, self.candidates, self.unseen) = (users, candidates, unseen)
    }

    /// HR@K of a random order of the candidates, for the median user.
    package func chance(at k: Int) -> Double {
        guard candidates.count == 5, candidates[2] > 0 else { return 0 }
        return min(1, Double(k) / Double(candidates[2]))
    }

    /// From this HR@K of a random order on, a metric says little about models.
    package static let trivialChance = 0.2
    /// From this share of unseen targets on, they and not the model decide what a metric can reach.
    package static let notableUnseen = 0.2
    /// Below as many users a metric moves in steps that are larger than most differences between models.
    package static let fewUsers = 200

    /// Whether what other datasets reach tells nothing about this one: its metric is decided by the ranking or by chance.
    package func isUnlikeOthers(_ metric: Metric) -> Bool {
        chance(at: metric.k) >= 0.5 || unseen >= 0.8 || users < 20
    }

    /// Why a metric says little here; empty where it says something.
    ///
    /// - Parameters:
    ///   - metric: the metric that is judged.
    ///   - dataset: its name, for the commands.
    package func warnings(_ metric: Metric, dataset: String) -> [Warning] {
        var warnings: [Warning] = []
        let chance = chance(at: metric.k)
        if chance >= Self.trivialChance {
            let smaller = Metric(metric.kind, 1)
            let canShrink = metric.k > 1 && self.chance(at: 1) < Self.trivialChance
            warnings.append(
                Warning(
                    code: "trivial-metric",
                    message: candidates[2] == 1
                        ? "\(metric) is trivial: the target is the only candidate of most users, so that every model ranks it first; "
                            + "a ranking that leaves out no items (--mask none) or a larger catalogue is needed"
                        : "\(metric) is trivial: a target is ranked among \(Format.count(candidates[2])) items, and a random order of "
                            + "them has an HR@\(metric.k) of \(Format.fixed(chance, 2))"
                            + (canShrink ? "; a smaller cutoff tells models apart" : ""),
                    command: canShrink ? "plaw fit \(dataset) --metric \(smaller)" : nil))
        }
        if unseen >= Self.notableUnseen {
            warnings.append(
                Warning(
                    code: "unseen-targets",
                    message:
                        "\(Format.share(unseen, decimals: 0)) of the targets occur in no training history, so that nothing can have "
                        + "been learnt about them: \(metric) can hardly exceed \(Format.fixed(1 - unseen, 2)); k-core filtering "
                        + "(plaw register --k-core 5) leaves out rare items"))
        }
        if users < Self.fewUsers {
            let error = 0.5 / Double(max(1, users)).squareRoot()
            warnings.append(
                Warning(
                    code: "few-users",
                    message: users == 1
                        ? "there is one user: HR@\(metric.k) is 0 or 1, and says nothing about models"
                        : "only \(users) users have a target: HR@\(metric.k) moves in steps of \(Format.short(1 / Double(users))), and "
                            + "its standard error over the users is up to \(Format.short(error))"))
        }
        return warnings
    }
}
