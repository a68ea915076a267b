import ArgumentParser
import Domain
internal import StrictJSON
import Text
import Wire

/// For whom a recommendation is written as a configuration that is ready to train.
enum EmissionFormat: String, CaseIterable, ExpressibleByArgument {
    /// With the names of a trial's specification (protos/trial/spec.schema.json).
    case json
    /// A Python module.
    case pytorch
    /// A configuration file of RecBole 1.2.1.
    case recbole
}

/// A recommendation as a configuration that is ready to train.
struct Emission {
    let answer: Recommendation
    /// Of the law that answers; nil where other datasets answer, so that nobody has said how to train.
    let key: LawKey?

    /// - Throws: `CommandFailure` for a model that RecBole has not.
    func text(_ format: EmissionFormat) throws -> String {
        switch format {
        case .json: try jsonLine(JSONValue.object(json), pretty: true) + "\n"
        case .pytorch: try python()
        case .recbole: try recBole()
        }
    }

    // MARK: - What is said

    private static let epsilon = Recipe.published.options(Recipe.Facts(tokens: 1, users: 1), loss: .cce).epsilon

    /// Members of the configuration that are known.
    private var configuration: [(name: String, value: JSONValue)] {
        let c = answer.configuration
        let all: [(String, JSONValue?)] = [
            ("backbone", c.backbone.value.map { .string($0.rawValue) }), ("layers", .integer(Int64(c.layers))),
            ("dim", .integer(Int64(c.dim))), ("heads", c.heads.value.map { .integer(Int64($0)) }),
            ("maxLength", c.maxLength.value.map { .integer(Int64($0)) }),
            ("loss", (key?.loss.value?.description ?? c.loss.value?.rawValue).map(JSONValue.string)),
            ("feedForwardFactor", c.feedForwardFactor.map(JSONValue.number)),
        ]
        return all.compactMap { name, value in value.map { (name, $0) } }
    }

    /// Options of the trainings that the law rests on, by their names in a specification.
    private var options: [(name: String, value: JSONValue)] {
        guard let key else { return [] }
        let p = key.policy
        func number(_ value: Double?) -> JSONValue? { value.map(JSONValue.number) }
        func whole(_ value: Int?) -> JSONValue? { value.map { .integer(Int64($0)) } }
        func word<Value: RawRepresentable<String>>(_ value: Value?) -> JSONValue? { value.map { .string($0.rawValue) } }
        let all: [(String, JSONValue?)] = [
            ("learningRate", number(p.learningRate)), ("weightDecay", number(p.weightDecay)),
            ("beta1", number(p.betas?.first)), ("beta2", number(p.betas?.second)),
            // No policy names it: it is the same in all trainings of plawd and its runners.
            ("epsilon", p.recipe == nil ? nil : .number(Self.epsilon)), ("clipNorm", number(p.clipNorm)),
            ("batchUsers", whole(p.batchUsers)), ("dropout", number(p.dropout)),
            ("negatives", whole(key.negatives.value.map { max(1, $0) })), ("maxEpochs", whole(p.mostEpochs)),
            ("patience", whole(p.patience)), ("stopMetric", p.stopMetric.map { .string($0.description) }),
            ("warmup", number(p.warmup)), ("schedule", word(p.schedule)), ("scheduleEpochs", whole(p.scheduleEpochs)),
            ("widthRule", word(p.widthRule)), ("calibration", number(p.calibration)), ("sampling", word(p.sampling)),
            ("initialisation", word(p.initialisation)), ("averaging", number(p.averaging)),
            ("itemRate", number(p.itemRate)), ("warmupSteps", whole(p.warmupSteps)),
            ("patienceSteps", whole(p.patienceSteps)), ("patienceShare", number(p.patienceShare)),
            ("leastGain", number(p.leastGain)), ("recipe", word(p.recipe)),
        ]
        return all.compactMap { name, value in value.map { (name, $0) } }
    }

    private var json: [String: JSONValue] {
        func object(_ members: [(name: String, value: JSONValue)]) -> JSONValue {
            .object(Dictionary(uniqueKeysWithValues: members.map { ($0.name, $0.value) }))
        }
        var expected: [String: JSONValue] = [:]
        for (metric, value) in answer.predicted {
            var members: [String: JSONValue] = ["value": .number(value)]
            if let interval = answer.interval[metric] {
                (members["low"], members["high"]) = (.number(interval.low), .number(interval.high))
            }
            expected[metric] = .object(members)
        }
        var all: [String: JSONValue] = [
            "dataset": .string(answer.dataset), "configuration": object(configuration), "expected": .object(expected),
        ]
        if key != nil { all["options"] = object(options) }
        if let mask = key?.mask.value { all["mask"] = .string(mask.rawValue) }
        return all
    }

    /// What it is and what is expected of it, as comments.
    private var heading: String {
        let c = answer.configuration
        let metric = answer.metric.description
        let value = answer.predicted[metric].map { "\(metric) \(Format.quality($0))" } ?? metric
        let interval = answer.interval[metric].map { ", 90 % interval \(Format.interval($0))" } ?? ""
        let law = answer.laws[metric].map { "law \($0)" } ?? "other datasets; nobody has said how to train"
        return """
            # \(c.backbone.value?.rawValue ?? "A model") with \(c.layers) x \(c.dim) (layers x dim), recommended by plawd for \(answer.dataset).
            # Expected: \(value)\(interval), by \(law).

            """
    }

