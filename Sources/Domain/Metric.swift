/// A ranking metric at a cutoff, written `hr@10`, `ndcg@10`, `mrr@10` on the wire.
package struct Metric: Codable, Sendable, Hashable, LosslessStringConvertible {
    package enum Kind: String, Codable, Sendable, Hashable, CaseIterable { case hr, ndcg, mrr }

    package var kind: Kind
    /// Cutoff K: a target ranked below it earns nothing.
    package var k: Int

    package init(_ kind: Kind, _ k: Int) {
        (self.kind, self.k) = (kind, k)
    }

    /// No catalogue is searched farther down.
    package static let largestK = 1_000_000

    /// What is expected where a text is none.
    package static let expected = "a metric such as hr@10, ndcg@10 or mrr@10, at most @\(largestK)"

    /// Reads `hr@10`; nil when the text is not `<hr|ndcg|mrr>@<integer from 1 to largestK>`.
    package init?(_ text: String) {
        let parts = text.lowercased().split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, let kind = Kind(rawValue: String(parts[0])), let k = Int(parts[1]),
            (1...Self.largestK).contains(k)
        else { return nil }
        self.init(kind, k)
    }

    package var description: String { "\(kind.rawValue)@\(k)" }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let metric = Metric(text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription:
                    "found \"\(text)\", expected \(Metric.expected)"
            )
        }
        self = metric
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// A mean over users and its standard error.
package struct Measurement: Codable, Sendable, Hashable {
    package var value: Double
    /// 0 where nobody said it; absent on the wire then.
    package var standardError: Double

    package init(value: Double, standardError: Double) {
        (self.value, self.standardError) = (value, standardError)
    }

    /// True where the standard error is not known: a mean above 0 has none of 0 unless all users earned the same.
    package var lacksError: Bool { standardError == 0 && value > 0 && value < 1 }

    private enum CodingKeys: CodingKey { case value, standardError }

    package init(from decoder: any Decoder) throws {
        let c = try decoder.container(keyedBy: CodingKeys.self)
        value = try c.decode(Double.self, forKey: .value)
        standardError = try c.decodeIfPresent(Double.self, forKey: .standardError) ?? 0
    }

    package func encode(to encoder: any Encoder) throws {
        var c = encoder.container(keyedBy: CodingKeys.self)
        try c.encode(value, forKey: .value)
        if !lacksError { try c.encode(standardError, forKey: .standardError) }
    }
}

/// Which of the user's earlier items are left out of the ranked candidates (the target never is).
package enum CandidateMask: String, Codable, Sendable, Hashable, CaseIterable {
    /// All items compete, as in RecBole's sequential models.
    case none
    /// The L items in view are left out.
    case window
    /// Every earlier item of the user is left out.
    case full

    /// `full` where under 1 % of the interactions repeat an earlier (user, item) pair, else `none`.
    package static func standard(repeatedShare: Double) -> CandidateMask { repeatedShare < 0.01 ? .full : .none }
}
