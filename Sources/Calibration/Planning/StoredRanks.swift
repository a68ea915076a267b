package import Domain
package import PerformanceLaws
internal import Trials

/// The ranks that trials left, of observations measured on the same users.
package struct StoredRanks: Sendable {
    private var ranks: [Int64: [UInt32]] = [:]

    /// More trainings than these say nothing new about how their errors go together.
    static let most = 96

    /// Ranks that are missing, damaged or of other users are left out: without them errors are taken as independent.
    package init(_ observations: [Observation], trialsFolder: String) {
        var users: [UInt32]?
        for observation in observations.suffix(Self.most) where observation.isComplete {
            guard let trial = observation.trial,
                let stored = try? Ranks(contentsOf: TrialDirectory(path: "\(trialsFolder)/\(trial)").ranksPath)
            else { continue }
            if users == nil { users = stored.users }
            if stored.users == users { ranks[observation.id] = stored.test }
        }
    }

    /// What every user earned; nil with fewer than two trainings.
    package func gains(_ metric: Metric) -> UserGains? {
        guard ranks.count > 1 else { return nil }
        // A rank beyond the cutoff earns nothing: the few others are looked up.
        let table = (0...UInt32(max(1, metric.k))).map { Float($0 == 0 ? 0 : RankMetrics.gain(metric, rank: $0)) }
        return UserGains(rows: ranks.mapValues { $0.map { Int($0) < table.count ? table[Int($0)] : 0 } })
    }
}
