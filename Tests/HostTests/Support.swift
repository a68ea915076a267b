import Foundation
import Glibc
import PlawTesting

/// The socket of a service manager: what a service says arrives as one datagram each.
final class NotifySocket: Sendable {
    let path: String
    private let descriptor: Int32

    struct Failure: Error, CustomStringConvertible { var description: String }

    init(path: String) throws {
        self.path = path
        descriptor = socket(
            AF_UNIX,
            Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { target in
            target.copyBytes(from: path.utf8.prefix(target.count - 1))
        }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        guard bound else { throw Failure(description: "cannot bind \(path): \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    /// The next datagram; nil when none comes in time.
    func receive(seconds: Double = 10) async -> String? {
        var text: String?
        _ = await waitUntil(seconds: seconds) {
            text = next()
            return text != nil
        }
        return text
    }

    /// The next datagram that is already there.
    func next() -> String? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count >= 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}

/// What a daemon says about itself.
struct Info: Decodable {
    var name: String
    var pid: Int32
    var stateDirectory: String

    private struct Envelope: Decodable { var result: Info }

    /// Asks on a connection; the peer closing instead is an error.
    init(from connection: RawConnection) async throws {
        try await connection.send(#"{"jsonrpc":"2.0","id":1,"method":"server.info"}"#)
        guard let text = try await connection.receiveText() else {
            throw NotifySocket.Failure(description: "the daemon closed the connection")
        }
        self = try JSONDecoder().decode(Envelope.self, from: Data(text.utf8)).result
    }
}
