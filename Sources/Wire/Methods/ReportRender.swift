package import Domain

/// `report.render`: everything known of a dataset as one self-contained page of HTML.
package enum ReportRender: RPCMethod {
    package typealias Params = ReportRenderParams
    package typealias Result = ReportRenderResult
    package static let name = "report.render"
    package static let access = Access.read
    package static let effort = Effort.long
    package static let ordering = Ordering.concurrent
}

/// Which report.
package struct ReportRenderParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable { case name, metric, loss }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package var name: String
    /// What the recommendation maximises; ndcg@10 by default.
    package var metric: Metric?
    package var loss: Loss?

    package init(name: String, metric: Metric? = nil, loss: Loss? = nil) {
        (self.name, self.metric, self.loss) = (name, metric, loss)
    }
}

/// A report.
package struct ReportRenderResult: Codable, Sendable, Hashable {
    package var dataset: String
    /// Well-formed as XML too; refers to nothing outside itself.
    package var html: String

    package init(dataset: String, html: String) {
        (self.dataset, self.html) = (dataset, html)
    }
}
