import ArgumentParser
import Domain
import Glibc
import Interactions
import SequenceEntropy

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Times the measures of disorder on a file, or pooled ApEn on a corpus as large as asked for; one thread.
@main
struct EntropyBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "entropy-bench", abstract: "Time entropy measures; prints one JSON line each.")

    @Option(help: "File of interactions: the whole report is timed.") var data: String?
    @Option(help: "Interactions to generate: pooled ApEn is timed.") var interactions = 50_000_000
    @Option(help: "Items to generate.") var items = 100_000
    @Option(help: "Longest context of pooled ApEn.") var m = 1
    @Option(help: "Times that each is measured; the median is shown.") var rounds = 3
    @Option(help: "With --data, per-user ApEn alone, for m,r,L such as 2,0.2,50.") var perUser: [String] = []
    @Option(help: "With --data, the figures of that share of the users instead of times.") var userFraction: [Double] =
        []

    func run() throws {
        guard let data else { return try generated() }
        let path = FileManager.default.temporaryDirectory.path + "/entropy-bench-\(getpid()).corpus"
        defer { unlink(path) }
        _ = try InteractionReader(path: data, options: ReadOptions()).buildCorpus(at: path)
        let corpus = try Corpus(path: path)
        if !userFraction.isEmpty {
            for fraction in userFraction {
                show(
                    try Figures(
                        userFraction: fraction, report: EntropyReport.measure(corpus, userFraction: fraction)))
            }
        } else if !perUser.isEmpty {
            for setting in perUser { try perUser(setting, corpus) }
        } else {
            try report(of: corpus)
        }
    }

    private struct Figures: Encodable {
        var userFraction: Double
        var report: EntropyReport
    }

    private func perUser(_ setting: String, _ corpus: Corpus) throws {
        let parts = setting.split(separator: ",").compactMap { Double($0) }
        guard parts.count == 3, let m = Int(exactly: parts[0]), let length = Int(exactly: parts[2]), m > 0, length > 0
        else { throw ValidationError("--per-user: found \(setting), expected m,r,L such as 2,0.2,50") }
        let part = CorpusPart(corpus)
        let numbers = EntropyReport.itemNumbers(corpus)
        try measure("per-user, m = \(m), r = \(parts[1]), L = \(length)", corpus.interactionCount) {
            [try EntropyReport.perUser(part, numbers: numbers, m: m, r: parts[1], maxLength: length).mean]
        }
    }

    private struct Line: Encodable {
        var name: String
        var interactions: Int
        /// CPU seconds of this thread.
        var seconds: Double
        var perSecond: Double
        /// Growth of the peak of resident memory over what held the interactions.
        var bytesPerInteraction: Double?
        var values: [Double]
    }

    private func report(of corpus: Corpus) throws {
        let part = CorpusPart(corpus)
        let n = corpus.interactionCount
        try measure("report", n) {
            let report = try EntropyReport.measure(corpus)
            return report.pooledApEn.map(\.value) + [report.perUserApEn.mean, report.shannonBits, report.lempelZiv]
        }
        try measure("pooled, m = 0 to 8", n) { try PooledApEn.measure(upTo: 8, part).map(\.value) }
        try measure("per-user, m = 2, r = 0.2", n) {
            [try EntropyReport.perUser(part, m: 2, r: 0.2, maxLength: 50).mean]
        }
        try measure("movement", n) {
            try EntropyMovement.measure(corpus, m: 2, r: 0.2, maxLength: 50).byUserFraction.map(\.pooledApEn)
        }
        try measure("Lempel-Ziv", n) { [try Comparators.lempelZiv(corpus.allItems).value] }
    }

    /// Users of 50 interactions who stay in one of many groups of 50 items four times in five.
    private func generated() throws {
        var state: UInt64 = 1
        func random(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(limit))
        }
        let groups = max(1, items / 50)
        var group = 0
        let all = (0..<interactions).map { position -> Int32 in
            if position % 50 == 0 { group = random(groups) }
            return Int32(random(5) == 0 ? random(items) : min(items - 1, group * 50 + random(50)))
        }
        let before = peakBytes()
        try all.withUnsafeBufferPointer { all in
            try measure("pooled, m = \(m)", all.count, before) {
                let users = stride(from: 0, to: all.count, by: 50).lazy.map { $0..<min($0 + 50, all.count) }
                return try PooledApEn.measure(upTo: m, items: all, itemCount: items, users: users).map(\.value)
            }
        }
    }

    private func measure(
        _ name: String, _ interactions: Int, _ before: Int? = nil, _ body: () throws -> [Double]
    ) rethrows {
        var values: [Double] = []
        let seconds = try (0..<max(1, rounds)).map { _ in
            let start = cpuSeconds()
            values = try body()
            return cpuSeconds() - start
        }.sorted()[max(1, rounds) / 2]
        let line = Line(
            name: name, interactions: interactions, seconds: seconds, perSecond: Double(interactions) / seconds,
            bytesPerInteraction: before.map { Double(peakBytes() - $0) / Double(interactions) }, values: values)
        show(line)
    }

    private func show(_ line: some Encodable) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if let text = try? encoder.encode(line) { print(String(decoding: text, as: UTF8.self)) }
    }
}

private func cpuSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

private func peakBytes() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
    return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) << 10
}
