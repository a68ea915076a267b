internal import Domain

/// Numbers of layers and dimensions that alone are considered; all of the search space where nil.
package struct Candidates: Sendable, Hashable {
    package let layers: Set<Int>?
    package let dims: Set<Int>?

    /// Nil where nothing is restricted.
    package init?(layers: [Int]?, dims: [Int]?) {
        guard layers != nil || dims != nil else { return nil }
        self.layers = layers.map(Set.init)
        self.dims = dims.map(Set.init)
    }
}

extension Advisor {
    /// An advisor that considers these shapes alone: every answer of its, with what cannot be told apart and what lies next, is among them.
    ///
    /// - Throws: `AdvisorError` where none of them lies in the search space.
    package func restricted(to candidates: Candidates) throws -> Advisor {
        let own = branches.map { branch in
            var branch = branch
            branch.candidates = candidates
            return branch
        }
        var left: [String] = []
        for (name, asked, has, all) in [
            ("layers", candidates.layers, own.flatMap(\.layers), branches.flatMap(\.layers)),
            ("dims", candidates.dims, own.flatMap(\.dims), branches.flatMap(\.dims)),
        ] {
            guard let asked, let low = all.min(), let high = all.max() else { continue }
            let out = asked.subtracting(has).sorted()
            guard !out.isEmpty else { continue }
            let words =
                "\(name): found \(out.prefix(8).map(String.init).joined(separator: ", "))"
                + "\(out.count > 8 ? ", ..." : ""), expected \(low) to \(high), half the smallest to twice the largest that "
                + "was trained"
            guard !has.isEmpty else { throw AdvisorError(kind: .outsideDomain, description: words) }
            left.append(words)
        }
        let notes = left.map { Warning(code: "candidates-left-out", message: "not considered: " + $0) }
        let advisor = Advisor(
            dataset: dataset, hasInteractions: hasInteractions, branches: own, notes: self.notes + notes)
        guard advisor.search.count > 0 else {
            throw AdvisorError(
                kind: .outsideDomain,
                description: "dims: found none that 1, 2, 4, 8 or the trained number of heads divides")
        }
        return advisor
    }
}
