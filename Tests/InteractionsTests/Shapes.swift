import Domain
import Foundation

@testable import Interactions

/// One interaction as the generator knows it.
struct Event: Sendable {
    var user: String
    var item: String
    /// Seconds since 1970.
    var time: Int
    var rating: Int
}

/// Interactions in many costumes: the shapes in which people have their files. The same in every run.
enum Shapes {
    /// Shuffled: the order of the file is not the order of time.
    static let events: [Event] = {
        var random = SplitMix64(seed: 18)
        var events: [Event] = []
        for user in 0..<24 {
            var time = 1_388_620_800 + Int.random(in: 0..<40_000_000, using: &random)
            for _ in 0..<Int.random(in: 4..<12, using: &random) {
                time += Int.random(in: 70..<900_000, using: &random)
                events.append(
                    Event(
                        user: String(1_001 + user * 37),
                        item: String(200_001 + Int.random(in: 0..<20, using: &random) * 913),
                        time: time, rating: Int.random(in: 1..<6, using: &random)))
            }
        }
        events.shuffle(using: &random)
        return events
    }()

    /// What must be read: each user's items by time, equal times in the order of the file.
    static func sequences(
        _ events: [Event] = events, unit: Int = 1, user: (Event) -> String = { $0.user },
        item: (Event) -> String = { $0.item }
    ) -> [String: [String]] {
        Dictionary(grouping: events.enumerated(), by: { user($0.element) }).mapValues { own in
            own.sorted { ($0.element.time / unit, $0.offset) < ($1.element.time / unit, $1.offset) }.map {
                item($0.element)
            }
        }
    }

    static var byUser: [(user: String, items: [String])] {
        sequences().sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// A table: a header, if any, and a line for each event.
    static func table(
        _ header: String? = nil, _ events: [Event] = events, end: String = "\n", _ line: (Event) -> String
    ) -> String {
        ((header.map { [$0] } ?? []) + events.map(line)).joined(separator: end) + end
    }

    static func date(_ format: String, _ time: Int) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "UTC")
        formatter.dateFormat = format
        return formatter.string(from: Date(timeIntervalSince1970: Double(time)))
    }

    static func read(
        _ content: Data, _ options: ReadOptions = ReadOptions(), forTraining: Bool = true
    ) throws -> (decision: FormatDecision, statistics: DatasetStatistics, sequences: [String: [String]], times: [Int64])
    {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try content.write(to: URL(fileURLWithPath: folder + "/data"))
        let reader = try InteractionReader(path: folder + "/data", options: options)
        let statistics = try reader.buildCorpus(at: folder + "/corpus", forTraining: forTraining)
        let corpus = try Corpus(path: folder + "/corpus")
        var sequences: [String: [String]] = [:]
        var times: [Int64] = []
        for user in 0..<corpus.userCount {
            sequences[corpus.userName(user)] = corpus.items(of: user).map { corpus.itemName(Int($0)) }
            times += corpus.times(of: user).map(Array.init) ?? []
        }
        return (reader.decision, statistics, sequences, times)
    }

    static func read(_ text: String, _ options: ReadOptions = ReadOptions()) throws -> [String: [String]] {
        try read(Data(text.utf8), options).sequences
    }

    /// The refusal of a text; nil where it is read.
    static func refusal(_ text: String, _ options: ReadOptions = ReadOptions()) -> InteractionError? {
        do {
            _ = try read(Data(text.utf8), options)
            return nil
        } catch {
            return error as? InteractionError
        }
    }
}
