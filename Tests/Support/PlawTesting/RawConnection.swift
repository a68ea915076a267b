internal import CPlawTesting
internal import Files
internal import Glibc
package import StrictJSON
internal import Wire

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// A connection that knows nothing but bytes and frames, to say to a server what a well-behaved client would not.
///
/// It waits by sleeping, so that it never holds a thread the server under test runs on; ten seconds of silence are an error by default.
package struct RawConnection: Sendable {
    private let descriptor: Int32
    /// Seconds of silence that are an error.
    package var mostSilence = 10.0

    package struct Failure: Error, CustomStringConvertible {
        package var description: String
        var code: Int32 = 0
    }

    package init(path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { target in
            target.copyBytes(from: path.utf8.prefix(target.count - 1))
        }
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        guard connected else {
            Glibc.close(descriptor)
            throw Failure(description: "cannot connect to \(path): \(String(cString: strerror(errno)))")
        }
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }

    /// Connects as another user; root may.
    package init(path: String, as user: UInt32) throws {
        descriptor = plaw_connect_as(user, path)
        guard descriptor >= 0 else {
            throw Failure(description: "cannot connect to \(path) as user \(user): \(String(cString: strerror(errno)))")
        }
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }

    package func close() { Glibc.close(descriptor) }

    /// Says that nothing more will be sent.
    package func closeForWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Process number of the one who listens at the other end; 0 where the kernel does not say.
    package var listener: Int32 { SocketCredentials(of: descriptor)?.pid ?? 0 }

    /// Sends bytes as they are.
    ///
    /// - Throws: when the peer has closed, or has not read for ten seconds.
    package func send(bytes: [UInt8]) async throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = try await untilReady("send") { [rest] in
                rest.withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(truncatingIfNeeded: MSG_NOSIGNAL))
                }
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Repeats a call that would block.
    ///
    /// - Throws: what it says else, and ten seconds of silence.
    private func untilReady(_ action: String, _ call: () -> Int) async throws -> Int {
        let end = ContinuousClock.now + .seconds(mostSilence * patience)
        while true {
            let count = call()
            if count >= 0 { return count }
            guard errno == EAGAIN || errno == EINTR, ContinuousClock.now < end else {
                throw Failure(description: "\(action): \(String(cString: strerror(errno)))", code: errno)
            }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// A frame around a text.
    package static func frame(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return header(bytes.count) + bytes
    }

    package static func header(_ length: Int) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) }
    }

    package func send(_ text: String) async throws { try await send(bytes: Self.frame(text)) }

    /// The next frame's text; nil when the peer has closed.
    ///
    /// - Throws: after ten seconds of silence.
    package func receiveText() async throws -> String? {
        guard let header = try await receive(4) else { return nil }
        let length = header.reduce(0) { $0 << 8 | Int($1) }
        guard let body = try await receive(length) else {
            throw Failure(description: "the peer closed inside a frame")
        }
        return String(decoding: body, as: UTF8.self)
    }

    /// The next frame as JSON; nil when the peer has closed.
    package func receive() async throws -> JSONValue? {
        try await receiveText().map { try JSONDecoder().decode(JSONValue.self, from: Data($0.utf8)) }
    }

    /// Sends a text and receives the next frame.
    package func exchange(_ text: String) async throws -> JSONValue? {
        try await send(text)
        return try await receive()
    }

    private func receive(_ count: Int) async throws -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            var piece = [UInt8](repeating: 0, count: min(count - bytes.count, 1 << 20))
            let received: Int
            do {
                received = try await untilReady("receive") { recv(descriptor, &piece, piece.count, 0) }
            } catch let failure as Failure where failure.code == ECONNRESET {
                return nil
            }
            if received == 0 {
                guard bytes.isEmpty else { throw Failure(description: "the peer closed inside a frame") }
                return nil
            }
            bytes += piece[..<received]
        }
        return bytes
    }
}
