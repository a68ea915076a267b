import Foundation
import Glibc
import Client
import Wire
import PlawTesting
import Server
import Testing

/// The client at a daemon that says what no daemon should.
@Suite struct ClientTests {
    /// Listens at a path, reads one request and answers with `answer`; returns when the client has gone.
    private static func serve(_ listener: Int32, _ answer: String) {
        let peer = accept(listener, nil, nil)
        defer { close(peer) }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        _ = read(peer, &buffer, buffer.count)
        let count = UInt32(answer.utf8.count)
        let frame = (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) } + Array(answer.utf8)
        _ = write(peer, frame, frame.count)
        while read(peer, &buffer, buffer.count) > 0 {}
    }

    private static func listen(_ path: String) throws -> Int32 {
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            // Every address begins as `sockaddr` does.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0 && Glibc.listen(listener, 1) == 0)
        return listener
    }

    @Test(
        "an answer that is no strict JSON, or not what was asked for, ends the call and says where",
        arguments: [
            (#"{"jsonrpc":"2.0","id":1,"result":{"datasets":[]},"result":1}"#, "found the member \"result\" twice"),
            (#"{"jsonrpc":"2.0","id":1,"result":{"datasets":[],}}"#, "found '}' at byte 48, expected a name"),
            ("nonsense", "found 'o' at byte 1, expected null"),
            (#"{"jsonrpc":"2.0","id":1,"result":{"datasets":1}}"#, "dataset.list: "),
            (#"{"jsonrpc":"2.0","id":1,"result":{"datasets":1}}"#, "datasets: found 1, expected an array"),
            (#"{"jsonrpc":"2.0","id":1}"#, "result: missing"),
            (
                #"{"jsonrpc":"2.0","id":1,"error":{"code":"x","message":""}}"#,
                "code: found \"x\", expected a whole number"
            ),
        ])
    func rubbish(answer: String, words: String) async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/s"
            let listener = try Self.listen(path)
            defer { close(listener) }
            Thread.detachNewThread { Self.serve(listener, answer) }
            let error = await #expect(throws: ClientError.self) {
                try await PlawClient.withConnection(path: path) { client in
                    try await client.call(DatasetList.self, DatasetListParams())
                }
            }
            #expect(error?.description.contains(words) == true, "\(error as Any)")
        }
    }
}
