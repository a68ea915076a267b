import Foundation
import Glibc
import PlawTesting
import Testing

/// What `plaw` does with a daemon that means harm, or that is none.
@Suite struct HostileDaemonTests {
    /// Listens on a path and says the same to everybody, whatever is asked.
    private final class Impostor: Sendable {
        private let descriptor: Int32

        init(_ path: String, saying bytes: [UInt8], thenCloses: Bool) throws {
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            self.descriptor = descriptor
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let isBound = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
                }
            }
            guard isBound, listen(descriptor, 16) == 0 else { throw CocoaError(.fileWriteUnknown) }
            // A thread of its own: it blocks. It ends when the descriptor is closed.
            Thread.detachNewThread {
                while true {
                    let peer = accept(descriptor, nil, nil)
                    if peer < 0 { return }
                    // What was asked is read first, so that closing does not take the answer back.
                    var request = [UInt8](repeating: 0, count: 1 << 16)
                    if !bytes.isEmpty { _ = recv(peer, &request, request.count, 0) }
                    var sent = 0
                    while sent < bytes.count {
                        let count = bytes[sent...].withUnsafeBytes {
                            send(peer, $0.baseAddress, $0.count, Int32(truncatingIfNeeded: MSG_NOSIGNAL))
                        }
                        if count <= 0 { break }
                        sent += count
                    }
                    if thenCloses { close(peer) }
                }
            }
        }

        func end() {
            shutdown(descriptor, Int32(SHUT_RDWR))
            close(descriptor)
        }
    }

    private static let cases: [(name: String, bytes: [UInt8], closes: Bool)] = [
        ("nothing", [], true),
        ("a header of 4 GiB", [255, 255, 255, 255], false),
        ("a header of nothing", [0, 0, 0, 0], false),
        ("half a frame", RawConnection.header(100) + Array("{".utf8), true),
        ("no JSON", RawConnection.frame("HTTP/1.1 400 Bad Request\r\n\r\n"), false),
        ("the wrong type", RawConnection.frame(#"{"jsonrpc":"2.0","id":1,"result":[1,2,3]}"#), false),
        ("no result at all", RawConnection.frame(#"{"jsonrpc":"2.0","id":1}"#), true),
        (
            "a refusal with escapes",
            RawConnection.frame(#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"\u001b[2Jx\u202ey"}}"#),
            false
        ),
        (
            "deep nesting",
            RawConnection.frame(String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)), true
        ),
        (
            "numbers without end",
            RawConnection.frame(
                #"{"jsonrpc":"2.0","id":1,"result":{"datasets":"# + String(repeating: "9", count: 1_000_000) + "}}"),
            true
        ),
        ("another's answer", RawConnection.frame(#"{"jsonrpc":"2.0","id":99,"result":{}}"#), true),
        (
            "a flood of notifications",
            (0..<20_000).flatMap { RawConnection.frame(#"{"jsonrpc":"2.0","method":"x","params":{"n":\#($0)}}"#) }, true
        ),
        ("text outside of UTF-8", RawConnection.header(4) + [0xff, 0xfe, 0xc0, 0x80], true),
        (
            "a listing with escapes",
            RawConnection.frame(
                #"{"jsonrpc":"2.0","id":1,"result":{"datasets":[{"name":"\u001b[31mx","users":1,"items":1,"interactions":1,"createdAt":"\u009b2J","observations":0,"laws":0}]}}"#
            ), false
        ),
    ]

    @Test("whatever a daemon answers, a command ends with words and obeys no terminal code", arguments: cases.indices)
    func answers(_ index: Int) async throws {
        let one = Self.cases[index]
        try await withTemporaryFolder { folder in
            let impostor = try Impostor(folder + "/s", saying: one.bytes, thenCloses: one.closes)
            defer { impostor.end() }
            for arguments in [["status"], ["datasets"], ["show", "x"], ["datasets", "--json"]] {
                let start = ContinuousClock.now
                let outcome = try await runProgram(
                    path: "/usr/bin/timeout", ["20", Paths.program("plaw")] + arguments + ["--socket", folder + "/s"])
                #expect(start.duration(to: .now) < .seconds(10 * patience), "\(one.name) \(arguments)")
                let isListing = one.name == "a listing with escapes" && arguments[0] == "datasets"
                #expect(
                    outcome.code.map { isListing ? $0 == 0 : (1...3).contains($0) } == true,
                    "\(one.name) \(arguments): \(outcome)")
                for text in [outcome.output, outcome.errors] {
                    #expect(
                        !text.unicodeScalars.contains {
                            $0.value == 0x1B || (0x80...0x9F).contains($0.value) || $0.value == 0x202E
                        }, "\(one.name)")
                }
                #expect(isListing || !outcome.errors.isEmpty, "\(one.name) \(arguments)")
                #expect(outcome.errors.utf8.count < 4_000, "\(one.name)")
            }
        }
    }
}