    // MARK: - PyTorch

    private func python() throws -> String {
        func literal(_ value: JSONValue) throws -> String { try jsonLine(value) }
        func table(_ name: String, _ members: [(name: String, value: JSONValue)], _ note: String = "") throws -> String
        {
            guard !members.isEmpty else { return "" }
            let lines = try members.map { "    \"\($0.name)\": \(try literal($0.value)),\n" }
            return "\(name) = {\(note)\n\(lines.joined())}\n"
        }
        let names = ["learningRate": "lr", "weightDecay": "weight_decay"]
        let said = Dictionary(uniqueKeysWithValues: options.map { ($0.name, $0.value) })
        var optimiser = options.compactMap { option in names[option.name].map { (name: $0, value: option.value) } }
        let betas = [said["beta1"], said["beta2"]].compactMap { $0 }
        if betas.count == 2 { optimiser.append((name: "betas", value: .array(betas))) }
        let others = options.filter { names[$0.name] == nil && !$0.name.hasPrefix("beta") }
        return heading + "DATASET = \(try literal(.string(answer.dataset)))\n" + (try table("MODEL", configuration))
            + (try table("OPTIMISER", optimiser, "  # torch.optim.AdamW(model.parameters(), **OPTIMISER)"))
            + (try table("TRAINING", others))
    }

    // MARK: - RecBole

    /// A model of RecBole, and its names for what a configuration has.
    private struct RecBoleModel {
        var name: String
        var depth: String?
        var widths: [String]
        var dropouts: [String] = []
        var isSequential = true
    }

    private static let recBoleModels = [
        RecBoleModel(
            name: "SASRec", depth: "n_layers", widths: ["hidden_size"],
            dropouts: ["hidden_dropout_prob", "attn_dropout_prob"]),
        RecBoleModel(
            name: "BERT4Rec", depth: "n_layers", widths: ["hidden_size"],
            dropouts: ["hidden_dropout_prob", "attn_dropout_prob"]),
        RecBoleModel(
            name: "GRU4Rec", depth: "num_layers", widths: ["embedding_size", "hidden_size"],
            dropouts: ["dropout_prob"]),
        RecBoleModel(name: "NARM", depth: "n_layers", widths: ["embedding_size", "hidden_size"]),
        RecBoleModel(name: "SRGNN", depth: "step", widths: ["embedding_size"]),
        RecBoleModel(name: "STAMP", widths: ["embedding_size"]),
        RecBoleModel(name: "LightGCN", depth: "n_layers", widths: ["embedding_size"], isSequential: false),
        RecBoleModel(name: "BPR", widths: ["embedding_size"], isSequential: false),
    ]

    private func recBole() throws -> String {
        let c = answer.configuration
        let name = c.backbone.value?.rawValue ?? "a model without a name"
        guard let model = Self.recBoleModels.first(where: { $0.name.lowercased() == name }) else {
            throw CommandFailure(
                "\(name) cannot be written for RecBole: this is done for "
                    + Self.recBoleModels.map(\.name).joined(separator: ", ")
                    + "; ask with --backbone for one of them, or use --emit json")
        }
        var lines: [(String, String)] = [("model", model.name), ("dataset", try jsonLine(answer.dataset))]
        func add(_ name: String, _ value: (some CustomStringConvertible)?) {
            if let value { lines.append((name, value.description)) }
        }
        if let depth = model.depth { add(depth, c.layers) }
        for width in model.widths { add(width, c.dim) }
        if model.dropouts.count == 2 {
            add("n_heads", c.heads.value)
            add("inner_size", Int((c.feedForwardFactor ?? 4) * Double(c.dim)))
        }
        if model.isSequential { add("MAX_ITEM_LIST_LENGTH", c.maxLength.value) }
        for dropout in model.dropouts { add(dropout, key?.policy.dropout) }
        let loss = key?.loss.value?.description ?? c.loss.value?.rawValue
        let isPairwise = loss == "bpr" || !model.isSequential
        if model.isSequential { add("loss_type", isPairwise ? "BPR" : "CE") }
        add("train_neg_sample_args", isPairwise ? "{distribution: uniform, sample_num: 1}" : "null")
        add("learning_rate", key?.policy.learningRate)
        add("weight_decay", key?.policy.weightDecay)
        if let most = key?.policy.clipNorm, most > 0 { add("clip_grad_norm", "{max_norm: \(most)}") }
        add("epochs", key?.policy.mostEpochs)
        add("stopping_step", key?.policy.patience)
        let metric = key?.policy.stopMetric ?? answer.metric
        add("metrics", "[NDCG, Hit, MRR]")
        add("topk", "[\(metric.k)]")
        add("valid_metric", "\(metric.kind == .hr ? "Hit" : metric.kind.rawValue.uppercased())@\(metric.k)")
        lines.append(("load_col", "{inter: [user_id, item_id, timestamp]}"))
        add("eval_args", "{split: {LS: valid_and_test}, order: TO, group_by: user, mode: full}")
        add("seed", 1)
        let enhanced =
            loss == "cce"
            ? "# It is for the enhanced loss (cce), which RecBole has not; integrations/recbole trains it.\n" : ""
        return heading + enhanced + lines.map { "\($0): \($1)\n" }.joined()
    }
}
