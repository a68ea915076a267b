internal import NIOCore
internal import Systemd

/// A connection that was accepted and is not read yet; it is closed when nobody opens it.
///
/// Not an asynchronous channel from the start: one that is never served, since the server is full or ends, would be a
/// fatal error.
final class AcceptedConnection: Sendable {
    let channel: any Channel
    let watch: ConnectionWatch
    var peer: PeerCredentials { watch.peer }

    init(_ watch: ConnectionWatch) {
        channel = watch.channel
        self.watch = watch
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

/// Holds reading back until it is opened, so that nothing arrives before there is somebody to take it, and while there is no
/// memory for what would arrive.
// Used on its channel's event loop alone.
final class ReadGate: ChannelOutboundHandler {
    typealias OutboundIn = Any

    private var isOpen = false
    private var isHeld = false
    private var isAsked = false
    private var context: ChannelHandlerContext?

    var eventLoop: (any EventLoop)? { context?.eventLoop }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func read(context: ChannelHandlerContext) {
        isAsked = true
        readOn()
    }

    func open() {
        isOpen = true
        readOn()
    }

    func hold() { isHeld = true }

    func release() {
        isHeld = false
        readOn()
    }

    private func readOn() {
        guard isOpen, !isHeld, isAsked, let context else { return }
        isAsked = false
        context.read()
    }
}
