internal import Files
internal import Glibc
internal import PlawProtocol
internal import PlawTransport

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Files on their way in, piece by piece. An upload is found by its random name, and ends with the connection that began it.
actor Uploads {
    /// Largest piece before base64.
    static let maximumPiece = 2 << 20
    /// Uploads that may be open at once.
    static let maximumOpen = Quota(16)

    /// An upload nobody added to for this long is given up, and one that takes this long in all.
    private let patience: Duration
    private let longest: Duration

    private struct Upload {
        var received = 0
        let standing: Standing
        let connection: UInt64
        let begun = ContinuousClock.now
        var touched = ContinuousClock.now
    }

    private let folder: String
    private let limit: @Sendable () -> Int
    private let space: DiskSpace
    private var uploads: [String: Upload] = [:]
    private var shares = Shares()

    init(
        folder: String, maximumBytes limit: @escaping @Sendable () -> Int, space: DiskSpace,
        patience: Duration = .seconds(900), longest: Duration = .seconds(6 * 3_600)
    ) {
        self.space = space
        (self.patience, self.longest) = (patience, longest)
        self.folder = folder
        self.limit = limit
    }

    /// Begins an upload. Errors: `busy` when too many are open, `noSpace` when there is room for none.
    ///
    /// - Parameter connection: number of the connection that it ends with.
    func begin(by standing: Standing, on connection: UInt64) async throws -> DatasetUploadResult {
        try await space.check(1, for: "an upload")
        discardOverdue()
        if let bound = shares.bound(1, standing, Self.maximumOpen) {
            throw RPCError(
                .busy, "\(bound.taken) uploads are open, at most \(bound.limit) may be; finish one or try again later",
                ["limit": .integer(Int64(bound.limit))])
        }
        let id = UUID().uuidString.lowercased()
        let descriptor = open(path(id), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("create an upload") }
        close(descriptor)
        uploads[id] = Upload(standing: standing, connection: connection)
        shares.take(1, standing)
        return DatasetUploadResult(uploadId: id, received: 0)
    }

    /// Adds a piece. Errors: `uploadUnknown`, `invalidParams` for a gap or bad base64, `tooLarge`, `noSpace`.
    func append(_ id: String, offset: Int, data: String) async throws -> DatasetUploadResult {
        try checkPlace(id, offset)
        guard let bytes = Data(base64Encoded: data) else {
            throw RPCError.parameter("data", foundText: data, expected: "base64 with padding")
        }
        guard bytes.count <= Self.maximumPiece else {
            throw RPCError(.tooLarge, "data: found \(bytes.count) bytes, expected at most \(Self.maximumPiece)")
        }
        let maximumBytes = limit()
        guard offset + bytes.count <= maximumBytes else {
            discard(id)
            throw RPCError(.tooLarge, "the upload exceeds maxUploadBytes, \(maximumBytes) bytes")
        }
        let room: DiskSpace.Reservation
        do {
            room = try await space.reserve(bytes.count, for: "the next piece of the upload")
        } catch let error as RPCError where error.code == ErrorCode.noSpace.rawValue {
            discard(id)
            throw error
        }
        // Another connection may have sent the same piece meanwhile.
        try checkPlace(id, offset)
        let descriptor = uninterrupted { open(path(id), O_WRONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw failure("continue the upload") }
        defer { close(descriptor) }
        guard bytes.withUnsafeBytes({ writeAll(descriptor, $0, at: offset) }) else { throw failure("write the upload") }
        room.wrote()
        uploads[id]?.received += bytes.count
        uploads[id]?.touched = .now
        return DatasetUploadResult(uploadId: id, received: offset + bytes.count)
    }

    private func checkPlace(_ id: String, _ offset: Int) throws {
        guard let upload = uploads[id] else { throw unknown(id) }
        guard offset == upload.received else {
            throw RPCError.parameter(
                "offset", found: "\(offset)", expected: "\(upload.received), the bytes received so far",
                ["received": .integer(Int64(upload.received))])
        }
    }

    /// The file of an upload. Errors: `uploadUnknown`.
    func file(_ id: String) throws -> String {
        guard uploads[id] != nil else { throw unknown(id) }
        return path(id)
    }

    /// Gives up what takes too long: its bytes lie on the disk.
    func discardOverdue() {
        let now = ContinuousClock.now
        for (id, upload) in uploads where now - upload.touched > patience || now - upload.begun > longest {
            discard(id)
        }
    }

    func discard(_ id: String) {
        guard let upload = uploads.removeValue(forKey: id) else { return }
        shares.giveBack(1, upload.standing)
        unlink(path(id))
    }

    /// Gives up what a connection left behind.
    func discard(of connection: UInt64) {
        for (id, upload) in uploads where upload.connection == connection { discard(id) }
    }

    /// Gives an upload up; the bytes that it had. Errors: `uploadUnknown`.
    func giveUp(_ id: String) throws -> Int {
        guard let upload = uploads[id] else { throw unknown(id) }
        discard(id)
        return upload.received
    }

    private func path(_ id: String) -> String { folder + "/" + id }

    private func unknown(_ id: String) -> RPCError {
        RPCError(.uploadUnknown, "no upload \"\(id)\" is open; begin one with dataset.upload {}")
    }

    private func failure(_ action: String) -> RPCError {
        RPCError(
            errno == ENOSPC || errno == EDQUOT ? .noSpace : .storeFailed,
            "cannot \(action): \(String(cString: strerror(errno)))")
    }
}
