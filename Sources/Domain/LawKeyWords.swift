extension LawKey {
    /// Backbone and loss: `sasrec cce`, `sasrec (undeclared loss)`.
    package var model: String {
        switch (backbone, loss) {
        case (_, .said(.elsewhere(let name))): "\(backboneName) \(name)"
        case (.said(let backbone), .said(let loss)): "\(backbone) \(loss)"
        case (.said(let backbone), .unsaid): "\(backbone) (undeclared loss)"
        case (.unsaid, .said(let loss)): "\(loss) (undeclared backbone)"
        case (.unsaid, .unsaid): "undeclared backbone and loss"
        }
    }

    /// The backbone alone: `sasrec`, `undeclared backbone`.
    package var backboneName: String { backbone.value?.rawValue ?? "undeclared backbone" }

    /// What else tells this key from others, by the columns of a table of observations; of a policy, the words that not all of them have.
    package func distinction(from others: [LawKey]) -> [String] {
        var found: [String] = []
        func add(_ column: String, _ value: (LawKey) -> String?) {
            guard let own = value(self), others.contains(where: { value($0) != own }) else { return }
            found.append("\(column) \(own.isEmpty ? "none" : own)")
        }
        add("dataset_version") { $0.datasetVersion.value.map { String($0.prefix(12)) } }
        add("filter") { $0.filter.value }
        add("split") { $0.split.value }
        add("mask") { $0.mask.value?.rawValue }
        add("candidates") { $0.candidates.value }
        add("negatives") { $0.negatives.value?.description }
        add("max_length") { $0.maxLength.value?.description }
        let words = Set(policy.words)
        let theirs = others.map { Set($0.policy.words) }
        let own = policy.words.filter { word in theirs.contains { !$0.contains(word) } }
        if !own.isEmpty {
            found.append(own.joined(separator: " "))
        } else if let missing = theirs.flatMap({ $0.subtracting(words) }).min() {
            found.append("without \(missing)")
        }
        add("code_version") { $0.codeVersion.value }
        let said = others.map { Set($0.undeclared) }
        let unsaid = undeclared.filter { column in said.contains { !$0.contains(column) } }
        if !unsaid.isEmpty { found.append("undeclared: " + unsaid.joined(separator: ", ")) }
        return found
    }
}

// The one place where keys become JSON, as it is sent.
extension LawKey: Codable {
    private struct Wire: Codable {
        var datasetVersion: Declared<String>
        var filter: Declared<String>
        var split: Declared<String>
        var mask: Declared<CandidateMask>
        var candidates: Declared<String>
        var backbone: Declared<Model>
        /// Of the core; others stand in the policy, and `undeclared` has this one.
        var loss: Declared<Loss>
        var negatives: Declared<Int>
        var maxLength: Declared<Int>
        /// Heads and feed-forward factors stand in a policy of which nobody said the rest.
        var policy: Declared<String>
        var codeVersion: Declared<String>
        /// Absent where nothing is.
        var undeclared: [String]?
    }

    package init(from decoder: any Decoder) throws {
        let wire = try Wire(from: decoder)
        func isSaid(_ column: String) -> Bool { wire.undeclared?.contains(column) != true }
        let policy = TrainingPolicy(wire.policy.value ?? "", isSaid: isSaid("policy"))
        self.init(
            datasetVersion: wire.datasetVersion, filter: wire.filter, split: wire.split, mask: wire.mask,
            candidates: wire.candidates, backbone: wire.backbone,
            loss: policy.loss(core: wire.loss.value),
            negatives: wire.negatives, maxLength: wire.maxLength, policy: policy, codeVersion: wire.codeVersion,
            saysHeads: isSaid("heads"), saysTokens: isSaid("tokens"), saysApEn: isSaid("apen"))
    }

    package func encode(to encoder: any Encoder) throws {
        try Wire(
            datasetVersion: datasetVersion, filter: filter, split: split, mask: mask, candidates: candidates,
            backbone: backbone, loss: Declared(loss.value?.core), negatives: negatives, maxLength: maxLength,
            policy: policy.isSaid || !policy.text.isEmpty ? .said(policy.text) : .unsaid, codeVersion: codeVersion,
            undeclared: undeclared
        ).encode(to: encoder)
    }
}
