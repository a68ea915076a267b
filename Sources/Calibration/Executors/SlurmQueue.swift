internal import Subprocess

/// Slurm by its command line: `sbatch`, `squeue` and `scancel`, found through `PATH`. No accounting database is needed.
package struct SlurmQueue: ClusterQueue {
    /// Further options of `sbatch`: partition, account, gres, memory.
    package var options: [String]

    package init(options: [String] = []) { self.options = options }

    package func submit(_ job: ClusterJob) async throws {
        _ = try await output(
            "sbatch",
            [
                "--parsable", "--job-name=\(job.name)", "--array=0-\(job.tasks - 1)", "--time=\(job.minutesPerTask)",
                // A task that the scheduler ran again by itself would find its attempts claimed.
                "--no-requeue", "--chdir=\(job.folder)", "--output=\(job.folder)/output-%a", "--open-mode=append",
            ] + options + [job.script])
    }

    package func tasks(prefix: String) async throws -> [ClusterTask: Bool] {
        var found: [ClusterTask: Bool] = [:]
        for line in try await output("squeue", ["--me", "--array", "--noheader", "--format=%j %K %T"]).split(
            separator: "\n")
        {
            let words = line.split(separator: " ")
            // What is completing has ended; its node is being cleaned up.
            guard words.count == 3, words[0].hasPrefix(prefix), let index = Int(words[1]), words[2] != "COMPLETING"
            else { continue }
            let task = ClusterTask(job: String(words[0]), index: index)
            found[task] = found[task] == true || words[2] == "RUNNING"
        }
        return found
    }

    package func stop(_ task: ClusterTask) async throws { try await cancel(task, []) }

    package func signal(_ task: ClusterTask) async throws { try await cancel(task, ["--batch", "--signal=TERM"]) }

    private func cancel(_ task: ClusterTask, _ options: [String]) async throws {
        // By number, looked up by name: `scancel --name` takes no index.
        let lines = try await output(
            "squeue", ["--me", "--array", "--noheader", "--name=\(task.job)", "--format=%F %K"])
        let numbers = lines.split(separator: "\n").compactMap { line -> String? in
            let words = line.split(separator: " ")
            return words.count == 2 && Int(words[1]) == task.index ? "\(words[0])_\(words[1])" : nil
        }
        guard !numbers.isEmpty else { return }
        _ = try await output("scancel", options + numbers)
    }

    private func output(_ program: String, _ arguments: [String]) async throws -> String {
        do {
            let outcome = try await Subprocess.run(
                .name(program), arguments: Arguments(arguments), environment: .worker, input: .none,
                output: .string(limit: 64 << 20), error: .string(limit: 65_536))
            guard case .exited(0) = outcome.terminationStatus else {
                throw WorkerError(
                    "\(program) ended with \(outcome.terminationStatus): \(outcome.standardError.suffix(500))")
            }
            return outcome.standardOutput
        } catch let error as SubprocessError {
            throw WorkerError("\(program) cannot be run: \(error)")
        }
    }
}
