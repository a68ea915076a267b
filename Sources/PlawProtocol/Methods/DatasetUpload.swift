/// `dataset.upload`: sends a file in pieces; without `uploadId` begins a new upload.
package enum DatasetUpload: RPCMethod {
    package typealias Params = DatasetUploadParams
    package typealias Result = DatasetUploadResult
    package static let name = "dataset.upload"
    package static let access = Access.write
    package static let ordering = Ordering.exclusive
}

/// One piece of a file.
package struct DatasetUploadParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case uploadId, offset, data, name, discard
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    /// Absent to begin.
    package var uploadId: String?
    /// Bytes sent before this piece; must equal what was received.
    package var offset: Int?
    /// The piece, base64, at most 2 MiB before encoding.
    package var data: String?

    /// To begin: the name that a dataset is to get from it, refused here already where it cannot be had.
    package var name: String?
    /// True gives the upload up.
    package var discard: Bool?

    package init(
        uploadId: String? = nil, offset: Int? = nil, data: String? = nil, name: String? = nil, discard: Bool? = nil
    ) {
        self.name = name
        self.discard = discard
        self.uploadId = uploadId
        self.offset = offset
        self.data = data
    }
}

/// The state of an upload.
package struct DatasetUploadResult: Codable, Sendable, Hashable {
    package var uploadId: String
    /// Bytes received so far.
    package var received: Int

    package init(uploadId: String, received: Int) {
        self.uploadId = uploadId
        self.received = received
    }
}
