import Domain
import Foundation
import PlawTesting
import StrictJSON
import Testing

@testable import Wire

/// A wall clock that is set back by a day, as by somebody who set it wrong before: while the daemon works, and while it does not run.
@Suite struct ClockTests {
    private static let day = 86_400

    private static func calibration(seed: Int) -> CalibrationParams {
        CalibrationParams(
            name: "books", budgetSeconds: 120, layers: [1, 2], dims: [8, 16], seed: seed, workers: 2, patience: 3,
            maxEpochs: 6)
    }

    @Test(
        "a clock that is set back changes no order, holds up no job, and makes no duration negative",
        .enabled(if: WallClock.canBeSet, "clang is not installed"))
    func setBack() async throws {
        let file = try await syntheticFile(users: 600, items: 300)
        try await withTemporaryFolder { folder in
            let clock = try await WallClock(in: folder)
            _ = try await withDaemon(in: folder, environment: clock.environment) { daemon async throws in
                _ = try await register(daemon.socket, "books", bytes: file)
                let first = try await call(daemon.socket, CalibrationStart.self, Self.calibration(seed: 1)).job.id
                #expect(
                    try await waitUntil {
                        let job = try await call(daemon.socket, JobGet.self, JobID(id: first))
                        return (job.trials ?? []).contains { $0.state == .running }
                    })
                try clock.set(-Self.day)
                // What waits goes by another clock.
                let begin = ContinuousClock.now
                _ = try await call(daemon.socket, JobWait.self, JobWaitParams(id: first, timeoutSeconds: 0.2))
                #expect(ContinuousClock.now - begin < .seconds(60 * patience))
                #expect(try await end(of: first, daemon.socket).state == .finished)
                let second = try await call(daemon.socket, CalibrationStart.self, Self.calibration(seed: 2)).job.id
                #expect(try await end(of: second, daemon.socket).state == .finished)
                try await Self.check(daemon.socket, jobs: [second, first])
            }
            try clock.set(-2 * Self.day)
            _ = try await withDaemon(in: folder, environment: clock.environment) { daemon async throws in
                try await Self.check(daemon.socket, jobs: [2, 1])
                let third = try await call(daemon.socket, CalibrationStart.self, Self.calibration(seed: 3)).job.id
                #expect(try await end(of: third, daemon.socket).state == .finished)
                try await Self.check(daemon.socket, jobs: [third, 2, 1])
            }
        }
    }

    /// - Parameter expected: jobs, the newest first.
    private static func check(_ socket: String, jobs expected: [Int64]) async throws {
        let jobs = try await call(socket, JobList.self, JobListParams()).jobs
        #expect(jobs.map(\.id) == expected)
        // The clock was set back between any two.
        #expect(zip(jobs, jobs.dropFirst()).allSatisfy { $0.createdAt < $1.createdAt })
        for job in jobs {
            let (ended, trials) = try await (job.endedAt, call(socket, JobGet.self, JobID(id: job.id)).trials ?? [])
            #expect(try #require(ended) >= job.createdAt)
            #expect(job.activeSeconds > 0 && job.activeSeconds < job.budgetSeconds)
            #expect(trials.map(\.index) == Array(1...trials.count) && trials.map(\.id) == trials.map(\.id).sorted())
        }
        let laws = try await call(socket, LawList.self, LawListParams(name: "books")).laws
        #expect(laws.map(\.id) == laws.map(\.id).sorted(by: >) && !laws.isEmpty)
        // The laws of the newest job rest on everything before it.
        let served = try await call(socket, LawGet.self, LawGetParams(name: "books"))
        #expect(jobs.first?.laws.contains(served.id) == true)
        let list = try await call(socket, ObservationList.self, ObservationListParams(name: "books")).observations
        #expect(list.map(\.id) == list.map(\.id).sorted())
        #expect(list.compactMap(\.job) == list.compactMap(\.job).sorted())
        let name: JSONValue = .object(["name": .string("books")])
        for (method, params) in [
            ("server.info", .object([:])), ("metrics.get", .object([:])), ("dataset.list", .object([:])),
            ("job.list", .object([:])), ("job.get", .object(["id": .integer(expected[0])])), ("law.list", name),
            ("observation.list", name), ("advisor.recommend", name), ("advisor.potential", name),
        ] as [(String, JSONValue)] {
            #expect(negatives(try await raw(socket, method, params), at: method) == [])
        }
    }

    /// Durations below 0, by their places.
    private static func negatives(_ value: JSONValue, at place: String) -> [String] {
        switch value {
        case .object(let members): members.flatMap { negatives($0.value, at: "\(place).\($0.key)") }
        case .array(let elements): elements.enumerated().flatMap { negatives($0.element, at: "\(place)[\($0.offset)]") }
        case .number(let number) where number < 0 && place.lowercased().contains("seconds"): ["\(place): \(number)"]
        case .integer(let number) where number < 0 && place.lowercased().contains("seconds"): ["\(place): \(number)"]
        default: []
        }
    }
}
