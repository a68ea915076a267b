/// What a write changes of what answers rest on.
enum Change: Sendable {
    /// How far jobs and trials are, which nothing is computed from.
    case nothing
    /// A dataset's row, observations, laws, speeds or timings.
    case dataset(String)
    /// What answers about several datasets rest on: latencies of the machine, and rows that were there and are gone.
    case shared
}

/// The numbers of the last changes, by what they were made to. One count numbers all, so that a number never comes again.
struct Changes {
    private var last: UInt64 = 0
    private var shared: UInt64 = 0
    private var datasets: [String: UInt64] = [:]

    /// Names that are remembered. Beyond them all that is known counts as changed, since who registers and removes makes new ones for ever.
    private static let mostNames = 10_000

    mutating func note(_ change: Change) {
        switch change {
        case .nothing: return
        case .dataset(let name):
            last += 1
            datasets[name] = last
            if datasets.count > Self.mostNames { noteShared() }
        case .shared:
            last += 1
            noteShared()
        }
    }

    /// No number of a dataset is larger: they need not be kept.
    private mutating func noteShared() {
        shared = last
        datasets.removeAll()
    }

    func version(of dataset: String?) -> UInt64 {
        guard let dataset else { return last }
        return datasets[dataset] ?? shared
    }
}
