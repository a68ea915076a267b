internal import NIOCore
internal import Systemd

/// A connection that was accepted and is not read yet; it is closed when nobody opens it.
///
/// Not an asynchronous channel from the start: one that is never served, since the server is full or ends, would be a
/// fatal error.
final class AcceptedConnection: Sendable {
    let channel: any Channel
    let peer: PeerCredentials

    init(channel: any Channel, peer: PeerCredentials) {
        self.channel = channel
        self.peer = peer
    }

    // Closing what is closed already changes nothing.
    deinit { channel.close(promise: nil) }

    /// The channel to serve; reading begins. Once.
    func open() async throws -> NIOAsyncChannel<Frame, ByteBuffer> {
        let channel = channel
        return try await channel.eventLoop.submit {
            let served = try NIOAsyncChannel<Frame, ByteBuffer>(
                wrappingChannelSynchronously: channel,
                configuration: .init(inboundType: Frame.self, outboundType: ByteBuffer.self))
            try channel.pipeline.syncOperations.handler(type: ReadGate.self).open()
            return served
        }.get()
    }
}

/// Holds reading back until it is opened, so that nothing arrives before there is somebody to take it.
// Used on its channel's event loop alone.
final class ReadGate: ChannelOutboundHandler {
    typealias OutboundIn = Any

    private var isOpen = false
    private var waiting: ChannelHandlerContext?

    func read(context: ChannelHandlerContext) {
        if isOpen { context.read() } else { waiting = context }
    }

    func open() {
        isOpen = true
        waiting?.read()
        waiting = nil
    }

    func handlerRemoved(context: ChannelHandlerContext) { waiting = nil }
}
