import Domain
import Foundation
import PlawTesting
import StrictJSON
import Testing
import Trials

@testable import Wire

/// Calibrations by executors of the configuration, through a real daemon.
@Suite struct ExecutorTests {
    private static let grid = CalibrationParams(
        name: "shop", budgetSeconds: 120, layers: [1, 2], dims: [8, 16], maxEpochs: 4)

    /// A daemon with the dataset `shop` and these executors.
    private static func with(
        _ executors: String, in folder: String, environment: [String: String] = [:],
        _ body: @Sendable (DaemonProcess) async throws -> Void
    ) async throws {
        let config = folder + "/plawd.json"
        try "{\"executors\": {\(executors)}}".write(toFile: config, atomically: true, encoding: .utf8)
        _ = try await withDaemon(in: folder, arguments: ["--config", config], environment: environment, body)
    }

    private static func registerShop(_ daemon: DaemonProcess) async throws {
        _ = try await register(daemon.socket, "shop", bytes: try await syntheticFile(users: 200, items: 80))
    }

    private static func calibrate(_ daemon: DaemonProcess, executor: String?) async throws -> Job {
        var params = grid
        params.executor = executor
        let started = try await call(daemon.socket, CalibrationStart.self, params)
        return try await end(of: started.job.id, daemon.socket)
    }

    /// A runner of which speeds can be measured, and that runs these lines of a shell for any other trial.
    private static func runner(in folder: String, _ lines: String) throws -> String {
        let script = folder + "/runner"
        let speeds = "case \"$1\" in */probes/*) exec '\(Paths.program("plaw-trial"))' \"$1\";; esac"
        try "#!/bin/sh\n\(speeds)\n\(lines)\n".write(toFile: script, atomically: true, encoding: .utf8)
        chmod(script, 0o755)
        return script
    }

    /// The message with which a call is refused.
    private static func refusal(_ body: () async throws -> Void) async -> String {
        do {
            try await body()
            return "nothing was refused"
        } catch {
            return (error as? RPCError)?.message ?? "\(error)"
        }
    }

    private static func observations(_ daemon: DaemonProcess) async throws -> [Observation] {
        try await call(daemon.socket, ObservationList.self, ObservationListParams(name: "shop")).observations
    }

    @Test("a command trains what the daemon's own workers train, with a key that says whose trainings they are")
    func command() async throws {
        try await withTemporaryFolder { folder in
            let trial = Paths.program("plaw-trial")
            try await Self.with("\"mine\": {\"command\": [\"\(trial)\"], \"parallel\": 2}", in: folder) { daemon in
                try await Self.registerShop(daemon)
                for executor in [nil, "mine"] {
                    let job = try await Self.calibrate(daemon, executor: executor)
                    #expect(job.state == .finished && job.finishedTrials == 4, "\(job)")
                }
                let all = try await Self.observations(daemon)
                #expect(all.count == 8)
                let own = all.filter { $0.key.policy.trainer == nil }
                let others = all.filter { $0.key.policy.trainer == "mine" }
                #expect(own.count == 4 && others.count == 4)
                // The same program, called in another way: the same metrics, shape by shape.
                for observation in own {
                    let twin = others.first { $0.configuration == observation.configuration }
                    #expect(twin?.metrics == observation.metrics && twin?.epochs == observation.epochs)
                }
                let laws = try await call(daemon.socket, LawList.self, LawListParams(name: "shop")).laws
                #expect(Set(laws.map(\.key.policy.trainer)) == [nil, "mine"])
                // Nothing of an attempt is left but what the trial keeps.
                let files = try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/trials/5").sorted()
                #expect(files == ["progress.jsonl", "ranks.bin", "result.json", "spec.json", "worker.log"])
            }
        }
    }

