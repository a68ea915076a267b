/// `store.backup`: a snapshot of everything the daemon keeps, in pieces; without `backupId` makes one.
package enum StoreBackup: RPCMethod {
    package typealias Params = StoreBackupParams
    package typealias Result = StoreBackupResult
    package static let name = "store.backup"
    package static let access = Access.write
    package static let ordering = Ordering.concurrent
}

/// One piece of a snapshot.
package struct StoreBackupParams: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case backupId, offset
    }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    /// Absent to make a snapshot.
    package var backupId: String?
    /// First byte of the piece.
    package var offset: Int?

    package init(backupId: String? = nil, offset: Int? = nil) {
        (self.backupId, self.offset) = (backupId, offset)
    }
}

/// A snapshot or a piece of it.
package struct StoreBackupResult: Codable, Sendable, Hashable {
    package var backupId: String
    /// Size of the whole archive.
    package var bytes: Int
    /// Schema of its database.
    package var schemaVersion: String
    /// The piece, base64, at most 2 MiB before encoding; absent where a snapshot was made.
    package var data: String?

    package init(backupId: String, bytes: Int, schemaVersion: String, data: String? = nil) {
        (self.backupId, self.bytes, self.schemaVersion, self.data) = (backupId, bytes, schemaVersion, data)
    }
}
