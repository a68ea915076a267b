package import Domain

/// `dataset.entropy`: entropy figures, recomputed where m, r or L differ from the stored ones.
package enum DatasetEntropy: RPCMethod {
    package typealias Params = DatasetEntropyParams
    package typealias Result = DatasetEntropyResult
    package static let name = "dataset.entropy"
    package static let access = Access.read
    package static let effort = Effort.long
    package static let ordering = Ordering.concurrent
}

/// Which entropy.
package struct DatasetEntropyParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, m, r, maxLength
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package var name: String
    /// Template length of per-user ApEn; 2 by default.
    package var m: Int?
    /// Tolerance; 0.2 by default.
    package var r: Double?
    /// Most recent items taken per user; 50 by default.
    package var maxLength: Int?

    package init(name: String, m: Int? = nil, r: Double? = nil, maxLength: Int? = nil) {
        (self.name, self.m, self.r, self.maxLength) = (name, m, r, maxLength)
    }
}

/// Entropy of a dataset.
package struct DatasetEntropyResult: Codable, Sendable, Hashable {
    package var name: String
    package var entropy: EntropyReport
    /// What shorter histories and fewer users would give, with the same m, r and L.
    package var movement: EntropyMovement

    package init(name: String, entropy: EntropyReport, movement: EntropyMovement) {
        (self.name, self.entropy, self.movement) = (name, entropy, movement)
    }
}
