import Logging
import Wire
import PlawTesting
import Server
import Synchronization

/// `test.echo`: returns its text; waits before, when told to.
enum Echo: RPCMethod {
    struct Params: RPCParams {
        enum CodingKeys: String, CodingKey, CaseIterable { case text, milliseconds, repeated }
        static let fields = Set(CodingKeys.allCases.map(\.rawValue))
        var text: String
        var milliseconds: Int?
        var repeated: Int?
    }
    static let name = "test.echo"
    static let access = Access.read
    static let ordering = Ordering.concurrent
    typealias Result = String
}

/// `test.alone`: exclusive; returns how many requests of its connection were in progress beside it.
enum Alone: RPCMethod {
    struct Params: RPCParams {
        enum CodingKeys: String, CodingKey, CaseIterable { case milliseconds }
        static let fields = Set(CodingKeys.allCases.map(\.rawValue))
        var milliseconds: Int?
    }
    typealias Result = Int
    static let name = "test.alone"
    static let access = Access.write
    static let ordering = Ordering.exclusive
}

/// `test.follow`: sends `count` notifications `test.event`.
enum Follow: RPCMethod {
    struct Params: RPCParams {
        enum CodingKeys: String, CodingKey, CaseIterable { case count, bytes }
        static let fields = Set(CodingKeys.allCases.map(\.rawValue))
        var count: Int
        var bytes: Int?
    }
    static let name = "test.follow"
    static let access = Access.read
    static let ordering = Ordering.concurrent
    typealias Result = Bool
}

/// `test.kept`: how often it was worked out; its answers are prepared.
enum Kept: RPCMethod {
    struct Params: RPCParams {
        enum CodingKeys: String, CodingKey, CaseIterable { case text, changes }
        static let fields = Set(CodingKeys.allCases.map(\.rawValue))
        var text: String?
        /// Whether what the answer rests on changes while it is worked out.
        var changes: Bool?
    }
    typealias Result = [String]
    static let name = "test.kept"
    static let access = Access.write
    static let ordering = Ordering.concurrent
}

/// `test.change`: changes what prepared answers rest on.
enum Change: RPCMethod {
    struct Params: RPCParams {
        enum CodingKeys: CodingKey, CaseIterable {}
        static let fields: Set<String> = []
    }
    typealias Result = Bool
    static let name = "test.change"
    static let access = Access.write
    static let ordering = Ordering.exclusive
}

struct Event: Codable, Sendable {
    var number: Int
    var padding: String
}

final class Counter: Sendable {
    private let value = Mutex(0)
    var now: Int { value.withLock { $0 } }
    func add(_ change: Int) { value.withLock { $0 += change } }
}

/// What a server logs, for a test to look at.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }

    struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).map { "\($0)=\($1)" }.sorted().joined(separator: " ")
            lines.lines.withLock { $0.append("\(event.message) \(fields)") }
        }
    }
}

/// A server with the methods above on a socket of its own.
func withServer<T: Sendable>(
    access: Access = .write, limits: ServerLimits = ServerLimits(), log: LogLines? = nil,
    _ body: @escaping @Sendable (_ socket: String, _ server: RPCServer) async throws -> T
) async throws -> T {
    try await withTemporaryFolder { folder in
        var router = Router()
        let inWork = Counter()
        router.on(Echo.self) { params, _ in
            inWork.add(1)
            defer { inWork.add(-1) }
            if let wait = params.milliseconds { try await Task.sleep(for: .milliseconds(wait)) }
            return String(repeating: params.text, count: params.repeated ?? 1)
        }
        router.on(Alone.self) { params, _ in
            let before = inWork.now
            try await Task.sleep(for: .milliseconds(params.milliseconds ?? 30))
            return max(before, inWork.now)
        }
        router.on(Follow.self) { params, context in
            try context.afterReply { notifier in
                for number in 1...params.count {
                    try await notifier.notify(
                        "test.event", Event(number: number, padding: String(repeating: "x", count: params.bytes ?? 0)))
                }
            }
            return true
        }
        let (version, worked) = (Counter(), Counter())
        router.on(Kept.self, kept: ResponseCache { _ in UInt64(version.now) }) { params, _ in
            let seen = version.now
            worked.add(1)
            if params.changes == true { version.add(1) }
            return ["\(worked.now)", "version \(seen)", params.text ?? ""]
        }
        router.on(Change.self) { _, _ in
            version.add(1)
            return true
        }
        let socket = folder + "/s"
        var logger = Logger(label: "test") { label in
            log.map { LogLines.Handler(lines: $0) } ?? StreamLogHandler.standardError(label: label) as any LogHandler
        }
        logger.logLevel = log == nil ? .critical : .info
        let server = RPCServer(listening: .path(socket, mode: 0o600), router: router, logger: logger, limits: limits) {
            _ in
            (access, "the test says so")
        }
        return try await withThrowingTaskGroup(of: T?.self) { group in
            let (ready, serves) = AsyncStream.makeStream(of: Void.self)
            group.addTask {
                defer { serves.finish() }
                try await server.run(drainSeconds: 2) { serves.finish() }
                return nil
            }
            for await _ in ready {}
            group.addTask { try await body(socket, server) }
            var value: T?
            while let result = try await group.next() {
                if let result {
                    value = result
                    server.shutdown()
                }
            }
            guard let value else { throw CancellationError() }
            return value
        }
    }
}
