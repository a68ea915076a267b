import ArgumentParser
import Domain
import Glibc
import PerformanceLaws

/// Times the fits of laws, on one thread.
@main
struct LawBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "law-bench", abstract: "Time fits of laws.", subcommands: [Published.self, Families.self])

    /// Calls `body` and returns CPU seconds of this thread.
    static func cpu(_ body: () throws -> Void) rethrows -> Double {
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
        }
        let start = now()
        try body()
        return now() - start
    }

    /// Fits problems from standard input as they come: the other half of `Benchmarks/laws`.
    struct Published: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Fit the published law to each line of `layers dim value ...`; print seconds and the sum of squares.")

        func run() throws {
            while let line = readLine() {
                let numbers = line.split(separator: " ").compactMap { Double($0) }
                guard numbers.count >= 9, numbers.count % 3 == 0 else {
                    throw ValidationError("found \(numbers.count) numbers, expected three for each training")
                }
                let trainings = stride(from: 0, to: numbers.count, by: 3).map {
                    (layers: numbers[$0], dim: numbers[$0 + 1], value: numbers[$0 + 2])
                }
                var cost = 0.0
                let seconds = LawBench.cpu { cost = PublishedFit(trainings).cost }
                print("\(seconds) \(cost)")
                // The other end of the pipe waits for each line.
                fflush(nil)
            }
        }
    }

    /// Fits all families to generated trainings.
    struct Families: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Fit all families with cross-validation to 24 trainings; then the same with bootstrap refits.")

        @Option(help: "Different studies; the median of their times is shown.") var studies = 20
        @Option(help: "Bootstrap refits of each family.") var refits = 1_000

        func run() throws {
            var plain: [Double] = []
            var drawn: [Double] = []
            var one: [Double] = []
            for seed in 0..<studies {
                let observations = Self.study(seed)
                func seconds(_ draws: Int, _ families: [LawFamily]) throws -> Double {
                    let fitter = LawFitter(metric: Metric(.hr, 10), draws: draws, families: families)
                    return try LawBench.cpu { _ = try fitter.fit(observations) }
                }
                plain.append(try seconds(0, LawFamily.allCases))
                drawn.append(try seconds(refits, LawFamily.allCases) - plain[seed])
                one.append(try seconds(refits, [.performanceLaw]) - seconds(0, [.performanceLaw]))
            }
            func show(_ name: String, _ seconds: [Double]) {
                let sorted = seconds.sorted()
                func ms(_ value: Double) -> String { "\((value * 1e4).rounded() / 10) ms" }
                print("\(name): median \(ms(sorted[sorted.count / 2])), slowest \(ms(sorted[sorted.count - 1]))")
            }
            show("24 trainings, all families with cross-validation", plain)
            show("\(refits) bootstrap refits of the performance law", one)
            show("\(refits) bootstrap refits of each of \(LawFamily.allCases.count) families", drawn)
        }

        /// 20 places of N x d and 4 smaller data sizes, around a peak that lies elsewhere in each study.
        private static func study(_ seed: Int) -> [Observation] {
            let key = LawKey(
                datasetVersion: .said("v"), split: .said("leave-two-out"), mask: .said(.full), candidates: .said("all"),
                backbone: .said(.sasrec),
                loss: .said(.core(.cce)), negatives: .said(0), maxLength: .said(50), policy: TrainingPolicy("p"),
                codeVersion: .said("1"))
            var state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 &+ 1
            func uniform() -> Double {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Double(state >> 11) * 0x1p-53
            }
            let (n, d) = (0.5 + 1.5 * uniform(), 3.2 + 2 * uniform())
            var observations: [Observation] = []
            func add(_ layers: Int, _ dim: Int, _ tokens: Int) {
                let (x, y) = (log(Double(layers)) - n, log(Double(dim)) - d)
                let noise = 0.002 * (uniform() + uniform() + uniform() + uniform() - 2)
                let value =
                    0.09 - 0.002 * x * x - 0.004 * (exp(0.4 * y) - 0.4 * y - 1) / 0.08 + 0.008
                    * log(Double(tokens) / 1.2e5)
                observations.append(
                    Observation(
                        id: Int64(observations.count + 1), dataset: "d", key: key,
                        configuration: DeclaredConfiguration(Configuration(layers: layers, dim: dim)),
                        tokens: .said(tokens), apen: .said(1),
                        userFraction: 1,
                        seed: 1, users: 22_363,
                        metrics: ["hr@10": Measurement(value: value + noise, standardError: 0.0019)], epochs: 1,
                        seconds: 1, converged: true, job: nil, trial: nil))
            }
            for layers in [1, 2, 4, 8, 12] { for dim in [16, 32, 64, 128] { add(layers, dim, 120_000) } }
            for tokens in [60_000, 30_000, 15_000, 7_500] { add(2, 64, tokens) }
            return observations
        }
    }
}
