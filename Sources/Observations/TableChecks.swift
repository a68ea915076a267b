internal import Domain
internal import Text

/// What makes a table implausible, told with its lines: values that cannot all be what their columns say.
struct TableChecks {
    let header: Header
    let rows: [CSVReader.Row]

    private func refusal(_ line: Int?, _ column: String, _ message: String, options: [String] = []) -> TableError {
        TableError(file: header.file, line: line, column: column, message, options: options)
    }

    /// `line 3`, `lines 3, 4, 9 and 12 more`.
    private static func lines(_ lines: [Int]) -> String {
        let shown = lines.prefix(5).map(String.init).joined(separator: ", ")
        return (lines.count == 1 ? "line " : "lines ") + shown
            + (lines.count > 5 ? " and \(lines.count - 5) more" : "")
    }

    /// Refuses words of a status that nobody is known to use, all together: taken for failures they would leave nothing to fit.
    func statuses(_ finished: Set<String>) throws {
        guard let place = header.columns[.status] else { return }
        var counts: [(word: String, count: Int)] = []
        for row in rows {
            let word = row.fields[place]
            guard !Nothing.isSaid(word), Ending(word, finished: finished) == nil else { continue }
            if let known = counts.firstIndex(where: { $0.word == word }) {
                counts[known].count += 1
            } else if counts.count < 1_000 {
                counts.append((word, 1))
            }
        }
        guard !counts.isEmpty else { return }
        counts.sort { ($1.count, $0.word) < ($0.count, $1.word) }
        let named = counts.prefix(8).map { "\"\($0.word.prefix(40))\" (\($0.count))" }.joined(separator: ", ")
        let words = counts.prefix(8).map(\.word).joined(separator: ",")
        throw refusal(
            rows.first { !Nothing.isSaid($0.fields[place]) && Ending($0.fields[place], finished: finished) == nil }?
                .line,
            header.names[place],
            "found \(named)\(counts.count > 8 ? ", ..." : "") in \(rows.count) rows, expected words that say how a "
                + "training ended, such as converged, finished, failed, running; --status-ok names those of trainings that "
                + "ended well, and --ignore the column where all did",
            options: ["--status-ok " + words.shellWord])
    }

    /// Refuses values above 1, which are per cent, beside what is said of the others.
    func percent() throws {
        for (column, place) in header.metrics {
            var (above, within): ([Int], [Int]) = ([], [])
            for (number, row) in rows.enumerated() {
                guard let value = Cells.number(row.fields[place]) else { continue }
                if value > 1, value <= 100 { above.append(number) }
                if value > 0, value <= 1 { within.append(number) }
            }
            guard let first = above.first else { continue }
            let beside =
                within.first.map {
                    " beside \(rows[$0].fields[place]) in line \(rows[$0].line)"
                } ?? " and no share anywhere"
            throw refusal(
                rows[first].line, column.name,
                "found \"\(rows[first].fields[place].prefix(80))\"\(beside) (\(above.count) values above 1: "
                    + "\(Self.lines(above.map { rows[$0].line }))), expected a number, 0 to 1 (a share, not per cent): divide "
                    + "what is per cent by 100")
        }
    }

    /// Refuses rows whose metrics contradict each other: of one target, HR@K is the most, and every metric grows with K.
    func order(_ observations: [ObservationTable.Row]) throws {
        let metrics = header.metrics.filter { !$0.column.isError }.map(\.column.metric)
        // The smaller before the greater.
        var pairs: [(less: Metric, more: Metric)] = []
        for a in metrics {
            for b in metrics where a != b {
                let rank: [Metric.Kind: Int] = [.mrr: 0, .ndcg: 1, .hr: 2]
                let isKind = a.k == b.k && (rank[a.kind] ?? 0) < (rank[b.kind] ?? 0)
                if isKind || (a.kind == b.kind && a.k < b.k) { pairs.append((a, b)) }
            }
        }
        for (less, more) in pairs {
            let wrong = observations.filter { row in
                guard row.observation.converged, let a = row.observation.metrics[less.description]?.value,
                    let b = row.observation.metrics[more.description]?.value
                else { return false }
                return a > b + 1e-9
            }
            guard let first = wrong.first, let a = first.observation.metrics[less.description]?.value,
                let b = first.observation.metrics[more.description]?.value
            else { continue }
            let recall = header.recalls.isEmpty ? "" : " (recall is the hit rate only where every user has one target)"
            throw refusal(
                first.line, less.description,
                "found \(less) \(a) above \(more) \(b) in \(Self.lines(wrong.map(\.line))), expected at most \(more): with "
                    + "one target a user it never is\(recall); say which column is which with --map THEIRS=OURS, or leave one "
                    + "out with --ignore")
        }
    }

    /// What is odd and no reason to refuse.
    func warnings(_ observations: [ObservationTable.Row]) -> [Warning] {
        var warnings: [Warning] = []
        if !header.recalls.isEmpty {
            warnings.append(
                Warning(
                    code: "recall-as-hr",
                    message:
                        "\(header.recalls.joined(separator: ", ")) read as hit rates, which recall is where every user "
                        + "has one target, as with leave-one-out; else import again with --ignore"))
        }
        if header.isValidation {
            warnings.append(
                Warning(
                    code: "validation-metrics",
                    message: "the metrics were measured on validation targets; they are kept apart from those of test "
                        + "targets (policy measured=validation)"))
        }
        for metric in header.metrics.filter({ !$0.column.isError }).map(\.column.metric.description) {
            let fitted = observations.filter { $0.observation.converged && $0.observation.metrics[metric] != nil }
            for group in Dictionary(grouping: fitted, by: \.observation.key).values {
                let shapes = Set(group.map { [$0.observation.configuration.layers, $0.observation.configuration.dim] })
                guard shapes.count >= 3, let value = group.first?.observation.metrics[metric]?.value,
                    group.allSatisfy({ $0.observation.metrics[metric]?.value == value })
                else { continue }
                warnings.append(
                    Warning(
                        code: "constant-metric",
                        message: "\(metric) is \(value) in all \(group.count) trainings of \(shapes.count) shapes "
                            + "(\(Self.lines(group.map(\.line)))): a constant says nothing about layers and dim, and is more "
                            + "likely a column filled with a placeholder"))
            }
        }
        return warnings
    }
}
