package import Domain
internal import Files
internal import Glibc
internal import Numerics

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// How the trainings of a runner differ from the core's on the same trials, and so whether one law may rest on both.
///
/// `plaw runner bridge` writes it; an executor that names it trains as the core does where a comparison says `joins`.
package struct Bridge: Codable, Sendable, Hashable {
    package static let currentFormat = 1

    package var format = Self.currentFormat
    /// The runner and its first arguments, as an executor names them.
    package var command: [String]
    package var createdAt: String
    /// Version of the core's training code.
    package var codeVersion: String
    package var corpusHash: String
    package var metric: Metric
    package var comparisons: [Comparison]

    package init(
        command: [String], createdAt: String, corpusHash: String, metric: Metric, comparisons: [Comparison]
    ) {
        (self.command, self.createdAt, self.corpusHash) = (command, createdAt, corpusHash)
        (self.metric, self.comparisons, codeVersion) = (metric, comparisons, trainingCodeVersion)
    }

    /// Reads what `plaw runner bridge` wrote.
    ///
    /// - Throws: `TrialFileError` that says what was found and what was expected; also where it is of another command, or of another
    ///   version of the training code.
    package init(contentsOf path: String, command: [String]) throws {
        func error(_ found: String, _ expected: String) -> TrialFileError {
            TrialFileError(file: path, "found \(found), expected \(expected); run plaw runner bridge again")
        }
        let data = try readFile(path)
        do {
            self = try JSONDecoder().decode(Bridge.self, from: data)
        } catch {
            throw TrialFileError(file: path, "found no result of plaw runner bridge, expected one")
        }
        guard format == Self.currentFormat else { throw error("format \(format)", "\(Self.currentFormat)") }
        guard codeVersion == trainingCodeVersion else {
            throw error("version \(codeVersion) of the training code", "\(trainingCodeVersion)")
        }
        guard self.command == command else {
            throw error("the command \(self.command)", "that of the executor, \(command)")
        }
        // What was measured decides, not what a file says of it.
        for comparison in comparisons where Comparison(of: comparison) != comparison {
            throw error("a verdict on \(comparison.backbone) that its cells do not give", "that of the cells")
        }
    }

    /// What an observation says of its origin where the runner's trainings count as the core's; nil where they do not.
    package func origin(executor: String, backbone: Model, loss: Loss) -> String? {
        guard let core = backbone.core,
            let found = comparisons.first(where: { $0.backbone == core && $0.loss == loss }), found.verdict == .joins
        else { return nil }
        return "\(executor), whose \(metric) is \(found.words) of plawd's own (bridge of \(createdAt.prefix(10)))"
    }

    /// Whether trainings may join, by a two-sided test of equivalence.
    package enum Verdict: String, Codable, Sendable, CaseIterable { case joins, differs, undecided }

    /// One shape, trained with several seeds by both.
    package struct Cell: Codable, Sendable, Hashable {
        package var layers: Int
        package var dim: Int
        /// The test metric, seed by seed.
        package var core: [Double]
        package var runner: [Double]

        package init(layers: Int, dim: Int, core: [Double], runner: [Double]) {
            (self.layers, self.dim, self.core, self.runner) = (layers, dim, core, runner)
        }
    }

    /// A backbone and loss, trained in several shapes by both.
    ///
    /// The difference is the mean over shapes of ln(runner) - ln(core). Its error counts what seeds make it vary by, and what shapes do
    /// beyond that. Trainings join where the 90 % interval of the difference lies within the margin, two standard deviations of one training of
    /// 2 % to 5 %, and no shape alone lies outside of it.
    package struct Comparison: Codable, Sendable, Hashable {
        package var backbone: Backbone
        package var loss: Loss
        package var cells: [Cell]
        /// ln of the runner's metric over the core's, with its 90 % interval.
        package private(set) var difference = 0.0
        package private(set) var low = 0.0
        package private(set) var high = 0.0
        /// Standard deviation of ln of the metric of one training, over both.
        package private(set) var spread = 0.0
        package private(set) var margin = 0.0
        package private(set) var verdict = Verdict.undecided

        /// - Parameter cells: two or more, of two or more seeds each; metrics above 0.
        package init(backbone: Backbone, loss: Loss, cells: [Cell]) {
            (self.backbone, self.loss, self.cells) = (backbone, loss, cells)
            judge()
        }

        fileprivate init(of other: Comparison) {
            self.init(backbone: other.backbone, loss: other.loss, cells: other.cells)
        }

        private mutating func judge() {
            let seeds = cells.map { min($0.core.count, $0.runner.count) }
            guard cells.count >= 2, seeds.allSatisfy({ $0 >= 2 }),
                cells.allSatisfy({ ($0.core + $0.runner).allSatisfy { $0 > 0 && $0.isFinite } })
            else { return }
            func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
            func squares(_ values: [Double]) -> Double {
                let mean = mean(values)
                return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            }
            let logs = cells.map { (core: $0.core.map { log($0) }, runner: $0.runner.map { log($0) }) }
            let differences = logs.map { mean($0.runner) - mean($0.core) }
            let degrees = logs.reduce(0) { $0 + $1.core.count + $1.runner.count - 2 }
            let variance = logs.reduce(0) { $0 + squares($1.core) + squares($1.runner) } / Double(degrees)
            spread = variance.squareRoot()
            margin = min(max(2 * spread, 0.02), 0.05)
            difference = mean(differences)
            let count = Double(cells.count)
            // What shapes differ by beyond chance (DerSimonian and Laird 1986), with equal weights.
            let errors = logs.map { variance * (1 / Double($0.core.count) + 1 / Double($0.runner.count)) }
            let chance = errors.reduce(0, +) / count
            let between = max(0, squares(differences) / (count - 1) - chance)
            let half = studentQuantile95(Double(degrees)) * ((chance + between) / count).squareRoot()
            (low, high) = (difference - half, difference + half)
            let apart = zip(differences, errors).contains { difference, error in
                abs(difference) - studentQuantile95(Double(degrees)) * error.squareRoot() > margin
            }
            if apart || low > margin || high < -margin {
                verdict = .differs
            } else if low > -margin, high < margin {
                verdict = .joins
            }
        }

        /// The difference with its interval: `+0.4 % (-1.1 to +1.9)`.
        package var words: String {
            func percent(_ value: Double) -> String {
                let tenths = ((exp(value) - 1) * 1_000).rounded() / 10
                return (tenths < 0 ? "" : "+") + "\(tenths == 0 ? 0 : tenths)"
            }
            return "\(percent(difference)) % (\(percent(low)) to \(percent(high)))"
        }
    }
}
