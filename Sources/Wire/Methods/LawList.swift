package import Domain

/// `law.list`: the laws being served, of one dataset or all, page by page.
package enum LawList: RPCMethod {
    package typealias Params = LawListParams
    package typealias Result = LawListResult
    package static let name = "law.list"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}

/// Which laws.
package struct LawListParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, metric, loss, backbone, family, law, before, limit
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package static let largestPage = 10_000

    package var name: String?
    /// Only laws of this metric, of this loss.
    package var metric: Metric?
    package var loss: Loss?
    /// Only laws of this backbone.
    package var backbone: Model?
    /// Only this family among `fits`.
    package var family: LawFamily?
    /// Only the law with this number.
    package var law: Int64?
    /// Only those with smaller numbers: the `next` of the answer before.
    package var before: Int64?
    /// Most laws of an answer; as many as a frame holds by default.
    package var limit: Int?
}

extension LawListParams {
    package init(name: String?) { self.name = name }
}

/// Stored laws.
package struct LawListResult: Codable, Sendable, Hashable {
    package var laws: [Law]
    /// The fits of the families asked for, law by law.
    package var fits: [FamilyFit]
    /// Number to go on before; absent when these were the last.
    package var next: Int64?

    package init(laws: [Law], family: LawFamily? = nil, next: Int64? = nil) {
        self.laws = laws
        self.next = next
        fits = laws.flatMap { $0.fit.fits.filter { family == nil || $0.family == family } }
    }
}
