import Domain
import Foundation
import Glibc
import PlawTesting
import Synchronization
import Testing
import Trials

@testable import Calibration
@testable import Wire

/// Workers that hang, or do not end when their time is over.
@Suite struct HangTests {
    private static func failure(_ exit: TrialExit) -> TrialFailure? {
        if case .failed(let failure) = exit { return failure }
        Issue.record("it ended with \(exit)")
        return nil
    }

    @Test("a worker that is stopped gives no sign, is killed, and its trial goes on from its checkpoint afterwards")
    func stopped() async throws {
        try await withTemporaryFolder { folder in
            let files = try LocalExecutorTests.directory(
                in: folder, corpus: try LocalExecutorTests.corpus(in: folder), epochs: 10_000_000)
            let executor = LocalExecutor(
                program: Paths.program("plaw-trial"),
                patience: WorkerPatience(leastSeconds: 3 * patience, epochs: 10))
            let epoch = Mutex(0)
            let worker = Task {
                await executor.run(files.path, secondsLeft: 600, epochSeconds: 0) { update in
                    epoch.withLock { $0 = update.epoch }
                }
            }
            #expect(await waitUntil(seconds: 60) { epoch.withLock { $0 } > 3 })
            let found = try await runProgram(path: "/usr/bin/pgrep", ["-f", "plaw-trial run \(files.path) "])
            let pid = try #require(found.output.split(separator: "\n").first.flatMap { Int32($0) })
            try "what it said\n".write(toFile: files.path + "/worker.log", atomically: false, encoding: .utf8)
            let start = ContinuousClock.now
            kill(pid, SIGSTOP)
            let failure = Self.failure(await worker.value)
            #expect(failure?.cause == .killed)
            #expect(failure?.message.hasPrefix("the worker gave no sign of life for ") == true, "\(failure as Any)")
            #expect(failure?.message.hasSuffix(" s and was killed: what it said") == true, "\(failure as Any)")
            #expect(failure?.log == "what it said\n")
            #expect(start.duration(to: .now) < .seconds(15 * patience))
            #expect(kill(pid, 0) != 0)
            #expect(!files.hasResult)
            // What `killed` means to the supervisor: the same trial once more.
            let again = await LocalExecutor(program: Paths.program("plaw-trial")).run(files.path, secondsLeft: 1) { _ in
            }
            #expect(again == .finished)
        }
    }

    @Test("a worker that goes on after its time is killed, with all that it started")
    func overtime() async throws {
        try await withTemporaryFolder { folder in
            let update = TrialProgress(
                phase: .testing, epoch: 2, tokens: 3, epochTokens: 4, tokensPerSecond: 5, loss: nil, validation: nil,
                best: nil, seconds: 6)
            try JSONEncoder().encode(update).write(to: URL(fileURLWithPath: folder + "/said"))
            let executor = try await LocalExecutorTests.script(
                "sleep 600 & echo $! > \(folder)/child; while true; do cat \(folder)/said; echo; sleep 0.2; done",
                in: folder, patience: WorkerPatience(leastSeconds: 2 * patience, epochs: 10))
            let start = ContinuousClock.now
            let failure = Self.failure(await executor.run(folder, secondsLeft: 1, epochSeconds: 0) { _ in })
            #expect(failure?.cause == .killed)
            #expect(
                failure?.message.hasPrefix("the worker went on for ") == true
                    && failure?.message.hasSuffix(" s after its time of 1.0 s was over and was killed") == true,
                "\(failure as Any)")
            // It gave signs all the time.
            #expect(start.duration(to: .now) > .seconds(4 * patience))
            let child = try String(contentsOfFile: folder + "/child", encoding: .utf8)
            let pid = try #require(Int32(child.filter(\.isNumber)))
            // Whoever inherits it may not have looked yet.
            #expect(
                await waitUntil {
                    kill(pid, 0) != 0
                        || (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8))?.contains(") Z ") == true
                })
        }
    }

    @Test("the longer an epoch is predicted to take, the longer a worker may be silent")
    func silence() async throws {
        #expect(WorkerPatience().silence(epochSeconds: 1) == 120)
        #expect(WorkerPatience().silence(epochSeconds: 60) == 600)
        try await withTemporaryFolder { folder in
            let short = WorkerPatience(leastSeconds: 0.5, epochs: 10)
            let slow = try await LocalExecutorTests.script("sleep \(Int(2 * patience))", in: folder, patience: short)
            #expect(await slow.run(folder, secondsLeft: 1, epochSeconds: 10 * patience) { _ in } == .finished)
            let hung = try await LocalExecutorTests.script("exec sleep 600", in: folder, patience: short)
            let failure = Self.failure(await hung.run(folder, secondsLeft: 1, epochSeconds: 0.01) { _ in })
            #expect(failure?.message == "the worker gave no sign of life for 0.5 s and was killed")
        }
    }

    @Test("measuring that takes too long is given up in words: speeds after the budget's time, latencies after theirs")
    func probes() async throws {
        #expect(WorkerPatience().probe(budgetSeconds: 20) == 60)
        #expect(WorkerPatience().probe(budgetSeconds: 300) == 300)
        #expect(WorkerPatience().probe(budgetSeconds: 86_400) == 600)
        try await withTemporaryFolder { folder in
            let executor = try await LocalExecutorTests.script(
                "exec sleep 600", in: folder,
                patience: WorkerPatience(leastProbeSeconds: 1, mostProbeSeconds: 1, latencySeconds: 1))
            let settings = try CalibrationSettings(
                CalibrationParams(name: "books", maxLength: 10), trained: trainedFacts, mask: .none,
                availableWorkers: 1)
            let start = ContinuousClock.now
            let speed = await #expect(throws: WorkerError.self) {
                try await executor.probe(ProbeRequest(corpus: folder, settings: settings, shapes: [(1, 8)]))
            }
            #expect(
                speed?.description.hasPrefix("plaw-trial probe gave no answer within 1 s and was ended: ") == true,
                "\(speed as Any)")
            let latency = await #expect(throws: WorkerError.self) {
                try await executor.latency(
                    LatencyRequest(backbone: .sasrec, heads: 1, dimStep: 8, items: 100, length: 10))
            }
            #expect(latency?.description.hasPrefix("plaw-trial latency gave no answer within 1 s") == true)
            #expect(start.duration(to: .now) < .seconds(20 * patience))
        }
    }
}
