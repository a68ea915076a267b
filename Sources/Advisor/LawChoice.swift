package import Domain

/// Which keys of a dataset answer a question, and which could and do not.
///
/// What speaks for a key is what it rests on: most shapes trained on all users, then most observations, then the smaller error
/// on what was left out. Before that come keys whose laws have observations to spare, so that a calibration that was given up hides
/// none; those that leave nothing unsaid; and those of the data as it is registered now. Nothing depends on what came in first, but
/// among keys that are equal in all of this, of which the newest answers.
package struct LawChoice {
    /// One key with the laws of its metrics.
    package struct Option {
        package let key: LawKey
        /// By number, the newest first.
        package let heads: [LawHead]

        /// The metric that is asked about by default.
        var usual: LawHead? {
            heads.first { $0.metric == Metric(.ndcg, 10) } ?? heads.first { $0.metric == Metric(.hr, 10) }
                ?? heads.min { $0.metric.description < $1.metric.description }
        }

        /// Which model a key is about; one key speaks for each.
        var branch: [String] {
            [key.model, key.maxLength.words] + (key.undeclared.isEmpty ? [] : ["undeclared"])
        }
    }

    /// The keys that answer, the first of which the others can be compared with: other backbones, losses and lengths measured on the
    /// same users in the same way.
    package private(set) var served: [Option] = []
    package private(set) var others: [Option] = []

    /// - Parameters:
    ///   - version: of the dataset as it is registered; empty where it is made of observations alone.
    ///   - only: the key that alone is to answer.
    package init(_ heads: [LawHead], loss: Loss? = nil, backbone: Model? = nil, only: LawKey? = nil, version: String) {
        // No two options stand equal: each has a newest law of its own.
        let options = Dictionary(grouping: heads, by: \.key)
            .filter { Self.matches($0.key, loss: loss, backbone: backbone) }
            .map { Option(key: $0.key, heads: $0.value) }
            .sorted { Self.isBetter($0, $1, version: version) }
        for option in options {
            let isEligible: Bool
            if let only {
                isEligible = option.key == only
            } else if let first = served.first {
                isEligible =
                    option.heads.contains(where: \.hasSpare) && Self.isComparable(option.key, first.key)
                    && !served.contains { $0.branch == option.branch }
            } else {
                isEligible = true
            }
            if isEligible { served.append(option) } else { others.append(option) }
        }
    }

    /// A key that was to answer cannot.
    package mutating func leaveOut(_ key: LawKey) {
        others = served.filter { $0.key == key } + others
        served.removeAll { $0.key == key }
    }

    package static func matches(_ key: LawKey, loss: Loss?, backbone: Model?) -> Bool {
        (loss == nil || key.loss.value?.core == loss) && (backbone == nil || key.backbone.value == backbone)
    }

    private static func isBetter(_ a: Option, _ b: Option, version: String) -> Bool {
        func standing(_ option: Option) -> [Double] {
            let head = option.usual
            let isCurrent = option.key.datasetVersion == .unsaid || option.key.datasetVersion == .said(version)
            return [
                option.heads.contains(where: \.hasSpare) ? 1 : 0, option.key.undeclared.isEmpty ? 1 : 0,
                version.isEmpty || isCurrent ? 1 : 0, Double(head?.shapes ?? 0), Double(head?.observations ?? 0),
                -(head?.error ?? .infinity), Double(option.heads.map(\.id).max() ?? 0),
            ]
        }
        for (x, y) in zip(standing(a), standing(b)) where x != y { return x > y }
        return false
    }

    /// Negatives that a loss does not take are not left open.
    private static func isComparable(_ a: LawKey, _ b: LawKey) -> Bool {
        Set(a.undeclared).subtracting(["negatives"]) == Set(b.undeclared).subtracting(["negatives"])
            && a.datasetVersion == b.datasetVersion && a.filter == b.filter && a.split == b.split && a.mask == b.mask
            && a.candidates == b.candidates
    }

    // MARK: - Words

    /// Keys that are named one by one.
    private static let mostNamed = 4

    /// What an answer says of laws that were not asked.
    package static func warnings(_ others: [Option], served: [Option], dataset: String) -> [Warning] {
        var warnings = others.prefix(mostNamed).compactMap { option -> Warning? in
            guard let law = option.usual else { return nil }
            let words = option.key.distinction(from: served.map(\.key))
            let best = option.heads.sorted { $0.metric.description < $1.metric.description }.compactMap { head in
                head.best.map { "\(head.metric) \(Format.quality($0))" }
            }
            return Warning(
                code: "other-law",
                message: "law \(law.id) of \(option.key.model)"
                    + (words.isEmpty ? "" : " (\(words.joined(separator: "; ")))")
                    + " was not asked: \(law.observations) observations of \(law.shapes) shapes"
                    + (best.isEmpty ? "" : ", the best measured \(best.joined(separator: ", "))")
                    + "; --law \(law.id) asks it",
                command: "plaw recommend \(dataset) --law \(law.id)")
        }
        if others.count > mostNamed {
            warnings.append(
                Warning(
                    code: "other-law",
                    message: "laws of \(others.count - mostNamed) more keys were not asked; plaw law lists them",
                    command: "plaw law \(dataset)"))
        }
        return warnings
    }

    /// Trainings whose key has no law, where they measured more than all that the answer rests on.
    ///
    /// - Parameter metric: of the laws that answer.
    package static func unfitted(
        _ observations: [Observation], known: [LawHead], served: [Option], dataset: String
    ) -> [Warning] {
        guard let metric = served.first?.usual?.metric.description else { return [] }
        let own = Set(served.map(\.key))
        func best(_ observations: [Observation]) -> Double? {
            observations.filter { $0.isComplete && $0.userFraction >= 1 }.compactMap { $0.metrics[metric]?.value }.max()
        }
        let top = best(observations.filter { own.contains($0.key) }) ?? 0
        let fitted = Set(known.map(\.key))
        let lost = observations.filter { !fitted.contains($0.key) }
        guard let most = best(lost), most > top,
            let key = lost.first(where: { $0.metrics[metric]?.value == most })?.key
        else { return [] }
        return [
            Warning(
                code: "other-observations",
                message: "\(lost.count { $0.key == key }) observations of \(key.model) have no law, and measured up to "
                    + "\(metric) \(Format.quality(most)), more than any that this answer rests on",
                command: "plaw fit \(dataset)")
        ]
    }
}
