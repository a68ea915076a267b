import Domain
import Client
import Wire
import Text

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One file of an upload on its way to the daemon.
struct FileUpload: ~Copyable {
    /// Bytes of a piece; its base64 stays under the limit of a request.
    static let piece = 1 << 20

    private let client: PlawClient
    private let id: String
    /// Number of the file in the upload.
    private let file: Int
    /// Bytes that are to come, where that is known.
    private let size: Int
    private var sent = 0
    private var waiting: [UInt8] = []

    init(_ client: PlawClient, _ id: String, file: Int = 0, size: Int = 0) {
        (self.client, self.id, self.file, self.size) = (client, id, file, size)
    }

    /// Sends bytes, or keeps them until there is a piece of them.
    mutating func send(_ bytes: [UInt8]) async throws {
        waiting += bytes
        while waiting.count >= Self.piece {
            try await flush(Self.piece)
        }
    }

    /// Sends what was kept. A file without bytes is sent too.
    mutating func finish() async throws {
        if !waiting.isEmpty || sent == 0 && file > 0 { try await flush(waiting.count) }
        if isShown { Console.redraw("") }
    }

    private mutating func flush(_ count: Int) async throws {
        let data = Data(waiting[..<count]).base64EncodedString()
        waiting.removeFirst(count)
        sent = try await client.call(
            DatasetUpload.self,
            DatasetUploadParams(uploadId: id, file: file == 0 ? nil : file, offset: sent, data: data)
        ).received
        if isShown { Console.redraw("sending \(Format.bytes(Double(sent))) of \(Format.bytes(Double(size)))") }
    }

    private var isShown: Bool { Terminal.isInteractive && size > 8 * Self.piece }
}
