package import Domain
internal import Wire
package import SequentialDesign
package import Store

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// What the trials of a calibration are chosen by: stored with its job, so that it goes on after a crash.
package struct SequentialPlan: Codable, Sendable, Hashable {
    package var settings: CalibrationSettings
    /// Trials to begin with.
    package var start: [DesignTrial]

    package init(settings: CalibrationSettings, start: [DesignTrial]) {
        (self.settings, self.start) = (settings, start)
    }

    /// From JSON.
    ///
    /// - Throws: `DecodingError`.
    init(text: String) throws { self = try JSONDecoder().decode(Self.self, from: Data(text.utf8)) }

    var text: String {
        get throws { String(decoding: try JSONEncoder().encode(self), as: UTF8.self) }
    }
}

/// Asks for the next trial of a job.
package struct DesignRequest: Sendable {
    package var plan: SequentialPlan
    package var job: Int64
    /// In work now.
    package var running: [StoredTrial]
    /// All of the job so far.
    package var trials: [StoredTrial]
    /// Wall-clock seconds of the budget that are left.
    package var remainingSeconds: Double
}

/// What a job goes on with.
package enum DesignAnswer: Sendable {
    case train(NewTrial, CalibrationOutlook?)
    /// Nothing before one of those that run has ended.
    case wait
    /// Nothing, with what is known at the end.
    case end(CalibrationOutlook?)
}
