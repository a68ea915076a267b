internal import Domain

/// Turns rows of a table into observations.
struct RowReader {
    let header: Header
    let context: TableContext

    /// Of users, tokens and parameters: what is made of them still is a number.
    private static let most = 1_000_000_000_000_000

    /// The observation of a row; nil where a training that did not end well left no metrics. Errors: `TableError`.
    func observation(_ row: CSVReader.Row) throws -> Observation? {
        let cells = Cells(header: header, row: row)
        let status = try cells.word(.status)
        let users = try cells.integer(.users, in: 0...Self.most) ?? 0
        let metrics = try metrics(cells, users: users)
        if metrics.isEmpty {
            if let status, ["diverged", "failed"].contains(status) { return nil }
            throw cells.refusal(nil, "found no metric in this row, expected at least one, or status diverged or failed")
        }
        let fraction = try cells.number(.userFraction, "more than 0, at most 1") { $0 > 0 && $0 <= 1 } ?? 1
        let configuration = try configuration(cells)
        let size = try dataSize(cells, configuration, fraction)
        return Observation(
            id: 0, dataset: context.dataset, key: try key(cells, configuration, hasSize: size),
            configuration: configuration, tokens: size.tokens ?? 0, apen: size.apen ?? 0, userFraction: fraction,
            seed: UInt64(try cells.integer(.seed, in: 0...Int.max) ?? 0), users: users, metrics: metrics,
            epochs: try cells.integer(.epochs, in: 0...1_000_000_000) ?? 0,
            seconds: try cells.number(.seconds, "0 to 1e10") { $0 >= 0 && $0 <= 1e10 } ?? 0,
            converged: status == nil || status == ObservationTable.converged, job: nil, trial: nil,
            status: status == ObservationTable.converged || status == ObservationTable.unfinished ? nil : status,
            bestEpoch: try cells.integer(.bestEpoch, in: 0...1_000_000_000),
            parameters: try cells.integer(.parameters, in: 1...Self.most),
            source: try cells.free(.source) ?? context.source)
    }

    /// The metrics of a row. A standard error that is not said follows from the users for hit rates, which are means of hits.
    private func metrics(_ cells: Cells, users: Int) throws -> [String: Measurement] {
        var metrics: [String: Measurement] = [:]
        for (column, place) in header.metrics where !column.isError {
            guard let value = try cells.share(place, column.name) else { continue }
            let error = header.metrics.first { $0.column.isError && $0.column.metric == column.metric }
            var standardError = try error.flatMap { try cells.share($0.place, $0.column.name) }
            if standardError == nil, column.metric.kind == .hr, users > 0 {
                standardError = (value * (1 - value) / Double(users)).squareRoot()
            }
            metrics[column.metric.description] = Measurement(value: value, standardError: standardError ?? 0)
        }
        for (column, place) in header.metrics
        where column.isError && metrics[column.metric.description] == nil && !cells.row.fields[place].isEmpty {
            throw cells.refusal(
                column.name, "found a standard error without a value of \(column.metric), expected both")
        }
        return metrics
    }

    private func configuration(_ cells: Cells) throws -> Configuration {
        guard let layers = try cells.integer(.layers, in: 1...128) else {
            throw cells.refusal("layers", "found nothing, expected 1 to 128")
        }
        guard let dim = try cells.integer(.dim, in: 1...4_096) else {
            throw cells.refusal("dim", "found nothing, expected 1 to 4096")
        }
        let configuration = Configuration(
            backbone: try cells.choice(.backbone) ?? .sasrec, layers: layers, dim: dim,
            heads: try cells.integer(.heads, in: 1...4_096) ?? 1,
            maxLength: try cells.integer(.maxLength, in: 1...4_096) ?? 50, loss: try cells.choice(.loss) ?? .cce,
            feedForwardFactor: try cells.number(.feedForwardFactor, "more than 0, at most 64") { $0 > 0 && $0 <= 64 })
        if let problem = configuration.problem {
            // The member's name stands before the colon and is not always that of its column.
            let parts = problem.split(separator: ":", maxSplits: 1)
            let column = parts.first == "feedForwardFactor" ? "feed_forward_factor" : parts.first.map(String.init)
            throw cells.refusal(column, String(parts.last?.dropFirst() ?? ""))
        }
        return configuration
    }

    /// Tokens and entropy of a row; of the dataset where the row trained on all of it and says neither.
    private func dataSize(
        _ cells: Cells, _ configuration: Configuration, _ fraction: Double
    ) throws -> (tokens: Int?, apen: Double?) {
        let tokens = try cells.integer(.tokens, in: 1...Self.most)
        let apen = try cells.number(.apen, "more than 0") { $0 > 0 }
        let sameLength = header.text(.maxLength, cells.row) == nil || configuration.maxLength == context.maxLength
        if tokens == nil, apen == nil, fraction == 1, sameLength { return (context.tokens, context.apen) }
        return (tokens, apen)
    }

