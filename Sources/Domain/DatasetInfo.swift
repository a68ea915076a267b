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