    @Test("trainings that a comparison lets join are of the core's law, say so, and are named in its answers")
    func joined() async throws {
        try await withTemporaryFolder { folder in
            let (trial, path) = (Paths.program("plaw-trial"), folder + "/bridge.json")
            let cells = [8, 16].map { Bridge.Cell(layers: 1, dim: $0, core: [0.1, 0.101], runner: [0.1005, 0.1]) }
            let bridge = Bridge(
                command: [trial], createdAt: "2026-12-01T10:00:00Z", corpusHash: "", metric: Metric(.ndcg, 10),
                comparisons: [Bridge.Comparison(backbone: .sasrec, loss: .cce, cells: cells)])
            try JSONEncoder().encode(bridge).write(to: URL(filePath: path))
            let executors = "\"mine\": {\"command\": [\"\(trial)\"], \"parallel\": 2, \"bridge\": \"\(path)\"}"
            try await Self.with(executors, in: folder) { daemon in
                try await Self.registerShop(daemon)
                var params = Self.grid
                (params.executor, params.dims) = ("mine", [8, 16, 32])
                for backbone in [Model.sasrec, .gpt] {
                    params.backbone = backbone
                    let started = try await call(daemon.socket, CalibrationStart.self, params)
                    let job = try await end(of: started.job.id, daemon.socket)
                    #expect(job.state == .finished && job.finishedTrials == 6, "\(job)")
                }
                let all = try await Self.observations(daemon)
                let (joined, own) = (all.filter { $0.source != nil }, all.filter { $0.source == nil })
                #expect(joined.count == 6 && own.count == 6)
                #expect(joined.allSatisfy { $0.key.backbone == .said(.sasrec) && $0.key.policy.trainer == nil })
                #expect(joined.allSatisfy { $0.source?.hasPrefix("mine, whose ndcg@10 is ") == true })
                // Of gpt nothing was compared.
                #expect(own.allSatisfy { $0.key.backbone == .said(.gpt) && $0.key.policy.trainer == "mine" })
                for (backbone, expected) in [(Model.sasrec, 1), (.gpt, 0)] {
                    var asked = AdvisorRecommendParams(name: "shop")
                    asked.backbone = backbone
                    let answer = try await call(daemon.socket, AdvisorRecommend.self, asked)
                    let found = answer.warnings.filter { $0.code == "joined-trainer" }
                    #expect(found.count == expected, "\(answer.warnings)")
                    if let first = found.first {
                        #expect(first.message.hasPrefix("of 6 trainings 6 are by mine, whose ndcg@10 is "))
                    }
                }
            }
        }
    }

