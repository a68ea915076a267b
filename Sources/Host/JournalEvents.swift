/// Kinds of events that a journal is asked for by their fixed number; the table is in docs/users/monitor.md.
///
/// Names and numbers never change their meaning. Logged as the metadata `event`.
package enum JournalEvent: String, CaseIterable, Sendable, CustomStringConvertible {
    case ready
    case stopped
    case configurationReloaded = "configuration-reloaded"
    case configurationRefused = "configuration-refused"
    case datasetRegistered = "dataset-registered"
    case datasetRemoved = "dataset-removed"
    case observationsImported = "observations-imported"
    case calibrationStarted = "calibration-started"
    case calibrationEnded = "calibration-ended"
    case calibrationFailed = "calibration-failed"
    case trialStarted = "trial-started"
    case trialEnded = "trial-ended"
    case trialFailed = "trial-failed"
    case lawsFitted = "laws-fitted"
    case accessDenied = "access-denied"
    case noProofOfLife = "no-proof-of-life"

    package var description: String { rawValue }

    /// What `journalctl MESSAGE_ID=` finds the event by.
    package var messageID: String {
        switch self {
        case .ready: "0df9b9316c704d96a2eef5eae8bf697d"
        case .stopped: "aa5e16108d1d40018c93b2d4e7fd83df"
        case .configurationReloaded: "452ee02d06ce437faa217563514cc57f"
        case .configurationRefused: "77f2b8ab3ab449a7b1d28bae75eb259a"
        case .datasetRegistered: "02a30686e0e741efad1835fd69d8ac0b"
        case .datasetRemoved: "f4876bb4609e4b6d80da7d51b34b99c4"
        case .observationsImported: "014e258630b141dc8fd06393923f8077"
        case .calibrationStarted: "3ec9765ddf894d0b995b950a6a881b01"
        case .calibrationEnded: "e23e2801fbf3423dbaeba95fdcd1ad52"
        case .calibrationFailed: "d6a7de108350432a9b846e0ebe69f7b3"
        case .trialStarted: "9675ff1f94254bc6a2b8f260f93cc608"
        case .trialEnded: "34d11931f35b41238ddba731a37bae35"
        case .trialFailed: "895decc5ebfc4778bb9d31aa0a6478a5"
        case .lawsFitted: "ca1cdbc0eb6641b399bf2edb3c32b457"
        case .accessDenied: "a4fcd46fcf744ddaa8dc3c20d9fe12a2"
        case .noProofOfLife: "a4cb2cf60318451d83d09361106a87ab"
        }
    }

    /// Message numbers by name, for the log handler, which knows no events.
    package static let messageIDs = Dictionary(uniqueKeysWithValues: allCases.map { ($0.rawValue, $0.messageID) })
}
