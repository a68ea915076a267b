import Foundation
import Client
import Wire
import PlawTesting
import StrictJSON
import Testing

/// Peers that try to make the daemon write, or wait, where it must not.
@Suite struct EscapeTests {
    private static let names = [
        "../escaped", "/tmp/escaped", "a/b", "..", ".", "", ".hidden", "a\u{0}b", "a\nb", "é", "plawd.sqlite/..",
        String(repeating: "x", count: 65), "-rf", "~", "$(touch x)", "a b",
    ]

    /// All files below a folder, by path, with their sizes.
    private static func files(_ folder: String) throws -> Set<String> {
        Set(try FileManager.default.subpathsOfDirectory(atPath: folder))
    }

    @Test("names and ids that are paths are refused, and nothing is written outside the state directory")
    func paths() async throws {
        try await withTemporaryFolder { folder in
            try Data("1 2\n1 3\n1 2\n1 4\n2 2\n".utf8).write(to: URL(filePath: folder + "/data.txt"))
            _ = try await withDaemon(in: folder) { daemon in
                let before = try Self.files(folder)
                let peer = try RawConnection(path: daemon.socket)
                defer { peer.close() }
                func refused(_ method: String, _ params: JSONValue) async throws {
                    let text = String(decoding: try JSONEncoder().encode(params), as: UTF8.self)
                    let answer = try await peer.exchange(
                        #"{"jsonrpc":"2.0","id":1,"method":"\#(method)","params":\#(text)}"#)
                    #expect(answer?["error"] != nil, "\(method) \(text)")
                    #expect(answer?["error"]?["code"] != .integer(Int64(ErrorCode.internalError.rawValue)), "\(text)")
                }
                for name in Self.names {
                    let text = JSONValue.string(name)
                    try await refused(
                        "dataset.register", .object(["name": text, "path": .string(folder + "/data.txt")]))
                    try await refused(
                        "observation.import",
                        .object(["name": text, "create": .bool(true), "text": .string("layers,dim,hr@10\n1,2,0.1\n")]))
                    for method in ["dataset.get", "dataset.remove", "report.render", "law.fit", "dataset.entropy"] {
                        try await refused(method, .object(["name": text]))
                    }
                    try await refused(
                        "dataset.upload", .object(["uploadId": text, "offset": .integer(0), "data": .string("AAAA")]))
                    try await refused("dataset.register", .object(["name": .string("good"), "uploadId": text]))
                    try await refused("observation.import", .object(["name": .string("good"), "uploadId": text]))
                }
                // A file's name at the client is for messages alone.
                let answer = try await raw(
                    daemon.socket, "dataset.register",
                    .object([
                        "name": .string("good"), "path": .string(folder + "/data.txt"),
                        "fileName": .string("../../escaped"),
                    ]))
                #expect(answer["dataset"]?["fileName"] == .string("../../escaped"))
                let new = try Self.files(folder).subtracting(before)
                // The room that is kept for removals comes when the daemon finds time for it.
                let own = ["state/corpora/good.", "state/plawd.sqlite", "state/plawd.spare"]
                #expect(new.allSatisfy { file in own.contains { file.hasPrefix($0) } }, "\(new)")
                #expect(!FileManager.default.fileExists(atPath: "/tmp/escaped"))
            }
        }
    }

    @Test("a path that is a pipe, a device or a folder is refused at once", arguments: ["pipe", "/dev/zero", "folder"])
    func irregular(kind: String) async throws {
        try await withTemporaryFolder { folder in
            let path = kind.hasPrefix("/") ? kind : folder + "/" + kind
            if kind == "pipe" { mkfifo(path, 0o600) }
            if kind == "folder" {
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            }
            _ = try await withDaemon(in: folder) { daemon in
                let peer = try RawConnection(path: daemon.socket)
                defer { peer.close() }
                let answer = try await peer.exchange(
                    #"{"jsonrpc":"2.0","id":1,"method":"dataset.register","params":{"name":"a","path":"\#(path)"}}"#)
                #expect(answer?["error"]?["data"]?["cause"] == .string("unreadable"))
            }
        }
    }

    @Test("an upload's pieces are bounded, and a gap, an overlap and text that is not base64 are refused")
    func uploads() async throws {
        try await withTemporaryFolder { folder in
            let configuration = folder + "/plawd.json"
            try Data(#"{"maxUploadBytes":1000}"#.utf8).write(to: URL(filePath: configuration))
            _ = try await withDaemon(in: folder, arguments: ["--config", configuration]) { daemon in
                try await withUpload(daemon.socket) { id in
                    func code(_ offset: Int, _ data: String) async -> Int? {
                        do {
                            _ = try await call(
                                daemon.socket, DatasetUpload.self,
                                DatasetUploadParams(uploadId: id, offset: offset, data: data))
                            return nil
                        } catch {
                            return (error as? RPCError)?.code ?? 1
                        }
                    }
                    let invalid = ErrorCode.invalidParams.rawValue
                    #expect(await code(0, Data(count: 600).base64EncodedString()) == nil)
                    for offset in [0, 599, 601, -1, Int.max, Int.min] { #expect(await code(offset, "AAAA") == invalid) }
                    #expect(await code(600, "?") == invalid)
                    #expect(await code(600, Data(count: 401).base64EncodedString()) == ErrorCode.tooLarge.rawValue)
                    // It is gone, and so are its bytes.
                    #expect(await code(600, "AAAA") == ErrorCode.uploadUnknown.rawValue)
                    let left = try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/uploads")
                    #expect(left.isEmpty)
                }
                try await PlawClient.withConnection(path: daemon.socket) { client in
                    for _ in 0..<16 { _ = try await client.call(DatasetUpload.self, DatasetUploadParams()) }
                    await #expect(throws: RPCError.self) {
                        try await client.call(DatasetUpload.self, DatasetUploadParams())
                    }
                }
            }
        }
    }
}
