internal import NIOCore

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// A frame on its way out: its header with what is its own, and maybe a text that many answers share. Nothing of it is copied again.
struct Outgoing: Sendable {
    /// The header, and all of the message before `body`, or all there is.
    private(set) var own: ByteBuffer
    private(set) var body: ByteBuffer?

    /// Bytes that are kept in memory for this frame alone.
    var ownBytes: Int { own.readableBytes }

    init(_ message: some Collection<UInt8>) {
        own = ByteBufferAllocator().buffer(capacity: 4 + message.count)
        own.writeInteger(UInt32(message.count))
        own.writeBytes(message)
    }

    /// The answer with a result that is JSON already.
    init(_ id: RequestID, result: some Collection<UInt8>) {
        let start = ResultText.start(id)
        let length = start.utf8.count + result.count + ResultText.end.utf8.count
        own = ByteBufferAllocator().buffer(capacity: 4 + length)
        own.writeInteger(UInt32(length))
        own.writeString(start)
        own.writeBytes(result)
        own.writeString(ResultText.end)
    }

    /// The same, whose result belongs to many answers and is not copied.
    init(_ id: RequestID, shared result: ByteBuffer) {
        let start = ResultText.start(id)
        own = ByteBufferAllocator().buffer(capacity: 4 + start.utf8.count)
        own.writeInteger(UInt32(start.utf8.count + result.readableBytes + ResultText.end.utf8.count))
        own.writeString(start)
        body = result
    }

    /// Of an answer that shares nothing, all behind the header.
    var message: ByteBufferView {
        own.viewBytes(at: own.readerIndex + 4, length: own.readableBytes - 4) ?? ByteBufferView()
    }
}

/// Writes frames, and counts what the kernel has not taken of them yet.
// Used on its channel's event loop alone.
final class FrameWriter: ChannelOutboundHandler {
    typealias OutboundIn = Outgoing
    typealias OutboundOut = ByteBuffer

    private static let end = ByteBuffer(string: ResultText.end)
    private let watch: ConnectionWatch
    private let server: ServerState

    init(_ watch: ConnectionWatch, _ server: ServerState) {
        self.watch = watch
        self.server = server
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let frame = Self.unwrapOutboundIn(data)
        let (watch, server, bytes) = (watch, server, frame.ownBytes)
        server.queued(bytes, watch)
        let written = promise ?? context.eventLoop.makePromise()
        written.futureResult.whenComplete { _ in server.sent(bytes, watch) }
        guard let body = frame.body else {
            return context.write(Self.wrapOutboundOut(frame.own), promise: written)
        }
        context.write(Self.wrapOutboundOut(frame.own), promise: nil)
        context.write(Self.wrapOutboundOut(body), promise: nil)
        context.write(Self.wrapOutboundOut(Self.end), promise: written)
    }
}
