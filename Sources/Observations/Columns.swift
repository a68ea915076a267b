internal import Domain

/// The columns of a table of observations that are no metrics, in the order in which they are written.
package enum Column: String, CaseIterable, Sendable {
    case backbone, loss, layers, dim, heads
    case maxLength = "max_length"
    case tokens, apen, seed, split, mask, users
    case userFraction = "user_fraction"
    case negatives, candidates, filter, policy
    case codeVersion = "code_version"
    case datasetVersion = "dataset_version"
    case feedForwardFactor = "feed_forward_factor"
    case parameters, flops
    case memoryBytes = "memory_bytes"
    case latencySeconds = "latency_seconds"
    case epochs
    case bestEpoch = "best_epoch"
    case seconds, status, source

    /// The columns of every table that is written; the others only where a value stands in them.
    static let always: Set<Column> = [
        .backbone, .loss, .layers, .dim, .heads, .maxLength, .tokens, .apen, .seed, .split, .mask, .users,
    ]

    static let known = allCases.map(\.rawValue).joined(separator: ", ")

    /// Names that libraries give the same thing, as `ColumnNames.plain` writes them. None says something else anywhere in Optuna, Weights &
    /// Biases, MLflow, RecBole or the transformers' configurations.
    var synonyms: [String] {
        switch self {
        case .backbone: ["model", "model_name", "model_type", "model_class", "architecture", "arch"]
        case .loss: ["loss_type", "loss_fn", "loss_function", "loss_name", "criterion"]
        case .layers:
            [
                "n_layers", "num_layers", "n_layer", "num_layer", "layer_num", "layers_num", "nlayers", "num_blocks",
                "n_blocks", "n_block", "num_block", "blocks", "num_hidden_layers", "n_hidden_layers", "depth",
                "num_encoder_layers", "encoder_layers", "num_decoder_layers", "num_transformer_layers",
                "n_transformer_layers", "transformer_layers", "num_transformer_blocks", "number_of_layers",
            ]
        case .dim:
            [
                "dims", "hidden_size", "hidden_units", "hidden_dim", "hidden_dims", "hidden_dimension",
                "embedding_size",
                "embedding_dim", "embedding_dims", "embedding_dimension", "embed_dim", "embed_size", "emb_dim",
                "emb_size", "d_model", "dmodel", "n_embd", "n_embed", "model_dim", "latent_dim", "item_embedding_dim",
                "factors", "n_factors", "num_factors", "latent_factors",
            ]
        case .heads:
            [
                "n_heads", "num_heads", "n_head", "nhead", "nheads", "num_attention_heads", "attention_heads",
                "attn_heads",
            ]
        case .maxLength:
            [
                "max_len", "maxlen", "max_seq_len", "max_seq_length", "max_seqlen", "max_sequence_length",
                "max_item_list_length", "max_position_embeddings", "n_positions", "block_size", "seq_len", "seq_length",
                "sequence_length", "history_length", "max_history_length", "context_length",
            ]
        case .seed: ["random_seed", "random_state", "rng_seed"]
        case .users: ["test_users", "eval_users", "evaluated_users", "n_test_users", "num_test_users"]
        case .userFraction: ["user_share", "share_of_users"]
        case .negatives:
            [
                "n_negatives", "num_negatives", "num_neg", "n_neg", "neg_samples", "num_neg_samples",
                "negative_samples",
                "num_negative_samples", "negs_per_pos", "train_neg_sample_num",
            ]
        case .codeVersion: ["commit", "git_commit", "git_sha", "commit_sha"]
        case .datasetVersion: ["data_version"]
        case .parameters:
            [
                "n_parameters", "num_parameters", "n_params", "num_params", "params", "param_count", "parameter_count",
                "total_params", "total_parameters", "trainable_params", "trainable_parameters", "model_parameters",
                "model_params",
            ]
        case .flops: ["training_flops", "train_flops", "total_flops"]
        case .memoryBytes: ["peak_memory_bytes", "max_memory_bytes", "training_memory_bytes"]
        case .latencySeconds: ["latency_s", "inference_seconds", "latency_sec"]
        case .epochs: ["epoch", "epochs_trained", "trained_epochs", "last_epoch"]
        case .seconds:
            ["training_seconds", "train_seconds", "training_time_s", "train_time_s", "duration", "runtime"]
        case .status: ["state"]
        default: []
        }
    }

    private static let byName: [String: Column] = {
        var names: [String: Column] = [:]
        for column in allCases {
            names[column.rawValue] = column
            for name in column.synonyms { names[name] = column }
        }
        return names
    }()

    /// The column that a plain name means; nil where it means none.
    init?(plain name: String) {
        guard let column = Self.byName[name] else { return nil }
        self = column
    }
}

/// A column of metrics: `hr@10`, or its standard error, `hr@10_se`.
struct MetricColumn: Hashable {
    var metric: Metric
    var isError: Bool

    init(metric: Metric, isError: Bool) {
        (self.metric, self.isError) = (metric, isError)
    }

    /// Nil when the name is none of a metric.
    init?(_ name: String) {
        let isError = name.hasSuffix("_se")
        guard let metric = Metric(isError ? String(name.dropLast(3)) : name) else { return nil }
        self.init(metric: metric, isError: isError)
    }

    var name: String { isError ? "\(metric)_se" : "\(metric)" }
}
