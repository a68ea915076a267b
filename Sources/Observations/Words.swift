/// How a training ended, by the word of whatever ran it.
enum Ending: Hashable {
    /// As its policy says: laws are fitted to it.
    case finished
    /// Cut short, or still running: kept under its word, and not fitted.
    case unfinished
    /// Without a model to speak of: kept as failed, and not fitted.
    case failed

    /// Nil for a word that nobody is known to use.
    init?(_ word: String, finished: Set<String>) {
        let lower = word.lowercased()
        if finished.contains(lower) || Self.finishedWords.contains(lower) {
            self = .finished
        } else if Self.failedWords.contains(lower) {
            self = .failed
        } else if Self.unfinishedWords.contains(lower) {
            self = .unfinished
        } else {
            return nil
        }
    }

    /// Of plawd, Optuna (COMPLETE), Weights & Biases (finished) and MLflow (FINISHED), and what people write.
    private static let finishedWords: Set<String> = [
        "converged", "complete", "completed", "finished", "done", "success", "succeeded", "ok",
    ]
    private static let failedWords: Set<String> = [
        "failed", "fail", "failure", "diverged", "crashed", "crash", "error", "oom", "nan", "killed",
    ]
    private static let unfinishedWords: Set<String> = [
        "stoppedbybudget", "stoppedrising", "maxepochs", "stopped", "running", "pruned", "waiting", "scheduled",
        "pending", "preempted", "preempting", "cancelled", "canceled", "timeout", "interrupted", "unfinished",
    ]
}

/// Cells that say there is nothing.
enum Nothing {
    private static let words: Set<String> = ["nan", "na", "n/a", "<na>", "none", "null", "-", "nat"]
    private static let endless: Set<String> = ["inf", "+inf", "-inf", "infinity", "-infinity", "+infinity"]

    /// In a column of words `none` is a word of its own, as a mask or a filter.
    static func isSaid(_ text: String, in column: Column) -> Bool {
        let isOfWords = [.mask, .filter, .policy, .candidates, .split, .source, .codeVersion, .datasetVersion].contains(
            column)
        return isOfWords ? text.isEmpty || text.lowercased() == "nan" : isSaid(text)
    }

    static func isSaid(_ text: String) -> Bool { text.isEmpty || words.contains(text.lowercased()) }

    /// Of a metric: also what a training that diverged leaves.
    static func isNoMetric(_ text: String) -> Bool { isSaid(text) || endless.contains(text.lowercased()) }
}
