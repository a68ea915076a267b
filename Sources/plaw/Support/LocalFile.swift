import Domain
import Files
import Glibc
import Client
import Wire
import Text

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A file that is sent piece by piece.
struct LocalFile: Sendable {
    let path: String
    let descriptor: Int32
    let size: Int
    /// The first bytes, where they were looked at; of what cannot be read twice they are handed out with the others.
    private(set) var head: [UInt8] = []
    private var isSeekable = true

    /// - Throws: `CommandFailure` naming the file.
    init(_ path: String) throws {
        self.path = path
        // A pipe without a writer would hold the opening up.
        descriptor = uninterrupted { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else {
            throw CommandFailure("\(path): cannot be read: \(String(cString: strerror(errno)))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else {
            Glibc.close(descriptor)
            throw CommandFailure("\(path): is a directory, expected a file")
        }
        size = Int(status.st_size)
        if status.st_mode & S_IFMT == S_IFIFO { awaitWriter() }
    }

    /// A pipe that nobody writes to would be read as empty, or waited for without a word.
    private func awaitWriter() {
        var descriptors = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        if uninterrupted({ poll(&descriptors, 1, 2_000) }) == 0 {
            Terminal.note("plaw: \(path) is a pipe, and nothing has come out of it yet; waiting")
            _ = uninterrupted { poll(&descriptors, 1, -1) }
        }
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
    }

    /// What comes from standard input.
    static let standardInput = LocalFile(descriptor: STDIN_FILENO)

    private init(descriptor: Int32) {
        (path, self.descriptor, size) = ("standard input", descriptor, 0)
    }

    private init(_ file: LocalFile, _ descriptor: Int32, head: [UInt8], isSeekable: Bool) {
        (path, self.descriptor, size) = (file.path, descriptor, file.size)
        (self.head, self.isSeekable) = (head, isSeekable)
    }

    /// The file with its first bytes read.
    ///
    /// - Parameter needsPlaces: of these bytes, whether the file must be read in any order. What comes from a pipe is then copied to a
    ///   file without a name first.
    func withHead(of needsPlaces: ([UInt8]) -> Bool) throws -> LocalFile {
        var head = [UInt8](repeating: 0, count: 512)
        let isSeekable = lseek(descriptor, 0, SEEK_CUR) == 0
        let count = head.withUnsafeMutableBytes { readAll(descriptor, into: $0, at: isSeekable ? 0 : nil) }
        guard count >= 0 else { throw failure() }
        head.removeLast(head.count - count)
        guard !isSeekable, needsPlaces(head) else {
            return LocalFile(self, descriptor, head: head, isSeekable: isSeekable)
        }
        let copy = try Self.nameless(for: "a copy of \(path)")
        var bytes = head
        while !bytes.isEmpty {
            guard bytes.withUnsafeBytes({ writeAll(copy, $0) }) else {
                throw CommandFailure("\(path): cannot be copied to $TMPDIR: \(String(cString: strerror(errno)))")
            }
            bytes = [UInt8](repeating: 0, count: FileUpload.piece)
            let count = bytes.withUnsafeMutableBytes { readSome(descriptor, into: $0) }
            guard count >= 0 else { throw failure() }
            bytes.removeLast(bytes.count - count)
        }
        lseek(copy, 0, SEEK_SET)
        return LocalFile(self, copy, head: head, isSeekable: true)
    }

    /// A file without a name, which goes with its descriptor.
    ///
    /// - Throws: `CommandFailure` naming the folder.
    static func nameless(for purpose: String) throws -> Int32 {
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var name = Array((folder + "/plaw.XXXXXX").utf8CString)
        let descriptor = mkstemp(&name)
        guard descriptor >= 0 else {
            throw CommandFailure("\(folder): cannot hold \(purpose): \(String(cString: strerror(errno)))")
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        unlink(name)
        return descriptor
    }

    private func failure() -> CommandFailure {
        CommandFailure("\(path): cannot be read: \(String(cString: strerror(errno)))")
    }

    func close() { Glibc.close(descriptor) }

    /// Sends the bytes and returns the upload they form.
    ///
    /// - Parameter name: what a dataset made of them is to be called; one that cannot be had is refused before the first byte.
    func send(to client: PlawClient, for name: String? = nil) async throws -> String {
        let id = try await client.call(DatasetUpload.self, DatasetUploadParams(name: name)).uploadId
        var upload = FileUpload(client, id, size: size)
        try await forEachPiece { try await upload.send($0) }
        try await upload.finish()
        return id
    }

    /// Hands the bytes to `body`, piece by piece, in their order.
    func forEachPiece(_ body: ([UInt8]) async throws -> Void) async throws {
        if isSeekable { lseek(descriptor, 0, SEEK_SET) } else if !head.isEmpty { try await body(head) }
        var bytes = [UInt8](repeating: 0, count: FileUpload.piece)
        while true {
            let count = bytes.withUnsafeMutableBytes { readSome(descriptor, into: $0) }
            guard count >= 0 else { throw failure() }
            guard count > 0 else { return }
            try await body(Array(bytes[..<count]))
        }
    }
}
