import Calibration
import Domain
import Foundation
import Observations
import Wire
import PlawTesting
import Testing
import Trials

@testable import Store

/// A store of schema 7 with every kind of key that it could hold, made by the code of that time: trainings of several losses, recipes and
/// rules of heads, and imports that leave much, little or nothing unsaid. What that code read from it lies beside it.
@Suite struct ImportFixtureTests {
    static let sql = "\(Paths.root)/Tests/Schemas/imports-7.sql"
    static let read = "\(Paths.root)/Tests/Schemas/imports-7.txt"

    /// Everything that the store says of observations, laws and jobs, a line each: as it is sent, and as a table.
    static func lines(_ store: Store) async throws -> [String] {
        func text(_ value: some Encodable) throws -> String {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
            return String(decoding: try encoder.encode(value), as: UTF8.self)
        }
        var lines: [String] = []
        for name in try await store.datasets().map(\.info.name) {
            let observations = try await store.observations(of: name)
            lines += try await store.observationPage(of: name, limit: 1_000).observations.map(text)
            lines += try observations.map(text)
            lines += ObservationTable.write(observations).split(separator: "\n").map(String.init)
            lines += Dictionary(grouping: observations, by: \.key).values.map { "\($0.map(\.id))" }.sorted()
            for law in try await store.laws(of: name) {
                lines.append(try text(law))
                lines.append(try text(try await store.law(law.id)))
            }
            for loss in Loss.allCases {
                for model in Model.trainable + [Model("gru4rec")].compactMap({ $0 }) {
                    let found = try await store.laws(of: name, metric: nil, loss: loss, backbone: model)
                    if !found.laws.isEmpty { lines.append("\(loss) \(model): \(found.laws.count) laws") }
                }
            }
        }
        for loss in Loss.allCases {
            for model in Model.trainable + [Model("gru4rec")].compactMap({ $0 }) {
                for group in try await store.trainedEpochs(.said(model), .said(.core(loss))) {
                    lines.append("\(model) \(loss) \(try text(group.key)): \(group.trainings)")
                }
            }
        }
        for job in try await store.jobs(dataset: nil, limit: 100).jobs {
            let whole = try await store.jobWithTrials(job.id)
            lines.append(try text(Job(whole.job, trials: whole.trials)))
            lines += try await store.trials(of: job.id).map { try text($0.spec) }
        }
        return lines
    }

    @Test("a store of schema 7 says of every observation, law and job what it said before")
    func reading() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/plawd.sqlite"
            try await FixtureTests.load(Self.sql, at: path)
            let store = try Store(path: path)
            let before = try String(contentsOfFile: Self.read, encoding: .utf8)
            let (found, wanted) = (try await Self.lines(store), before.split(separator: "\n").map(String.init))
            #expect(found.count == wanted.count)
            for (line, other) in zip(found, wanted) { #expect(line == other) }
            // Keys are found by their text: laws that are fitted again take the place of those that were stored.
            for name in try await store.datasets().map(\.info.name) {
                let laws = try await store.laws(of: name)
                for law in laws { _ = try await store.insertLaws(dataset: name, key: law.key, fits: [law.fit]) }
                #expect(try await store.laws(of: name).map(\.key) == laws.map(\.key).reversed())
            }
            try store.close()
        }
    }
}
