internal import Domain
package import Wire

/// Which loss a large catalogue is calibrated with when none is asked for.
///
/// Full softmax (cce) gives the best models and costs in proportion to the catalogue; sampled softmax comes close and does not.
/// So cce is taken where the budget pays a whole design with it, else sampled softmax where it pays one with that, else
/// whichever of the two trains more.
package struct LossChoice {
    package let settings: CalibrationSettings
    package let plan: CalibrationPlanResult

    /// Items from which both are priced; below, cce is quick enough that pricing another is not worth its probes.
    package static let largeCatalogue = 20_000

    package init(full: CalibrationPlanner, sampled: CalibrationPlanner, items: Int) {
        var chosen = full
        var plan = full.plan()
        if !full.paysDesign {
            let other = sampled.plan()
            if sampled.paysDesign || other.trials.count > plan.trials.count { (chosen, plan) = (sampled, other) }
        }
        let prices = [full, sampled].map { planner in
            "\(Int(up: planner.smallestSeconds)) s with \(planner.settings.loss.rawValue)"
        }
        plan.notes.insert(
            "\(items) items: the smallest design takes \(prices.joined(separator: ", ")); training with "
                + "\(chosen.settings.loss.rawValue); --loss decides otherwise", at: 0)
        settings = chosen.settings
        self.plan = plan
    }
}
