internal import Domain

/// What the name of a column of somebody else's table says.
enum ColumnMeaning: Hashable {
    case column(Column)
    case metric(MetricColumn, Measured)
    /// Bookkeeping of the library that wrote the file, and metrics of another kind: left out, and named in the answer.
    case unused

    /// On what a metric was measured, and whether its name is recall's.
    struct Measured: Hashable {
        var isValidation = false
        var isRecall = false
    }
}

/// Reads the names that Optuna, Weights & Biases, MLflow, RecBole and hand-written tables give their columns.
enum ColumnNames {
    /// Lower case, words separated by one underscore: `Max Seq-Len` becomes `max_seq_len`, `maxSeqLen` too.
    static func plain(_ name: some StringProtocol) -> String {
        var result = ""
        var wasLower = false
        for scalar in name.unicodeScalars {
            let isLetter = scalar.properties.isAlphabetic || scalar.properties.numericType != nil
            if !isLetter {
                if !result.isEmpty, !result.hasSuffix("_") { result += "_" }
            } else {
                if wasLower, scalar.properties.isUppercase { result += "_" }
                result += scalar.properties.lowercaseMapping
            }
            wasLower = scalar.properties.isLowercase
        }
        while result.hasSuffix("_") { result.removeLast() }
        return result
    }

    /// What libraries put before the names of hyperparameters and of results.
    private static let settingPrefixes = [
        "params_", "params.", "params/", "param_", "user_attrs_", "config.", "config/", "hparams.", "hparams/",
        "hyperparameters.", "hyperparameters/", "args.", "args/", "model.", "model/", "train_config.", "cfg.",
    ]
    private static let resultPrefixes = [
        "metrics.", "metrics/", "summary.", "summary/", "user_attrs_", "final_", "final/",
    ]
    private static let testPrefixes = [
        "best_test_result.", "test_result.", "best_test_", "best_test/", "test_", "test/", "test.", "test-", "test ",
        "eval_test_", "test:",
    ]
    private static let validationPrefixes = [
        "best_valid_result.", "valid_result.", "best_valid_", "best_val_", "valid_", "valid/", "valid.", "val_", "val/",
        "val.", "validation_", "validation/", "validation.", "val-", "valid-", "dev_", "dev/", "valid ", "val ",
    ]

    /// Nil where the name means nothing that is known.
    static func meaning(of name: String) -> ColumnMeaning? {
        let lower = name.lowercased()
        if let metric = MetricColumn(lower) { return .metric(metric, .init()) }
        if let column = Column(rawValue: lower) { return .column(column) }
        if isBookkeeping(lower) { return .unused }
        if let metric = metric(lower) { return metric }
        let bare = bare(name)
        guard let column = Column(plain: plain(bare)) else { return nil }
        // A configured number of epochs or of seconds is a limit, not what a training took.
        if bare != name, [.epochs, .seconds, .status].contains(column) { return nil }
        return .column(column)
    }

    /// A hyperparameter's name without what its library puts before it.
    static func bare(_ name: String) -> String {
        let prefix = settingPrefixes.first { name.lowercased().hasPrefix($0) }
        return prefix.map { String(name.dropFirst($0.count)) } ?? name
    }

    /// A metric by a name of its own: `test/NDCG@10`, `metrics.recall_10`, `HR10`.
    private static func metric(_ lower: String) -> ColumnMeaning? {
        var rest = Substring(lower)
        var measured = ColumnMeaning.Measured()
        var isCut = true
        while isCut {
            isCut = false
            for prefix in resultPrefixes + testPrefixes where rest.hasPrefix(prefix) {
                (rest, isCut) = (rest.dropFirst(prefix.count), true)
            }
            for prefix in validationPrefixes where rest.hasPrefix(prefix) {
                (rest, isCut, measured.isValidation) = (rest.dropFirst(prefix.count), true, true)
            }
        }
        var isError = false
        for suffix in ["_se", "_stderr", "_sem", "_standard_error"] where rest.hasSuffix(suffix) {
            (rest, isError) = (rest.dropLast(suffix.count), true)
        }
        let letters = rest.prefix { $0.isLetter || $0 == "_" || $0 == " " || $0 == "-" }
        let digits = rest.dropFirst(letters.count).drop { "@([/.".contains($0) }.prefix { $0.isNumber }
        let tail = rest.dropFirst(letters.count).drop { "@([/.".contains($0) }.dropFirst(digits.count)
        guard tail.allSatisfy({ ")]".contains($0) }), let k = Int(digits), (1...Metric.largestK).contains(k) else {
            return others.contains(plain(rest)) ? .unused : nil
        }
        var word = plain(letters)
        if word.hasSuffix("_at") { word.removeLast(3) }
        let kind: Metric.Kind
        switch word {
        case "hr", "hit", "hits", "hit_rate", "hitrate", "hit_ratio", "hitratio": kind = .hr
        case "recall": (kind, measured.isRecall) = (.hr, true)
        case "ndcg": kind = .ndcg
        case "mrr": kind = .mrr
        default: return others.contains(word) ? .unused : nil
        }
        return .metric(MetricColumn(metric: Metric(kind, k), isError: isError), measured)
    }

    /// Measures that no law is fitted to.
    private static let others: Set<String> = [
        "precision", "map", "f1", "auc", "gauc", "coverage", "itemcoverage", "novelty", "diversity", "giniindex",
        "tailpercentage", "averagepopularity", "shannonentropy", "logloss", "rmse", "mae", "mrr", "train_loss",
        "training_loss", "valid_loss", "val_loss", "validation_loss", "best_valid_score", "best_score",
    ]

    /// What Optuna, Weights & Biases and MLflow write of a run that says nothing about its training.
    private static func isBookkeeping(_ lower: String) -> Bool {
        let names: Set<String> = [
            // pandas' index
            "", "unnamed: 0", "index",
            // Optuna
            "number", "datetime_start", "datetime_complete", "trial_id", "study_name",
            // Weights & Biases
            "id", "name", "notes", "user", "tags", "created", "sweep", "group", "job type", "updated", "end time",
            "hostname", "github", "commit message", "start time", "agent", "description",
            // MLflow
            "run_id", "run_name", "run id", "experiment_id", "experiment_name", "artifact_uri", "start_time",
            "end_time",
            "lifecycle_stage", "source name", "source type", "version",
        ]
        return names.contains(lower) || lower.hasPrefix("system_attrs_") || lower.hasPrefix("tags.")
            || lower.hasPrefix("_") || lower.hasPrefix("system/") || lower.hasPrefix("gradients/")
            || lower.hasPrefix("intermediate_values_")
    }
}
