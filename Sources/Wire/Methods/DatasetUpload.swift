/// `dataset.upload`: sends a file, or several that make one dataset, in pieces; without `uploadId` begins a new upload.
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
        case uploadId, file, offset, data, name, discard, last
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    /// Absent to begin.
    package var uploadId: String?
    /// Number of the file that the piece belongs to, from 0: the last one so far, or the next. Default: 0.
    package var file: Int?
    /// Bytes of the file sent before this piece; must equal what was received.
    package var offset: Int?
    /// The piece, base64, at most 2 MiB before encoding.
    package var data: String?

    /// To begin: the name that a dataset is to get from it, refused here already where it cannot be had.
    package var name: String?
    /// True gives the upload up.
    package var discard: Bool?
    /// True says that all has been sent, to a registration that reads what comes.
    package var last: Bool?

    package init(
        uploadId: String? = nil, file: Int? = nil, offset: Int? = nil, data: String? = nil, name: String? = nil,
        discard: Bool? = nil, last: Bool? = nil
    ) {
        (self.uploadId, self.file, self.offset, self.data) = (uploadId, file, offset, data)
        (self.name, self.discard, self.last) = (name, discard, last)
    }
}

/// The state of an upload.
package struct DatasetUploadResult: Codable, Sendable, Hashable {
    package var uploadId: String
    /// Bytes of the file received so far.
    package var received: Int

    package init(uploadId: String, received: Int) {
        (self.uploadId, self.received) = (uploadId, received)
    }
}
