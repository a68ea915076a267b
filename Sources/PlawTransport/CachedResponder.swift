internal import NIOCore
internal import PlawProtocol

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Answers what is prepared or quickly worked out where its request arrives, on the event loop: no thread but that one has to get its turn. Only while
/// nothing else of the connection waits or is in progress, so that the order of requests holds, and while its peer reads. For peers that only
/// read nothing is worked out here: many of them would keep the event loop from all others.
// Used on its channel's event loop alone.
final class CachedResponder: ChannelInboundHandler {
    typealias InboundIn = Frame
    typealias InboundOut = Frame
    typealias OutboundOut = Outgoing

    private let router: Router
    private let access: Access
    private let watch: ConnectionWatch
    private let server: ServerState
    private var hasWritten = false

    init(router: Router, access: Access, watch: ConnectionWatch, server: ServerState) {
        self.router = router
        self.access = access
        self.watch = watch
        self.server = server
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // A read may bring more requests than there is room for their answers: those that are there go first.
        if hasWritten, !context.channel.isWritable { context.flush() }
        if case .message(let buffer, nil) = Self.unwrapInboundIn(data), watch.isQuiet, context.channel.isWritable,
            let answer = answer(buffer)
        {
            hasWritten = true
            return context.write(Self.wrapOutboundOut(answer), promise: nil)
        }
        watch.passOn()
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if hasWritten { context.flush() }
        hasWritten = false
        context.fireChannelReadComplete()
    }

    private func answer(_ buffer: ByteBuffer) -> Outgoing? {
        let arrival = ContinuousClock.now
        guard !server.isStopping, buffer.readableBytes <= Envelope.mostBytes,
            let envelope = Envelope(Data(buffer.readableBytesView)),
            let route = router.routes[envelope.method], access >= route.access,
            let result = route.prepared?.find(envelope.method, envelope.params)
                ?? (watch.standing.rank == .reader ? nil : route.quick?(envelope))
        else { return nil }
        server.count(envelope.method)
        server.recordLatency(envelope.method, since: arrival)
        return Outgoing(envelope.id, result: result.readableBytesView)
    }
}
