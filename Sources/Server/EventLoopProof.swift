internal import NIOCore
internal import NIOPosix

extension RPCServer {
    /// Event loops that serve connections.
    package static var loops: Int { NIOSingletons.groupLoopCountSuggestion }

    /// Returns when every event loop that serves connections has taken a turn: a proof that none is stuck.
    package static func takeTurn() async throws {
        for loop in MultiThreadedEventLoopGroup.singleton.makeIterator() { try await loop.submit {}.get() }
    }
}
