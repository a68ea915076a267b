internal import NIOCore
internal import Wire
internal import Host

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

    /// The channel to serve, when its peer has said something: those that say nothing take little memory. Once.
    ///
    /// - Throws: when the peer goes away before, or the task is cancelled, which closes it.
    func open() async throws -> NIOAsyncChannel<Frame, Outgoing> {
        let channel = channel
        try await withTaskCancellationHandler {
            try await channel.eventLoop.flatSubmit {
                let came = channel.eventLoop.makePromise(of: Void.self)
                do {
                    // It may not be active yet; one that has ended already takes no handler and says so to nobody any more.
                    channel.closeFuture.whenComplete { _ in came.fail(ChannelError.eof) }
                    try channel.pipeline.syncOperations.addHandler(FirstFrame(came: came))
                    try channel.pipeline.syncOperations.handler(type: ReadGate.self).open()
                } catch {
                    came.fail(error)
                }
                return came.futureResult
            }.get()
        } onCancel: {
            // A future knows of no cancellation: a peer that never says anything would keep the server from ending.
            channel.close(promise: nil)
        }
        return try await channel.eventLoop.submit {
            let served = try NIOAsyncChannel<Frame, Outgoing>(
                wrappingChannelSynchronously: channel,
                configuration: .init(inboundType: Frame.self, outboundType: Outgoing.self))
            try channel.pipeline.syncOperations.handler(type: FirstFrame.self).handOn()
            try channel.pipeline.syncOperations.handler(type: ReadGate.self).release()
            return served
        }.get()
    }
}

/// Keeps the first frames of a connection until somebody serves it.
// Used on its channel's event loop alone.
final class FirstFrame: ChannelInboundHandler {
    typealias InboundIn = Frame
    typealias InboundOut = Frame

    let came: EventLoopPromise<Void>
    private var frames: [NIOAny]? = []
    private var context: ChannelHandlerContext?

    init(came: EventLoopPromise<Void>) { self.came = came }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        came.fail(ChannelError.eof)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard frames != nil else { return context.fireChannelRead(data) }
        frames?.append(data)
        // What comes after it waits in the socket.
        if frames?.count == 1 { try? context.pipeline.syncOperations.handler(type: ReadGate.self).hold() }
        came.succeed()
    }

    func channelInactive(context: ChannelHandlerContext) {
        came.fail(ChannelError.eof)
        context.fireChannelInactive()
    }

    /// Hands on what was kept; from now on nothing is.
    func handOn() {
        let kept = frames ?? []
        frames = nil
        guard let context, !kept.isEmpty else { return }
        for frame in kept { context.fireChannelRead(frame) }
        context.fireChannelReadComplete()
    }
}

/// Holds reading back until it is opened, so that nothing arrives before there is somebody to take it, and while there is no
/// memory for what would arrive. Tells the watch when nothing is read: what the peer has sent then is not late.
// Used on its channel's event loop alone.
final class ReadGate: ChannelDuplexHandler {
    typealias InboundIn = Any
    typealias OutboundIn = Any

    private let watch: ConnectionWatch
    private var isOpen = false
    private var isHeld = false
    private var isAsked = false
    private var context: ChannelHandlerContext?

    init(_ watch: ConnectionWatch) { self.watch = watch }

    var eventLoop: (any EventLoop)? { context?.eventLoop }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func read(context: ChannelHandlerContext) {
        isAsked = true
        readOn()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        watch.readsNothing()
        context.fireChannelRead(data)
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
        watch.reads()
        context.read()
    }
}