    @Test("a model that only a runner knows is priced by what that says, trained, and recommended within all limits")
    func foreignModel() async throws {
        try await withTemporaryFolder { folder in
            let (script, trial) = (folder + "/runner", Paths.program("plaw-trial"))
            // Of the core's sasrec, under a name that the core does not know.
            try """
            #!/bin/sh
            if [ "$1" = describe ]; then
                shift
                for spec in "$@"; do sed 's/"fancy"/"sasrec"/' "$spec" >"$spec.core" && set -- "$@" "$spec.core" && shift; done
                exec '\(trial)' describe "$@"
            fi
            sed -i 's/"fancy"/"sasrec"/' "$1/spec.json"
            exec '\(trial)' "$1"
            """.write(toFile: script, atomically: true, encoding: .utf8)
            chmod(script, 0o755)
            let executors = """
                "mine": {"command": ["\(script)"], "parallel": 2}, "plain": {"command": ["\(trial)"]},
                "none": {"command": ["/nowhere/runner"]}
                """
            try await Self.with(executors, in: folder) { daemon in
                try await Self.registerShop(daemon)
                var params = CalibrationParams(
                    name: "shop", budgetSeconds: 120, layers: [1, 2, 3], dims: [8, 16, 32], maxEpochs: 4)
                params.backbone = Model("Fancy")
                func refusal(_ params: CalibrationParams) async -> String {
                    await Self.refusal { _ = try await call(daemon.socket, CalibrationPlan.self, params) }
                }
                let refusals: [(String?, String)] = [
                    (nil, "--executor"), ("none", "/nowhere/runner"), ("plain", "the runner cannot train this: "),
                    ("plain", "found \"fancy\""),
                ]
                for (executor, words) in refusals {
                    params.executor = executor
                    let said = await refusal(params)
                    #expect(said.contains(words), "\(said)")
                }
                #expect(try await call(daemon.socket, JobList.self, JobListParams()).jobs.isEmpty)
                params.executor = "mine"
                var limited = params
                limited.layers = nil
                limited.dims = nil
                limited.maxLatencySeconds = 0.01
                let said = await refusal(limited)
                #expect(said.contains("latency, which the runner of fancy does not say"), "\(said)")
                let job = try await end(
                    of: try await call(daemon.socket, CalibrationStart.self, params).job.id, daemon.socket)
                #expect(
                    job.state == .finished && job.finishedTrials >= 9 && job.finishedTrials == job.trialCount, "\(job)")
                let trained = try await Self.observations(daemon)
                #expect(
                    trained.allSatisfy { $0.key.backbone.value?.rawValue == "fancy" && $0.key.policy.trainer == "mine" }
                )

                // Of shapes that were not trained too; the formula is that of docs/users/costs.md.
                let items = try #require(
                    try await call(daemon.socket, DatasetGet.self, DatasetName(name: "shop")).items)
                let pareto = try await call(
                    daemon.socket, AdvisorPareto.self, AdvisorParetoParams(name: "shop"))
                #expect(pareto.points.count > 1)
                for candidate in pareto.points {
                    let (n, d) = (candidate.configuration.layers, candidate.configuration.dim)
                    #expect(
                        candidate.cost.parameters == Double(items * d + 50 * d + 2 * d + n * (12 * d * d + 13 * d)),
                        "\(n) x \(d)")
                    #expect(candidate.cost.trainingSeconds > 0 && candidate.cost.trainingSeconds < 60)
                    #expect(candidate.cost.trainingFlops.isFinite && candidate.cost.memoryBytes > 1e6)
                    #expect(candidate.configuration.dim % 2 == 0)
                }
                for (member, currency, limit) in [
                    (\AdvisorRecommendParams.maxParams, Currency.parameters, 12_000),
                    (\.maxFlops, .trainingFlops, 1e10), (\.maxMemoryBytes, .memoryBytes, 1e9),
                    (\.maxTrainSeconds, .trainingSeconds, 30),
                ] {
                    var asked = AdvisorRecommendParams(name: "shop")
                    asked[keyPath: member] = limit
                    let answer = try await call(daemon.socket, AdvisorRecommend.self, asked)
                    #expect(answer.cost[currency] <= limit)
                    #expect(answer.configuration.backbone.value?.rawValue == "fancy")
                }
                try await Self.emitted(daemon, in: folder)
                var asked = AdvisorRecommendParams(name: "shop")
                asked.maxLatencySeconds = 1
                let question = asked
                let unknown = await Self.refusal {
                    _ = try await call(daemon.socket, AdvisorRecommend.self, question)
                }
                #expect(unknown.contains("the runner of fancy does not say it"), "\(unknown)")
            }
        }
    }

    /// What is written for trainers is read by them: the same shape in JSON and in Python, and a refusal for RecBole.
    private static func emitted(_ daemon: DaemonProcess, in folder: String) async throws {
        func plaw(_ format: String) async throws -> Outcome {
            try await runProgram(
                "plaw", ["recommend", "shop", "--emit", format], environment: ["PLAW_SOCKET": daemon.socket])
        }
        let answer = try await call(daemon.socket, AdvisorRecommend.self, AdvisorRecommendParams(name: "shop"))
        let json = try JSONDecoder().decode(JSONValue.self, from: Data(try await plaw("json").output.utf8))
        let shape = [Int64(answer.configuration.layers), Int64(answer.configuration.dim)].map(JSONValue.integer)
        #expect([json["configuration"]?["layers"], json["configuration"]?["dim"]] == shape)
        #expect(json["configuration"]?["backbone"] == .string("fancy"))
        #expect(json["options"]?["maxEpochs"] == .integer(4) && json["options"]?["learningRate"] == .number(0.002))
        #expect(json["expected"]?["ndcg@10"]?["value"] != nil)
        // What a specification requires of options.
        for name in [
            "learningRate", "weightDecay", "beta1", "beta2", "epsilon", "clipNorm", "batchUsers", "dropout",
            "negatives",
            "maxEpochs", "patience", "stopMetric",
        ] { #expect(json["options"]?[name] != nil, "\(name)") }
        let module = try await plaw("pytorch").output
        try module.write(toFile: folder + "/recommended.py", atomically: true, encoding: .utf8)
        let program =
            "from recommended import *; print(MODEL['layers'], MODEL['dim'], OPTIMISER['lr'], TRAINING['maxEpochs'])"
        let read = try await runProgram(
            path: "/usr/bin/env", ["python3", "-c", program], environment: ["PYTHONPATH": folder])
        #expect(
            read.output == "\(answer.configuration.layers) \(answer.configuration.dim) 0.002 4\n", "\(module)\(read)")
        let refused = try await plaw("recbole")
        #expect(refused.code == 1 && refused.errors.contains("fancy cannot be written for RecBole"), "\(refused)")
    }

    @Test("a runner gives way to its daemon, and is asked to stop when that is killed")
    func daemonKilled() async throws {
        try await withTemporaryFolder { folder in
            let script = try Self.runner(
                in: folder,
                """
                trap 'touch "\(folder)/stopped"; exit 75' TERM
                ps -o nice= -p $$ >"\(folder)/nice"
                mv "\(folder)/nice" "\(folder)/begun"
                while :; do sleep 0.05; done
                """)
            try await Self.with("\"mine\": {\"command\": [\"\(script)\"]}", in: folder) { daemon in
                try await Self.registerShop(daemon)
                var params = Self.grid
                params.executor = "mine"
                _ = try await call(daemon.socket, CalibrationStart.self, params)
                #expect(await waitUntil { FileManager.default.fileExists(atPath: folder + "/begun") })
                #expect(!FileManager.default.fileExists(atPath: folder + "/stopped"))
                kill(daemon.pid, SIGKILL)
                #expect(await waitUntil { FileManager.default.fileExists(atPath: folder + "/stopped") })
            }
            let niceness = try String(contentsOfFile: folder + "/begun", encoding: .utf8)
            #expect(Int(niceness.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0 >= 5, "\(niceness)")
        }
    }

    @Test("a runner that fails is quoted in the job, and one that is not there before anything is queued")
    func failures() async throws {
        try await withTemporaryFolder { folder in
            let script = try Self.runner(
                in: folder,
                """
                echo "no GPU is left" >&2
                exit 65
                """)
            let executors = "\"gpu\": {\"command\": [\"\(script)\"]}, \"none\": {\"command\": [\"/nowhere/runner\"]}"
            try await Self.with(executors, in: folder) { daemon in
                try await Self.registerShop(daemon)
                let job = try await Self.calibrate(daemon, executor: "gpu")
                #expect(job.state == .failed)
                let trials = job.trials ?? []
                #expect(trials.allSatisfy { $0.message?.contains("no GPU is left") == true }, "\(trials)")
                for (name, words) in [
                    ("none", "/nowhere/runner"), ("other", "one of the daemon's configuration: gpu, none"),
                ] {
                    do {
                        _ = try await Self.calibrate(daemon, executor: name)
                        Issue.record("\(name) was taken")
                    } catch let error as RPCError {
                        #expect(error.message.contains(words), "\(error.message)")
                    }
                }
                #expect(try await call(daemon.socket, JobList.self, JobListParams()).jobs.count == 1)
            }
        }
    }

    @Test(
        "a calibration through Slurm survives a daemon that is killed, and no trial is lost or doubled",
        .enabled(if: SlurmCluster.isInstalled, "Slurm is not installed: apt-get install slurm-wlm"))
    func slurm() async throws {
        try await withTemporaryFolder { folder in
            try await SlurmCluster.with(in: folder) { cluster in
                let executors = """
                    "cluster": {"command": ["\(Paths.program("plaw-trial"))"], "core": true, "slurm": ["--partition=trials"],
                        "parallel": 4, "bundleSeconds": 1, "pollSeconds": 1}
                    """
                let environment = ["SLURM_CONF": cluster.configuration]
                // Trials of some seconds each.
                var params = CalibrationParams(
                    name: "shop", budgetSeconds: 300, layers: [2, 4], dims: [32, 64], maxEpochs: 60)
                (params.executor, params.patience) = ("cluster", 60)
                let request = params
                try await Self.with(executors, in: folder, environment: environment) { daemon in
                    _ = try await register(
                        daemon.socket, "shop", bytes: try await syntheticFile(users: 1_500, items: 300))
                    _ = try await call(daemon.socket, CalibrationStart.self, request)
                    let attempt = daemon.state + "/trials/1/attempts/1/claim"
                    #expect(await waitUntil { FileManager.default.fileExists(atPath: attempt) })
                    kill(daemon.pid, SIGKILL)
                }
                try await Self.with(executors, in: folder, environment: environment) { daemon in
                    let job = try await end(of: 1, daemon.socket)
                    #expect(job.state == .finished && job.finishedTrials == 4, "\(job)")
                    let all = try await Self.observations(daemon)
                    #expect(all.count == 4 && Set(all.map(\.configuration)).count == 4)
                    #expect(all.allSatisfy { $0.key.policy.trainer == nil })
                }
            }
        }
    }
}