    private func key(
        _ cells: Cells, _ c: Configuration, hasSize size: (tokens: Int?, apen: Double?)
    ) throws -> LawKey {
        let negatives = try cells.integer(.negatives, in: 0...1_000_000)
        let declaresLoss = header.text(.loss, cells.row) != nil
        var undeclared = Column.declared.filter { header.text($0, cells.row) == nil }
        // Losses that score the catalogue take no negatives; tokens and entropy may have come from the dataset.
        if declaresLoss, c.loss.scoresCatalogue { undeclared.removeAll { $0 == .negatives } }
        if size.tokens != nil { undeclared.removeAll { $0 == .tokens } }
        if size.apen != nil { undeclared.removeAll { $0 == .apen } }
        return LawKey(
            datasetVersion: try cells.free(.datasetVersion) ?? "", filter: try cells.free(.filter) ?? "",
            split: try cells.free(.split) ?? "", mask: try cells.choice(.mask) ?? .none,
            candidates: try cells.free(.candidates) ?? "", backbone: c.backbone, loss: c.loss,
            negatives: declaresLoss && c.loss.scoresCatalogue ? 0 : negatives ?? 0, maxLength: c.maxLength,
            policy: try cells.free(.policy) ?? "", codeVersion: try cells.free(.codeVersion) ?? "",
            undeclared: undeclared.map(\.rawValue))
    }
}

/// The fields of one row, read by column.
struct Cells {
    let header: Header
    let row: CSVReader.Row

    func refusal(_ column: String?, _ message: String) -> TableError {
        TableError(file: header.file, line: row.line, column: column, message)
    }

    private func refusal(_ column: Column, found text: String, expected: String) -> TableError {
        refusal(column.rawValue, "found \"\(text.prefix(80))\", expected \(expected)")
    }

    func integer(_ column: Column, in range: ClosedRange<Int>) throws -> Int? {
        guard let text = header.text(column, row) else { return nil }
        if let value = Int(text), range.contains(value) { return value }
        let end =
            range.upperBound == .max ? "\(range.lowerBound) or more" : "\(range.lowerBound) to \(range.upperBound)"
        throw refusal(column, found: text, expected: "a whole number, " + end)
    }

    func number(_ column: Column, _ range: String, _ isGood: (Double) -> Bool) throws -> Double? {
        guard let text = header.text(column, row) else { return nil }
        if let value = Self.number(text), isGood(value) { return value }
        throw refusal(column, found: text, expected: "a number, " + range)
    }

    /// A metric or its standard error, 0 to 1.
    func share(_ place: Int, _ column: String) throws -> Double? {
        let text = row.fields[place]
        if text.isEmpty { return nil }
        let value = Self.number(text)
        if let value, value >= 0, value <= 1 { return value }
        let hint = value.map { $0 > 1 && $0 <= 100 } == true ? " (a share, not per cent)" : ""
        throw refusal(column, "found \"\(text.prefix(80))\", expected a number, 0 to 1\(hint)")
    }

    /// Decimal numbers only: neither hexadecimal ones nor words such as nan.
    private static func number(_ text: String) -> Double? {
        guard text.utf8.allSatisfy({ (48...57).contains($0) || [43, 45, 46, 69, 101].contains($0) }) else { return nil }
        return Double(text).flatMap { $0.isFinite ? $0 : nil }
    }

    func choice<Word: RawRepresentable & CaseIterable>(_ column: Column) throws -> Word? where Word.RawValue == String {
        guard let text = header.text(column, row) else { return nil }
        if let word = Word(rawValue: text) { return word }
        throw refusal(
            column, found: text, expected: "one of " + Word.allCases.map(\.rawValue).joined(separator: ", "))
    }

    /// Free text of at most 500 bytes on one line.
    func free(_ column: Column) throws -> String? {
        guard let text = header.text(column, row) else { return nil }
        if text.utf8.count <= 500, text.utf8.allSatisfy({ $0 >= 32 && $0 != 127 }) { return text }
        throw refusal(column, found: text, expected: "at most 500 bytes of text on one line")
    }

    /// One word, as a training's status.
    func word(_ column: Column) throws -> String? {
        guard let text = header.text(column, row) else { return nil }
        let isGood = text.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 45 || $0 == 95
        }
        if isGood, text.utf8.count <= 40 { return text }
        throw refusal(column, found: text, expected: "one word such as converged, stoppedByBudget or diverged")
    }
}
