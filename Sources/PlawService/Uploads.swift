internal import Files
internal import Interactions
internal import Glibc
internal import Wire
internal import Server
internal import StrictJSON

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Files on their way in, piece by piece. An upload has one file, or several that make one dataset; it is found by its random name, and ends with the connection that began it.
actor Uploads {
    /// Largest piece before base64.
    static let maximumPiece = 2 << 20
    /// Uploads that may be open at once.
    static let maximumOpen = Quota(16)

    /// An upload nobody added to for this long is given up, and one that takes this long in all.
    private let patience: Duration
    private let longest: Duration

    /// Files of an upload.
    static let maximumFiles = 1_000

    private struct Upload {
        /// Bytes of each file received so far.
        var received = [0]
        /// The first file, for who reads it as it comes.
        let growing = GrowingFile()
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

    /// Begins an upload.
    ///
    /// - Throws: `busy` when too many are open, `noSpace` when there is room for none.
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

    /// Adds a piece to the last file, or begins the next.
    ///
    /// - Throws: `uploadUnknown`, `invalidParams` for a gap or bad base64, `tooLarge`, `noSpace`.
    func append(_ id: String, file: Int = 0, offset: Int, data: String) async throws -> DatasetUploadResult {
        let before = try checkPlace(id, file, offset)
        guard let bytes = Data(base64Encoded: data) else {
            throw RPCError.parameter("data", foundText: data, expected: "base64 with padding")
        }
        guard bytes.count <= Self.maximumPiece else {
            throw RPCError(.tooLarge, "data: found \(bytes.count) bytes, expected at most \(Self.maximumPiece)")
        }
        let maximumBytes = limit()
        guard before + offset + bytes.count <= maximumBytes else {
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
        _ = try checkPlace(id, file, offset)
        let descriptor = uninterrupted { open(path(id, file), O_WRONLY | O_CREAT | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { throw failure("continue the upload") }
        defer { close(descriptor) }
        guard bytes.withUnsafeBytes({ writeAll(descriptor, $0, at: offset) }) else { throw failure("write the upload") }
        room.wrote()
        if file == uploads[id]?.received.count { uploads[id]?.received.append(0) }
        uploads[id]?.received[file] += bytes.count
        uploads[id]?.touched = .now
        if file == 0 { uploads[id]?.growing.grew(to: offset + bytes.count) }
        return DatasetUploadResult(uploadId: id, received: offset + bytes.count)
    }

    /// Bytes of the files before it.
    ///
    /// - Throws: `uploadUnknown`, `invalidParams` where a piece does not follow the one before.
    private func checkPlace(_ id: String, _ file: Int, _ offset: Int) throws -> Int {
        guard let upload = uploads[id] else { throw unknown(id) }
        let last = upload.received.count - 1
        guard file == last || file == last + 1, file < Self.maximumFiles else {
            throw RPCError.parameter(
                "file", found: "\(file)",
                expected: file < Self.maximumFiles
                    ? "\(last) or \(last + 1), the file being sent or the next" : "at most \(Self.maximumFiles) files")
        }
        let received = file == last ? upload.received[last] : 0
        guard offset == received else {
            throw RPCError.parameter(
                "offset", found: "\(offset)", expected: "\(received), the bytes received so far",
                ["received": .integer(Int64(received))])
        }
        return upload.received.prefix(file).reduce(0, +)
    }

    /// All has been sent.
    ///
    /// - Throws: `uploadUnknown`.
    func complete(_ id: String) throws -> DatasetUploadResult {
        guard let upload = uploads[id] else { throw unknown(id) }
        upload.growing.complete()
        return DatasetUploadResult(uploadId: id, received: upload.received.last ?? 0)
    }

    /// The file of an upload that is being sent.
    ///
    /// - Throws: `uploadUnknown`, `invalidParams` for one of several files.
    func growing(_ id: String) throws -> GrowingFile {
        guard let upload = uploads[id] else { throw unknown(id) }
        guard upload.received.count == 1 else {
            throw RPCError.parameter("uploading", found: "it for several files", expected: "it for one file")
        }
        return upload.growing
    }

    /// The files of an upload.
    ///
    /// - Throws: `uploadUnknown`.
    func files(_ id: String) throws -> [String] {
        guard let upload = uploads[id] else { throw unknown(id) }
        return upload.received.indices.map { path(id, $0) }
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
        upload.growing.abandon()
        shares.giveBack(1, upload.standing)
        for file in upload.received.indices { unlink(path(id, file)) }
    }

    /// Gives up what a connection left behind.
    func discard(of connection: UInt64) {
        for (id, upload) in uploads where upload.connection == connection { discard(id) }
    }

    /// Gives an upload up; the bytes that it had.
    ///
    /// - Throws: `uploadUnknown`.
    func giveUp(_ id: String) throws -> Int {
        guard let upload = uploads[id] else { throw unknown(id) }
        discard(id)
        return upload.received.reduce(0, +)
    }

    private func path(_ id: String, _ file: Int = 0) -> String { folder + "/" + id + (file == 0 ? "" : ".\(file)") }

    private func unknown(_ id: String) -> RPCError {
        RPCError(.uploadUnknown, "no upload \"\(id)\" is open; begin one with dataset.upload {}")
    }

    private func failure(_ action: String) -> RPCError {
        RPCError(
            errno == ENOSPC || errno == EDQUOT ? .noSpace : .storeFailed,
            "cannot \(action): \(String(cString: strerror(errno)))")
    }
}
