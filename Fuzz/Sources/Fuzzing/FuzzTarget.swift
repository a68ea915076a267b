internal import Domain
internal import Glibc
internal import Interactions
internal import NIOCore
internal import NIOEmbedded
internal import Observations
internal import Wire
internal import Server
internal import Trials

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// What reads bytes that others made: each case reads any bytes at all and must neither trap, hang, nor take memory without end.
///
/// The traps in this file are on purpose: a trap is how a fuzzer is told that something read is not what it should be. No shipped
/// program links it.
///
/// The fuzzer drives them with inputs of its own, the tests with seeds and with the inputs that were found once.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// Frames of the wire, in pieces whose sizes the first bytes say.
    case frames
    /// One message of the wire, as far as a handler's parameters.
    case requests
    /// A file of interactions, through to its corpus.
    case interactions
    /// A corpus file, every accessor.
    case corpus
    case ranks
    case checkpoint
    /// A safetensors file, into a small model.
    case weights
    /// A CSV of observations.
    case observations
    /// A trial's specification, through to the first steps of its training.
    case specs

    /// Reads the bytes; true where they were accepted as what they claim to be.
    package func read(_ bytes: UnsafeRawBufferPointer) -> Bool {
        switch self {
        case .frames: readFrames(bytes)
        case .requests: FuzzRequests.read(bytes)
        case .interactions: readInteractions(bytes)
        case .corpus: Scratch.with(bytes) { path in (try? Corpus(path: path)).map(walk) ?? false }
        case .ranks: readRanks(bytes)
        case .checkpoint: FuzzModel.readCheckpoint(bytes)
        case .weights: FuzzModel.readWeights(bytes)
        case .observations: readObservations(bytes)
        case .specs: FuzzSpecs.read(bytes)
        }
    }

    // MARK: - Frames

    private func readFrames(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let first = bytes.first else { return false }
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(FrameDecoder(limit: 1 << 16)))
        // The first byte says how many bytes come at once: frames are cut anywhere.
        let size = 1 + Int(first) % 64
        var rest = bytes.dropFirst()
        while !rest.isEmpty {
            let piece = rest.prefix(size)
            rest = rest.dropFirst(piece.count)
            do { try channel.writeInbound(ByteBuffer(bytes: piece)) } catch { return false }
        }
        var whole = 0
        while case .message(let message, _)? = try? channel.readInbound(as: Frame.self) {
            precondition((1...1 << 16).contains(message.readableBytes), "a frame of no allowed length")
            whole += 4 + message.readableBytes
        }
        precondition(whole < bytes.count, "more was made of the bytes than they hold")
        // What is left is an unfinished frame, and no error.
        _ = try? channel.finish()
        return whole > 0
    }

    // MARK: - Files

    private func readInteractions(_ bytes: UnsafeRawBufferPointer) -> Bool {
        Scratch.with(bytes) { path in
            func read(_ options: ReadOptions) -> Bool {
                guard let reader = try? InteractionReader(path: path, options: options),
                    let statistics = try? reader.buildCorpus(at: path + ".corpus")
                else { return false }
                // What is written must be readable, and hold what was counted.
                guard let corpus = try? Corpus(path: path + ".corpus") else { fatalError("its own corpus is refused") }
                precondition(corpus.interactionCount == statistics.interactions, "interactions were lost")
                precondition((try? corpus.verify()) != nil, "its own corpus has another content")
                return walk(corpus)
            }
            let accepted = read(ReadOptions())
            _ = read(ReadOptions(columns: ["user": "0", "item": "1", "time": "2"], kCore: 2, deduplicate: .rows))
            _ = read(ReadOptions(order: .file, where: ["0!=a", "1>=2 and 2="]))
            let events = ["user": "0", "item": "1", "behavior": "2", "value": "3", "domain": "4"]
            _ = read(ReadOptions(columns: events, deduplicate: .pairs))
            // The same file twice is of one layout; only rows that grow are refused then.
            if let both = try? InteractionReader(paths: [path, path], options: ReadOptions()) {
                _ = try? both.buildCorpus(at: path + ".corpus")
                _ = try? both.firstInteractions(3)
            }
            let text = String(decoding: bytes.prefix(RowCondition.mostBytes), as: UTF8.self)
            for condition in (try? RowCondition.all(in: text)) ?? [] {
                let again = try? RowCondition.all(in: condition.description)
                precondition(again == [condition], "a condition is read as another")
            }
            return accepted
        }
    }

    private func walk(_ corpus: Corpus) -> Bool {
        var sum = 0
        for user in 0..<corpus.userCount {
            for item in corpus.items(of: user) { sum &+= corpus.itemName(Int(item)).utf8.count }
            for time in corpus.times(of: user) ?? .init(start: nil, count: 0) { sum &+= Int(time) }
            sum &+= corpus.userName(user).utf8.count
        }
        for item in 0..<corpus.itemCount { sum &+= corpus.itemName(item).utf8.count }
        if let events = corpus.events {
            for place in 0..<corpus.interactionCount {
                sum &+= events.behaviors.map { $0.names[$0.code(at: place)].utf8.count } ?? 0
                sum &+= events.domains.map { $0.names[$0.code(at: place)].utf8.count } ?? 0
                if let value = events.values?.value(at: place), value.isFinite { sum &+= 1 }
            }
        }
        return sum != .min
    }

    private func readRanks(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // With the checksum made to fit as well: it would keep everything behind it from being reached.
        let repaired = bytes.dropLast(8) + Seeds.bytes(checksum(Array(bytes.dropLast(8))))
        return [Array(bytes), Array(repaired)].contains { content in
            Scratch.with(content) { path in
                guard let ranks = try? Ranks(contentsOf: path) else { return false }
                precondition(ranks.users.count == ranks.test.count, "ranks without users")
                return true
            }
        }
    }

    private func readObservations(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let context = TableContext(dataset: "fuzz", tokens: 1_000, apen: 0.5, maxLength: 50)
        guard let table = try? ObservationTable(bytes: Array(bytes), file: "fuzz.csv", context: context) else {
            return false
        }
        // What was read can be written, and reads as the same again.
        let observations = table.rows.map(\.observation)
        guard !observations.isEmpty else { return false }
        let text = ObservationTable.write(observations)
        guard let again = try? ObservationTable(bytes: Array(text.utf8), file: "again.csv", context: context) else {
            fatalError("its own table is refused: \(text)")
        }
        precondition(again.rows.count == observations.count, "observations were lost")
        return true
    }
}

/// A file for bytes, in memory where there is such a file system.
enum Scratch {
    private static let folder: String = {
        let path = (access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") + "/plaw-fuzz-\(getpid())"
        mkdir(path, 0o700)
        atexit { try? FileManager.default.removeItem(atPath: Scratch.folder) }
        return path
    }()

    /// Hands a folder of its own to the body, and removes it with what is in it.
    static func folder<Result>(_ body: (String) -> Result) -> Result {
        let path = folder + "/\(UInt64.random(in: 0...UInt64.max))"
        guard mkdir(path, 0o700) == 0 else { fatalError("no scratch folder") }
        defer { try? FileManager.default.removeItem(atPath: path) }
        return body(path)
    }

    static func with(_ bytes: some Collection<UInt8>, _ body: (String) -> Bool) -> Bool {
        // Tests read several at once.
        let path = folder + "/\(UInt64.random(in: 0...UInt64.max))"
        defer {
            unlink(path)
            unlink(path + ".corpus")
        }
        guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else { fatalError("no scratch file") }
        return body(path)
    }
}
