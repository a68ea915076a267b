import Wire
import PlawTesting
import Store
import Trials

@testable import Domain

/// Values with every member filled in, none of them a default, so that one that gets lost shows.
enum Sample {
    static func dataset(_ name: String, version: String = "v1") -> DatasetInfo {
        DatasetInfo(
            name: name, version: version, createdAt: "2026-01-02T03:04:05Z", fileName: "ratings \"é\"/1.csv",
            decision: FormatDecision(
                format: "csv", compression: "gzip", hasHeader: true, columns: ["user": "u", "item": "i"],
                timeUnit: "milliseconds"),
            options: ReadOptions(columns: ["user": "0"], kCore: 5, deduplicate: .pairs), users: 101, items: 57,
            interactions: 1_234,
            statistics: DatasetStatistics(
                rows: 1_240, dropped: [DroppedRows(reason: "no item\nhere", count: 6, firstLines: [3, 9])], users: 101,
                items: 57, interactions: 1_234, lengthQuartiles: [3, 5, 8, 13, 99], repeatedShare: 0.1 + 0.2,
                outOfOrderRows: 4, contentHash: "abc", evaluatedUsers: 99),
            mask: .window,
            entropy: EntropyReport(
                pooledApEn: [
                    .init(m: 1, value: 1.0 / 3, biasCorrected: 0.4, singletonShare: 0.05),
                    .init(m: 2, value: 1e-300, biasCorrected: 0, singletonShare: 1),
                ], perUserApEn: .init(m: 2, r: 0.2, maxLength: 50, mean: 0.7, users: 101, tooShort: 3),
                shannonBits: 5.25, lempelZiv: 2.5, compressionRatio: 0.3, tokens: 900, effectiveTokens: 2_700,
                notes: ["one item only"]), corpusBytes: 4_096)
    }

    static func configuration(_ layers: Int, _ dim: Int, _ loss: Loss = .cce) -> Configuration {
        Configuration(layers: layers, dim: dim, heads: 1, maxLength: 20, loss: loss)
    }

    static func spec(layers: Int = 2, dim: Int = 16, loss: Loss = .cce) -> TrialSpec {
        TrialSpec(
            corpus: "/var/lib/plawd/corpora/x", configuration: configuration(layers, dim, loss),
            options: TrainingOptions(
                learningRate: 3e-4, weightDecay: 0.01, clipNorm: 1, batchUsers: 64, dropout: 0.1, negatives: 3,
                maxEpochs: 7, patience: 2, stopMetric: Metric(.hr, 5)), seed: .max, userFraction: 0.125,
            mask: .full, maxSeconds: 12.5, checkpointSeconds: 3)
    }

    static func newTrial(_ layers: Int = 2, seconds: Double = 10) -> NewTrial {
        NewTrial(spec: spec(layers: layers), predictedSeconds: seconds, predictedEpochs: 39.5)
    }

    static func result(_ status: TrialResult.Status = .converged) -> TrialResult {
        TrialResult(
            status: status, message: "as expected", epochs: 41, bestEpoch: 31, seconds: 9.25, tokensPerSecond: 1e5 / 3,
            tokens: 900, parameters: 12_345, peakMemoryBytes: 1 << 33, users: 99,
            validation: ["hr@10": Measurement(value: 0.25, standardError: 0.01)],
            test: [
                "hr@10": Measurement(value: 0.2, standardError: 0.01), "ndcg@10": .init(value: 0.1, standardError: 0),
            ],
            secondsPerEpoch: 0.2, secondsPerValidation: 0.02)
    }

    static func key(version: String = "v1", loss: Loss = .cce, policy: String = "adamw lr=0.001") -> LawKey {
        LawKey(
            datasetVersion: .said(version), split: .said("leave-two-out"), mask: .said(.full), candidates: .said("all"),
            backbone: .said(.sasrec),
            loss: .said(.core(loss)), negatives: .said(0), maxLength: .said(50), policy: TrainingPolicy(policy),
            codeVersion: .said("1"))
    }

    static func observation(_ dataset: String, job: Int64? = nil, trial: Int64? = nil) -> Observation {
        Observation(
            id: 0, dataset: dataset, key: key(), configuration: DeclaredConfiguration(configuration(2, 16)),
            tokens: .said(900), apen: .said(1.0 / 3),
            userFraction: 0.125, seed: .max, users: 99, metrics: result().test, epochs: 41, seconds: 9.25,
            converged: true, job: job, trial: trial)
    }

    static func fit(_ metric: Metric, r2: Double = 0.98) -> LawFit {
        let score = FoldScore(relativeError: 0.01, deviation: 1.0 / 3, logDensity: -2, points: 4)
        let family = FamilyFit(
            family: .performanceLaw, metric: metric, form: "w1 g(N; a1) + b",
            parameters: ["p": 0.5, "w1": -1e-17, "b": 1.0 / 3], intervals: ["p": Interval(low: 0.1, high: 1.0 / 3)],
            names: ["level", "lnP"], identified: ["level"], rank: 2, conditionNumber: 1e12, r2: r2, adjustedR2: nil,
            degreesOfFreedom: 4, residualDeviation: 0.002, optimum: .init(layers: nil, dim: 63.9),
            axes: ["dim": .init(optimum: 63.9, curvature: nil, skew: nil)],
            crossValidation: .init(leaveOneOut: score, leaveLargestOut: nil, leaveLargestOutAlone: score, weight: 1),
            process: .init(parameters: [0.2, 1.0 / 3], amplitude: 0.01, length: 1.6, noiseFactor: 1))
        return LawFit(
            metric: metric, family: "performance-law", leading: .performanceLaw, fits: [family],
            noise: .init(evaluation: 0.001, correlation: 0.5, training: 0.0007, replicates: 0),
            points: [
                .init(
                    observation: 7, layers: 1, dim: 16, effectiveTokens: 2_700, observed: 0.2, fitted: 0.21,
                    residual: -0.01, weight: 3)
            ], places: [.init(x: [0, 2.7, 7.9], value: 0.2, variance: 1e-6)], nearestNeighbour: score,
            layersRange: [1, 4], dimRange: [16, 128], effectiveTokensRange: [1e4, 2e4], fixedP: nil,
            choices: ["estimator": "weighted least squares"])
    }
}

/// A store in a folder of its own, closed at the end.
func withStore<T>(_ body: (Store) async throws -> T) async throws -> T {
    try await withTemporaryFolder { folder in
        let store = try Store(path: folder + "/plawd.sqlite")
        let value = try await body(store)
        try store.close()
        return value
    }
}

extension Store {
    /// A dataset and a job of it with that many trials.
    func sampleJob(_ dataset: String = "books", trials: Int = 2) async throws -> (job: Int64, trials: [Int64]) {
        if try await !datasetExists(dataset) {
            try await insertDataset(Sample.dataset(dataset), corpusFile: dataset + ".corpus")
        }
        let job = try await insertJob(
            dataset: dataset, budgetSeconds: 600, workers: 3, message: nil,
            trials: (1...max(1, trials)).prefix(trials).map { Sample.newTrial($0) })
        return (job, try await self.trials(of: job).map(\.id))
    }
}
