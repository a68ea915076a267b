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
