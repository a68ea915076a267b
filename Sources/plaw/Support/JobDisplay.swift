import Domain
import Wire
import Text
import Trials

/// Draws a job's progress: a line for every trial that has ended, and below them a bar with the trials in progress.
struct JobDisplay {
    private var told: Set<Int64> = []
    private var drawn = 0
    private let isInteractive = Terminal.isInteractive

    /// Shows a state; lines that were drawn before are replaced.
    mutating func show(_ job: Job) {
        clear()
        for trial in job.trials ?? [] where trial.state.isFinal && !told.contains(trial.id) {
            told.insert(trial.id)
            Terminal.note(Self.outcome(trial, of: job.trialCount))
        }
        guard isInteractive, !job.state.isFinal else { return }
        let lines = Self.lines(job, width: Terminal.width)
        lines.forEach(Terminal.note)
        drawn = lines.count
    }

    /// Removes what was drawn last.
    mutating func clear() {
        guard drawn > 0 else { return }
        Console.clear(lines: drawn)
        drawn = 0
    }

    /// How a trial ended, in a line.
    static func outcome(_ trial: TrialState, of count: Int) -> String {
        let share = trial.userFraction < 1 ? " on \(Format.share(trial.userFraction)) of the users" : ""
        let what = "trial \(trial.index)/\(count)  \(Format.shape(trial.configuration))\(share)"
        switch trial.state {
        case .finished:
            let metrics = ["hr@10", "ndcg@10"].compactMap { name in
                trial.metrics?[name].map { "\(name) \(Format.quality($0.value))" }
            }
            let took = "\(Format.seconds(trial.seconds)) (predicted \(Format.seconds(trial.predictedSeconds)))"
            let line = ([what, took] + metrics).joined(separator: "  ")
            return trial.message.map { "\(line)  (\($0))" } ?? line
        default:
            return "\(what)  \(trial.state.rawValue)\(trial.message.map { ": \($0)" } ?? "")"
        }
    }

    /// What the finished trials took beside what was predicted; nil without one.
    static func comparison(_ job: Job) -> String? {
        let done = (job.trials ?? []).filter { $0.state == .finished }
        guard !done.isEmpty else { return nil }
        let actual = done.reduce(0) { $0 + $1.seconds }
        let predicted = done.reduce(0) { $0 + $1.predictedSeconds }
        let epochs = done.compactMap(\.epochs).reduce(0, +)
        let expected = done.reduce(0) { $0 + $1.predictedEpochs }
        return "finished trials took \(Format.seconds(actual)) and \(Format.count(Double(epochs))) epochs; predicted "
            + "\(Format.seconds(predicted)) and \(Format.count(expected)) epochs"
    }

    /// The bar and the trials in progress, each line no wider than the terminal.
    static func lines(_ job: Job, width: Int) -> [String] {
        let ended = (job.trials ?? []).filter(\.state.isFinal).count
        let left = job.remainingSeconds.map { ", about \(Format.seconds($0)) left" } ?? ""
        // Time spent against time left: trials differ too much in size to be counted.
        let total = job.activeSeconds + (job.remainingSeconds ?? max(0, job.budgetSeconds - job.activeSeconds))
        let share = total > 0 ? job.activeSeconds / total : 0
        // What a daemon says need not be sensible.
        let filled = max(0, min(24, Int(towardZero: share * 24)))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 24 - filled)
        var lines = [
            "[\(bar)] \(ended) of \(job.trialCount) trials, \(Format.seconds(job.activeSeconds))\(left)"
        ]
        if job.state == .queued { lines[0] = "waiting for the job before" }
        // Of one that goes on: what keeps it.
        if let message = job.message { lines.append(message) }
        for trial in job.trials ?? [] where trial.state == .running {
            var line = "  trial \(trial.index)/\(job.trialCount)  \(Format.shape(trial.configuration))"
            if let p = trial.progress {
                line += "  epoch \(p.epoch)  \(Format.count(p.tokensPerSecond)) tokens/s"
                if let best = p.best { line += "  best \(Format.quality(best))" }
                if trial.predictedSeconds > trial.seconds {
                    line += "  \(Format.seconds(trial.predictedSeconds - trial.seconds)) left"
                }
            }
            lines.append(line)
        }
        return lines.map { String($0.prefix(max(20, width - 1))) }
    }
}
