import Foundation
import Logging
import NIOCore
import NIOEmbedded
import Wire
import Synchronization
import Host
import Testing

@testable import Server
import StrictJSON

/// Orders that depend on what the event loop does first, on a loop that the test holds.
@Suite struct HeldLoopTests {
    /// Opened by the test: the request in progress is answered then.
    private final class Gate: Sendable {
        let (opened, opening) = AsyncStream.makeStream(of: Void.self)
        private let started = Atomic(false)
        var hasStarted: Bool { started.load(ordering: .acquiring) }

        func pass() async {
            started.store(true, ordering: .releasing)
            for await _ in opened { return }
        }
    }

    private static func frame(_ id: Int, _ method: String) -> ByteBuffer {
        let text = #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":{}}"#
        var buffer = ByteBuffer()
        buffer.writeInteger(UInt32(text.utf8.count))
        buffer.writeString(text)
        return buffer
    }

    /// The id of the next answer.
    private static func answer(_ channel: NIOAsyncTestingChannel) async throws -> JSONValue? {
        let header = try await channel.waitForOutboundWrite(as: ByteBuffer.self)
        let length = Int(try #require(header.getInteger(at: 0, as: UInt32.self)))
        var message: [UInt8] = []
        while message.count < length {
            message += try await channel.waitForOutboundWrite(as: ByteBuffer.self).readableBytesView
        }
        return try JSONDecoder().decode(JSONValue.self, from: Data(message))["id"]
    }

    @Test("a kept answer comes after one before it that the writer has and the event loop has not")
    func overtaking() async throws {
        let gate = Gate()
        var router = Router()
        router.on(Alone.self) { _, _ in
            await gate.pass()
            return 0
        }
        router.on(Kept.self, kept: ResponseCache { _ in 0 }) { _, _ in [] }
        let server = ServerState(ServerLimits())
        let channel = NIOAsyncTestingChannel()
        try await channel.connect(to: SocketAddress(unixDomainSocketPath: "/peer")).get()
        let watch = ConnectionWatch(channel: channel, peer: .unknown, access: .write, reason: "the test says so")
        let (routes, logger) = (router, Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let served = try await channel.testingEventLoop.executeInContext {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(FrameWriter(watch, server))
            try pipeline.addHandler(ByteToMessageHandler(FrameDecoder(limit: FrameLimits.requestBytes)))
            return try NIOAsyncChannel<Frame, Outgoing>(wrappingChannelSynchronously: channel)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await served.executeThenClose { inbound, outbound in
                    try await Connection(
                        router: routes, watch: watch, access: .write, reason: "the test says so", logger: logger,
                        server: server, outbound: outbound
                    ).serve(inbound)
                }
            }
            // From now on this one is prepared.
            try await channel.writeInbound(Self.frame(1, "test.kept"))
            #expect(try await Self.answer(channel) == .integer(1))
            try await channel.writeInbound(Self.frame(2, "test.alone"))
            while !gate.hasStarted { try await Task.sleep(for: .milliseconds(1)) }
            try await channel.testingEventLoop.executeInContext {
                // The answer is given to the writer, which hands it over when the loop is free; meanwhile a request arrives.
                gate.opening.yield()
                let end = ContinuousClock.now + .seconds(0.5)
                while watch.isAnswering, ContinuousClock.now < end { usleep(1_000) }
                channel.pipeline.fireChannelRead(Self.frame(3, "test.kept"))
                channel.pipeline.fireChannelReadComplete()
            }
            #expect(try await Self.answer(channel) == .integer(2))
            #expect(try await Self.answer(channel) == .integer(3))
            while watch.isAnswering { try await Task.sleep(for: .milliseconds(1)) }
            try await channel.writeInbound(Self.frame(4, "test.kept"))
            #expect(try await Self.answer(channel) == .integer(4))
            try await channel.close()
            try await group.waitForAll()
        }
    }
}
