package import Costs
internal import Domain
package import Trials

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The daemon's own workers and the executors of its configuration; a trial's specification names the one that runs it.
package struct ExecutorSet: TrialExecutor {
    private let local: any TrialExecutor
    private let others: [String: any TrialExecutor]
    /// Folder for the trials that measure speeds; executors can reach it.
    private let probes: String

    package init(local: any TrialExecutor, others: [String: any TrialExecutor], probes: String) {
        (self.local, self.others, self.probes) = (local, others, probes)
    }

    private var all: [any TrialExecutor] { [local] + others.values }

    package func run(
        _ directory: String, secondsLeft: Double, epochSeconds: Double, predictedSeconds: Double,
        progress: @escaping @Sendable (TrialProgress) async -> Void
    ) async -> TrialExit {
        let name: String?
        do {
            name = try TrialDirectory(path: directory).readSpec().executor
        } catch {
            return .failed(TrialFailure("\(error)"))
        }
        guard let executor = name.map({ others[$0] }) ?? local else {
            return .failed(
                TrialFailure(
                    "the configuration has no executor \(name ?? "") any more; put it back, or calibrate without it"))
        }
        return await executor.run(
            directory, secondsLeft: secondsLeft, epochSeconds: epochSeconds, predictedSeconds: predictedSeconds,
            progress: progress)
    }

    package func describe(_ specs: [String]) async throws -> [RunnerDescription] {
        guard let first = specs.first else { return [] }
        guard let name = try TrialDirectory(path: "").readSpec(at: first).executor else {
            return try await local.describe(specs)
        }
        guard let executor = others[name] else { throw WorkerError("the configuration has no executor \(name)") }
        return try await executor.describe(specs)
    }

    /// Of models that the core does not train, by what their runner says of some shapes.
    ///
    /// - Throws: `WorkerError`.
    package func describe(_ request: ProbeRequest) async throws -> [DescribedModel.Shape] {
        let folder = "\(probes)/\(UInt32.random(in: 0...UInt32.max))"
        // Best effort: what is left is removed at the next start.
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let paths = try request.shapes.map { shape in
            let files = TrialDirectory(path: "\(folder)/\(shape.layers)x\(shape.dim)")
            try FileManager.default.createDirectory(atPath: files.path, withIntermediateDirectories: true)
            try files.writeSpec(request.spec(layers: shape.layers, dim: shape.dim))
            return files.specPath
        }
        return zip(request.shapes, try await describe(paths)).map {
            DescribedModel.Shape(layers: $0.layers, dim: $0.dim, description: $1)
        }
    }

    /// Of executors but the daemon's own, by trials of one epoch: the contract is all that is known of them.
    package func probe(_ request: ProbeRequest) async throws -> [ThroughputProbe] {
        guard let name = request.settings.executor else { return try await local.probe(request) }
        guard let executor = others[name] else { throw WorkerError("the configuration has no executor \(name)") }
        let folder = "\(probes)/\(UInt32.random(in: 0...UInt32.max))"
        // Best effort: what is left is removed at the next start.
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try await withThrowingTaskGroup(of: ThroughputProbe.self) { group in
            var found: [ThroughputProbe] = []
            // As many at once as trials will train: more would take the machine from each other.
            for (number, shape) in request.shapes.enumerated() {
                if number >= max(1, request.settings.workers), let probe = try await group.next() {
                    found.append(probe)
                }
                group.addTask {
                    try await Self.probe(shape, request, by: executor, in: "\(folder)/\(shape.layers)x\(shape.dim)")
                }
            }
            return try await group.reduce(into: found) { $0.append($1) }
        }
    }

    private static func probe(
        _ shape: (layers: Int, dim: Int), _ request: ProbeRequest, by executor: any TrialExecutor, in directory: String
    ) async throws -> ThroughputProbe {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var spec = request.spec(layers: shape.layers, dim: shape.dim)
        spec.options.maxEpochs = 1
        let files = TrialDirectory(path: directory)
        try files.writeSpec(spec)
        let budget = request.settings.budgetSeconds
        let exit = await executor.run(
            directory, secondsLeft: budget, epochSeconds: 0, predictedSeconds: budget / 20
        ) { _ in }
        guard exit == .finished else {
            if case .failed(let failure) = exit { throw WorkerError(failure.message) }
            throw CancellationError()
        }
        return ThroughputProbe(try files.readResult(), spec.configuration)
    }

    /// Of a request to the finished model, which this machine's core answers as fast whoever trained it.
    package func latency(_ request: LatencyRequest) async throws -> [LatencyProbe] { try await local.latency(request) }

    package var workers: WorkerCounts {
        all.map(\.workers).reduce(into: WorkerCounts()) { sum, counts in
            sum.running += counts.running
            sum.starts += counts.starts
            sum.restarts += counts.restarts
        }
    }

    package var queueSeconds: Double { all.reduce(0) { $0 + $1.queueSeconds } }

    package func leave() { for executor in all { executor.leave() } }

    package func serve() async {
        await withTaskGroup(of: Void.self) { group in
            for executor in all { group.addTask { await executor.serve() } }
        }
    }
}

extension ThroughputProbe {
    /// What a short trial tells of its shape.
    fileprivate init(_ result: TrialResult, _ c: Configuration) {
        let perUser = max(1e-9, result.secondsPerValidation / Double(max(1, result.users)))
        self.init(
            layers: c.layers, dim: c.dim, heads: c.heads, tokensPerSecond: max(1e-3, result.tokensPerSecond),
            evaluatedUsersPerSecond: 1 / perUser, latencySeconds: perUser,
            memoryBytes: Double(max(1, result.peakMemoryBytes)), parameters: result.parameters)
    }
}
