/// Where a job stands.
package enum JobState: String, Codable, Sendable, Hashable, CaseIterable {
    case queued, running, finished, failed, cancelled

    package var isFinal: Bool { self == .finished || self == .failed || self == .cancelled }
}

/// Where a trial stands; `docs/users/calibration.md` has the transitions.
package enum TrialStatus: String, Codable, Sendable, Hashable, CaseIterable {
    case queued, running, finished
    /// It was running when its daemon died, or the store could not be told its end: goes on from what its worker left.
    case stale
    /// It was stopped with its daemon, at a checkpoint from which it goes on.
    case preempted = "pre-empted"
    case failed, diverged, cancelled

    package var isFinal: Bool {
        switch self {
        case .finished, .failed, .diverged, .cancelled: true
        case .queued, .running, .stale, .preempted: false
        }
    }

    /// Its worker was started and may have left a checkpoint or even a result.
    package var hasBegun: Bool {
        switch self {
        case .running, .stale, .preempted: true
        case .queued, .finished, .failed, .diverged, .cancelled: false
        }
    }
}
