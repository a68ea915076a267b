internal import NIOCore
internal import StrictJSON

/// A frame on its way out. Nothing of a result that is kept is copied.
struct Outgoing: Sendable {
    private static let end = ByteBuffer(string: "}")

    /// The message, in pieces.
    let pieces: [ByteBuffer]
    /// Bytes of the message.
    let count: Int

    init(_ message: some Collection<UInt8>) { self.init(pieces: [ByteBuffer(bytes: message)]) }

    /// The answer with a result that is JSON already.
    init(_ id: RequestID, result: ByteBuffer) throws {
        var start = ByteBuffer(string: "{\"id\":")
        start.writeBytes(try JSONWriter.bytes(of: id))
        start.writeString(",\"jsonrpc\":\"2.0\",\"result\":")
        self.init(pieces: [start, result, Self.end])
    }

    private init(pieces: [ByteBuffer]) {
        self.pieces = pieces
        count = pieces.reduce(0) { $0 + $1.readableBytes }
    }

    var frame: [ByteBuffer] { [ByteBuffer(integer: UInt32(count))] + pieces }
}

/// Writes frames, and counts what the kernel has not taken of them yet.
// Used on its channel's event loop alone.
final class FrameWriter: ChannelOutboundHandler {
    typealias OutboundIn = Outgoing
    typealias OutboundOut = ByteBuffer

    private let watch: ConnectionWatch
    private let server: ServerState

    init(_ watch: ConnectionWatch, _ server: ServerState) {
        (self.watch, self.server) = (watch, server)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let frame = Self.unwrapOutboundIn(data)
        let (watch, server, bytes) = (watch, server, frame.count)
        server.queued(bytes, watch)
        let written = promise ?? context.eventLoop.makePromise()
        written.futureResult.whenComplete { _ in server.sent(bytes, watch) }
        let parts = frame.frame
        for (number, part) in parts.enumerated() {
            context.write(Self.wrapOutboundOut(part), promise: number == parts.count - 1 ? written : nil)
        }
    }
}
