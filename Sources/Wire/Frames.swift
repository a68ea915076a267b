package import NIOCore

/// Limits of the wire. A message is one frame:
///
///      0        1        2        3        4
///     +--------+--------+--------+--------+------------------- - - -
///     |   length, big endian, in bytes    |  UTF-8 JSON, `length` bytes
///     +--------+--------+--------+--------+------------------- - - -
package enum FrameLimits {
    package static let requestBytes = 4 << 20
    package static let responseBytes = 16 << 20
}

/// What the decoder saw.
package enum Frame: Sendable {
    /// With what it holds of the memory for frames, until that goes.
    case message(ByteBuffer, (any Sendable)?)
    /// A header that announces nothing, or more than the limit; the connection cannot go on after it.
    case refused(length: Int, limit: Int)
}

/// Hears of frames on their way in, on their channel's event loop.
package protocol FrameObserver {
    /// A part of a frame is there; nil while its header is not.
    func waits(for length: Int?)
    /// The frame is whole; what it holds of the memory for frames.
    func ends(_ length: Int) -> (any Sendable)?
}

/// Cuts the byte stream into frames; a length over the limit is refused at the header, before any of it is buffered.
package struct FrameDecoder: ByteToMessageDecoder {
    package typealias InboundOut = Frame
    private let limit: Int
    private let flow: (any FrameObserver)?
    private var isBroken = false

    /// - Parameters:
    ///   - limit: most bytes of a frame.
    ///   - flow: counts what frames take of memory and time; nil where the other side is trusted.
    package init(limit: Int, flow: (any FrameObserver)? = nil) {
        (self.limit, self.flow) = (limit, flow)
    }

    package mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard !isBroken else {
            buffer.clear()
            return .needMoreData
        }
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else {
            if buffer.readableBytes > 0 { flow?.waits(for: nil) }
            return .needMoreData
        }
        guard length > 0, length <= limit else {
            isBroken = true
            context.fireChannelRead(Self.wrapInboundOut(.refused(length: Int(length), limit: limit)))
            return .continue
        }
        guard buffer.readableBytes >= 4 + Int(length) else {
            flow?.waits(for: Int(length))
            return .needMoreData
        }
        buffer.moveReaderIndex(forwardBy: 4)
        guard let message = buffer.readSlice(length: Int(length)) else { return .needMoreData }
        context.fireChannelRead(Self.wrapInboundOut(.message(message, flow?.ends(Int(length)))))
        return .continue
    }

    /// What is left when the peer goes away is an unfinished frame, which nobody waits for.
    package mutating func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        let state = try decode(context: context, buffer: &buffer)
        if state == .needMoreData { buffer.clear() }
        return state
    }
}

/// Puts the length before each message.
package struct FrameEncoder: MessageToByteEncoder {
    package typealias OutboundIn = ByteBuffer

    package init() {}

    package func encode(data: ByteBuffer, out: inout ByteBuffer) throws {
        out.writeInteger(UInt32(data.readableBytes))
        out.writeImmutableBuffer(data)
    }
}
