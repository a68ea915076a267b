import Domain
import Files
import Glibc
import PlawClient
import PlawProtocol
import Text

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A file that is sent piece by piece.
struct LocalFile: Sendable {
    private let path: String
    private let descriptor: Int32
    private let size: Int

    /// Bytes of a piece; its base64 stays under the limit of a request.
    private static let piece = 1 << 20

    /// Errors: `CommandFailure` naming the file.
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

    func close() { Glibc.close(descriptor) }

    /// Sends the bytes and returns the upload they form.
    ///
    /// - Parameter name: what a dataset made of them is to be called; one that cannot be had is refused before the first byte.
    func send(to client: PlawClient, for name: String? = nil) async throws -> String {
        let id = try await client.call(DatasetUpload.self, DatasetUploadParams(name: name)).uploadId
        var sent = 0
        var bytes = [UInt8](repeating: 0, count: Self.piece)
        while true {
            let count = bytes.withUnsafeMutableBytes { readSome(descriptor, into: $0) }
            guard count >= 0 else {
                throw CommandFailure("\(path): cannot be read: \(String(cString: strerror(errno)))")
            }
            guard count > 0 else { break }
            let data = Data(bytes[..<count]).base64EncodedString()
            sent = try await client.call(
                DatasetUpload.self, DatasetUploadParams(uploadId: id, offset: sent, data: data)
            ).received
            if Terminal.isInteractive, size > 8 * Self.piece {
                Console.redraw("sending \(Format.bytes(Double(sent))) of \(Format.bytes(Double(size)))")
            }
        }
        if Terminal.isInteractive, size > 8 * Self.piece { Console.redraw("") }
        return id
    }
}
