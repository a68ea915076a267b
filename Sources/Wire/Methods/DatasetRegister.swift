package import Domain

/// `dataset.register`: reads a file of interactions into a corpus and measures its entropy.
package enum DatasetRegister: RPCMethod {
    package typealias Params = DatasetRegisterParams
    package typealias Result = DatasetRegisterResult
    package static let name = "dataset.register"
    package static let access = Access.write
    package static let effort = Effort.long
    package static let ordering = Ordering.exclusive
}

/// What to register.
package struct DatasetRegisterParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, uploadId, uploading, path, paths, fileName, fileNames, container, options, mask, maxLength, dryRun
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package static let nestedFields: [String: Set<String>] = [
        "options": ReadOptions.fields
    ]

    /// 1 to 64 of letters, digits, `-`, `_`, `.`; begins with a letter or digit.
    package var name: String
    /// A finished upload, or
    package var uploadId: String?
    /// True where the upload is not finished: what comes is read as it comes, and the registration ends after its `last`.
    package var uploading: Bool?
    /// a path the daemon reads itself, or
    package var path: String?
    /// several, whose rows make one dataset.
    package var paths: [String]?
    /// The file's name at the client, for messages.
    package var fileName: String?
    /// Of several files.
    package var fileNames: [String]?
    /// What the client took the files out of, for the decision.
    package var container: String?
    package var options: ReadOptions?
    /// Nil chooses by the share of repeated interactions.
    package var mask: CandidateMask?
    /// L for tokens and per-user ApEn; 50 by default.
    package var maxLength: Int?
    /// True decides the format and reads no rows; nothing is stored and the upload is kept.
    package var dryRun: Bool?
}

extension DatasetRegisterParams {
    package init(name: String) { self.name = name }
}

/// What was decided and stored.
package struct DatasetRegisterResult: Codable, Sendable, Hashable {
    package var decision: FormatDecision
    /// Absent in a dry run.
    package var dataset: DatasetInfo?

    package init(decision: FormatDecision, dataset: DatasetInfo?) {
        (self.decision, self.dataset) = (decision, dataset)
    }
}

/// A dataset: registered from a file of interactions, or made of imported observations alone. The latter has no decision,
/// statistics, mask and entropy, and counts only where the import named them.
package struct DatasetInfo: Codable, Sendable, Hashable {
    package var name: String
    /// Content hash of the corpus; empty where there is none.
    package var version: String
    /// ISO 8601, UTC.
    package var createdAt: String
    /// Of several files that of the first.
    package var fileName: String
    /// Where there are several, all of them, in the order in which they were read.
    package var fileNames: [String]?
    package var decision: FormatDecision?
    package var options: ReadOptions
    package var users: Int?
    package var items: Int?
    package var interactions: Int?
    package var statistics: DatasetStatistics?
    package var mask: CandidateMask?
    package var entropy: EntropyReport?
    /// What its test targets leave to do for a model; nil in datasets of older daemons.
    package var targets: TargetFacts?
    /// 0 where there is no corpus.
    package var corpusBytes: Int

    package init(
        name: String, version: String, createdAt: String, fileName: String, fileNames: [String]? = nil,
        decision: FormatDecision?,
        options: ReadOptions, users: Int?, items: Int?, interactions: Int?, statistics: DatasetStatistics?,
        mask: CandidateMask?, entropy: EntropyReport?, targets: TargetFacts? = nil, corpusBytes: Int
    ) {
        self.name = name
        self.version = version
        self.createdAt = createdAt
        self.fileName = fileName
        self.fileNames = fileNames
        self.decision = decision
        self.options = options
        self.users = users
        self.items = items
        self.interactions = interactions
        self.statistics = statistics
        self.mask = mask
        self.entropy = entropy
        self.targets = targets
        self.corpusBytes = corpusBytes
    }
}
