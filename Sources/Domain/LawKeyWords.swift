extension LawKey {
    /// A value as text; `undeclared` where nobody said it.
    package func said(_ column: String, _ value: String) -> String {
        if column == "loss", let foreignLoss { return foreignLoss }
        return undeclared.contains(column) ? "undeclared" : value
    }

    /// Before the name of a loss that the core does not have, in a policy.
    package static let lossWord = "loss="

    /// The loss of an import that the core does not have, in the words of whoever trained with it.
    package var foreignLoss: String? {
        policyWords.first { $0.hasPrefix(Self.lossWord) }.map { String($0.dropFirst(Self.lossWord.count)) }
    }

    /// What is left open, in words: a loss of another name is said.
    package var open: [String] { undeclared.filter { $0 != "loss" || foreignLoss == nil } }

    /// Backbone and loss: `sasrec cce`, `sasrec (undeclared loss)`.
    package var model: String {
        if let foreignLoss, undeclared.contains("loss") { return "\(backboneName) \(foreignLoss)" }
        return switch (undeclared.contains("backbone"), undeclared.contains("loss")) {
        case (false, false): "\(backbone.rawValue) \(loss.rawValue)"
        case (false, true): "\(backbone.rawValue) (undeclared loss)"
        case (true, false): "\(loss.rawValue) (undeclared backbone)"
        case (true, true): "undeclared backbone and loss"
        }
    }

    /// The backbone alone: `sasrec`, `undeclared backbone`.
    package var backboneName: String {
        undeclared.contains("backbone") ? "undeclared backbone" : backbone.rawValue
    }

    /// What else tells this key from others, by the columns of a table of observations; of a policy, the words that not all of them have.
    package func distinction(from others: [LawKey]) -> [String] {
        var found: [String] = []
        func add(_ column: String, _ value: (LawKey) -> String) {
            guard !undeclared.contains(column) else { return }
            let own = value(self)
            if others.contains(where: { $0.said(column, value($0)) != own }) {
                found.append("\(column) \(own.isEmpty ? "none" : own)")
            }
        }
        add("dataset_version") { String($0.datasetVersion.prefix(12)) }
        add("filter") { $0.filter }
        add("split") { $0.split }
        add("mask") { $0.mask.rawValue }
        add("candidates") { $0.candidates }
        add("negatives") { "\($0.negatives)" }
        add("max_length") { "\($0.maxLength)" }
        let words = Set(policyWords)
        let foreign = others.map { Set($0.policyWords) }
        let own = policyWords.filter { word in foreign.contains { !$0.contains(word) } }
        if !own.isEmpty {
            found.append(own.joined(separator: " "))
        } else if let missing = foreign.flatMap({ $0.subtracting(words) }).min() {
            found.append("without \(missing)")
        }
        add("code_version") { $0.codeVersion }
        let unsaid = undeclared.filter { column in others.contains { !$0.undeclared.contains(column) } }
        if !unsaid.isEmpty { found.append("undeclared: " + unsaid.joined(separator: ", ")) }
        return found
    }

    private var policyWords: [String] { policy.split(separator: " ").map(String.init) }
}
