internal import Domain

/// Turns rows of a table into observations.
struct RowReader {
    let header: Header
    let context: TableContext
    /// Words of the status of trainings that ended well, beside those that are known; lower case.
    let finished: Set<String>

    /// Of users, tokens and parameters: what is made of them still is a number.
    private static let most = 1_000_000_000_000_000
    /// Of what trainers elsewhere choose: an answer's search space stays small (`Branch.layers`, `Branch.dims`).
    private static let mostLayers = 10_000
    private static let mostDim = 1_000_000

    /// The observation of a row; nil where a training that did not end well measured nothing that could be kept: it was cut short without
    /// a metric, or failed before it said its layers and dimension.
    ///
    /// - Throws: `TableError`.
    func observation(_ row: CSVReader.Row) throws -> Observation? {
        let cells = Cells(header: header, row: row)
        let status = try cells.word(.status)
        var ending = status.flatMap { Ending($0, finished: finished) } ?? .finished
        let users = try cells.integer(.users, in: 0...Self.most) ?? 0
        let metrics = try metrics(cells, users: users)
        let saysNoNumber = header.metrics.contains { !$0.column.isError && cells.saysNoNumber($0.place) }
        if ending == .finished, metrics.isEmpty || saysNoNumber { ending = .failed }
        if metrics.isEmpty, ending == .unfinished || !cells.hasShape { return nil }
        let fraction = try cells.number(.userFraction, "more than 0, at most 1") { $0 > 0 && $0 <= 1 } ?? 1
        let configuration = try configuration(cells)
        let size = try dataSize(cells, configuration, fraction)
        let isKnownFailure = status.map { Ending($0, finished: finished) == .failed } ?? false
        let named = ending == .failed && !isKnownFailure ? ObservationTable.failed : status
        return Observation(
            id: 0, dataset: context.dataset, key: try key(cells, configuration, hasSize: size),
            configuration: configuration, tokens: Declared(size.tokens), apen: Declared(size.apen),
            userFraction: fraction,
            seed: UInt64(try cells.integer(.seed, in: 0...Int.max) ?? 0), users: users, metrics: metrics,
            epochs: try cells.integer(.epochs, in: 0...1_000_000_000) ?? 0, seconds: try cells.seconds() ?? 0,
            converged: ending == .finished, job: nil, trial: nil,
            status: ending == .finished || named == ObservationTable.unfinished ? nil : named,
            bestEpoch: try cells.integer(.bestEpoch, in: 0...1_000_000_000),
            parameters: try cells.integer(.parameters, in: 1...Self.most),
            trainingFlops: try cells.cost(.flops), memoryBytes: try cells.cost(.memoryBytes),
            latencySeconds: try cells.cost(.latencySeconds), source: try cells.free(.source) ?? context.source)
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
        where column.isError && metrics[column.metric.description] == nil
            && !Nothing.isNoMetric(cells.row.fields[place])
        {
            throw cells.refusal(
                column.name, "found a standard error without a value of \(column.metric), expected both")
        }
        return metrics
    }

    private func configuration(_ cells: Cells) throws -> DeclaredConfiguration {
        guard let layers = try cells.integer(.layers, in: 1...Self.mostLayers) else {
            throw cells.refusal("layers", "found nothing, expected 1 to \(Self.mostLayers)")
        }
        guard let dim = try cells.integer(.dim, in: 1...Self.mostDim) else {
            throw cells.refusal("dim", "found nothing, expected 1 to \(Self.mostDim)")
        }
        return DeclaredConfiguration(
            backbone: Declared(try cells.model()), layers: layers, dim: dim,
            heads: Declared(try cells.integer(.heads, in: 1...Self.mostDim)),
            maxLength: Declared(try cells.integer(.maxLength, in: 1...Self.mostDim)),
            loss: Declared(try cells.loss()?.core),
            feedForwardFactor: try cells.number(.feedForwardFactor, "more than 0, at most 10000") {
                $0 > 0 && $0 <= 10_000
            })
    }

    /// Tokens and entropy of a row; of the dataset where the row trained on all of it and says neither.
    private func dataSize(
        _ cells: Cells, _ configuration: DeclaredConfiguration, _ fraction: Double
    ) throws -> (tokens: Int?, apen: Double?) {
        let tokens = try cells.integer(.tokens, in: 1...Self.most)
        let apen = try cells.number(.apen, "more than 0") { $0 > 0 }
        let sameLength = configuration.maxLength == .unsaid || configuration.maxLength.value == context.maxLength
        if tokens == nil, apen == nil, fraction == 1, sameLength { return (context.tokens, context.apen) }
        return (tokens, apen)
    }

    private func key(
        _ cells: Cells, _ c: DeclaredConfiguration, hasSize size: (tokens: Int?, apen: Double?)
    ) throws -> LawKey {
        let negatives = try cells.integer(.negatives, in: 0...1_000_000_000)
        let loss = try cells.loss()
        // Losses that score the catalogue take no negatives.
        let scoresCatalogue = loss?.core?.scoresCatalogue == true
        var words = try cells.free(.policy).map { [$0] } ?? []
        // A loss that the core does not have keeps trainings apart by its name.
        if case .elsewhere(let name) = loss { words.append("loss=\(Self.word(name))") }
        for (name, place) in header.varied where !Nothing.isSaid(cells.row.fields[place]) {
            words.append("\(Self.word(ColumnNames.bare(name)))=\(Self.word(try cells.free(place, name)))")
        }
        if header.isValidation { words.append("measured=validation") }
        let policy = TrainingPolicy(words.joined(separator: " "), isSaid: !words.isEmpty)
        return LawKey(
            datasetVersion: Declared(try cells.free(.datasetVersion)), filter: Declared(try cells.free(.filter)),
            split: Declared(try cells.free(.split)), mask: Declared(try cells.choice(.mask)),
            candidates: Declared(try cells.free(.candidates)), backbone: c.backbone,
            loss: policy.loss(core: loss?.core), negatives: scoresCatalogue ? .said(0) : Declared(negatives),
            maxLength: c.maxLength, policy: policy, codeVersion: Declared(try cells.free(.codeVersion)),
            saysHeads: c.heads != .unsaid, saysTokens: size.tokens != nil, saysApEn: size.apen != nil)
    }

    /// A text as part of one word of a policy.
    private static func word(_ text: String) -> String { text.replacing(" ", with: "-") }
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
        if let value = Self.whole(text), range.contains(value) { return value }
        let end =
            range.upperBound == .max ? "\(range.lowerBound) or more" : "\(range.lowerBound) to \(range.upperBound)"
        throw refusal(column, found: text, expected: "a whole number, " + end)
    }

    /// Also `2.0` and `1e6`: columns in which something is missing are numbers with a point to pandas.
    private static func whole(_ text: String) -> Int? {
        Int(text) ?? number(text).flatMap { abs($0) < 9e15 ? Int(exactly: $0) : nil }
    }

    /// Whether layers and dim are both there.
    var hasShape: Bool { header.text(.layers, row) != nil && header.text(.dim, row) != nil }

    /// Whether a cell of a metric says that there is no number, as a training that diverged leaves it; an empty one says nothing.
    func saysNoNumber(_ place: Int) -> Bool { !row.fields[place].isEmpty && Nothing.isNoMetric(row.fields[place]) }

    func model() throws -> Model? {
        guard let text = header.text(.backbone, row) else { return nil }
        if let model = Model(text) { return model }
        throw refusal(.backbone, found: text, expected: Model.expected)
    }

    /// A loss by the core's name or RecBole's, or by a name of somebody's own.
    func loss() throws -> LossName? { try free(.loss).map { LossName($0.lowercased()) } }

    func cost(_ column: Column) throws -> Double? {
        try number(column, "more than 0, at most 1e30") { $0 > 0 && $0 <= 1e30 }
    }

    /// Seconds as a number, or as a duration that pandas writes: `0 days 00:01:30.5`.
    func seconds() throws -> Double? {
        guard let text = header.text(.seconds, row) else { return nil }
        let parts = text.split(separator: " ")
        let clock = (parts.last ?? "").split(separator: ":").map { Self.number(String($0)) }
        let days =
            parts.count == 3 && parts[1].hasPrefix("day") ? Self.number(String(parts[0])) : parts.count == 1 ? 0 : nil
        if clock.count == 3, let days, let h = clock[0], let m = clock[1], let s = clock[2], min(days, h, m, s) >= 0 {
            return days * 86_400 + h * 3_600 + m * 60 + s
        }
        return try number(.seconds, "0 to 1e10, or a duration such as 0 days 00:01:30") { $0 >= 0 && $0 <= 1e10 }
    }

    func number(_ column: Column, _ range: String, _ isGood: (Double) -> Bool) throws -> Double? {
        guard let text = header.text(column, row) else { return nil }
        if let value = Self.number(text), isGood(value) { return value }
        throw refusal(column, found: text, expected: "a number, " + range)
    }

    /// A metric or its standard error, 0 to 1.
    func share(_ place: Int, _ column: String) throws -> Double? {
        let text = row.fields[place]
        if Nothing.isNoMetric(text) { return nil }
        let value = Self.number(text)
        if let value, value >= 0, value <= 1 { return value }
        let hint =
            value.map { $0 > 1 && $0 <= 100 } == true || text.hasSuffix("%")
            ? " (a share, not per cent): divide what is per cent by 100"
            : Self.number(text.replacing(",", with: ".")) != nil ? " with a decimal point, not a comma" : ""
        throw refusal(column, "found \"\(text.prefix(80))\", expected a number, 0 to 1\(hint)")
    }

    /// Decimal numbers only: neither hexadecimal ones nor words such as nan.
    static func number(_ text: String) -> Double? {
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
        return try free(text, column.rawValue)
    }

    func free(_ place: Int, _ column: String) throws -> String { try free(row.fields[place], column) }

    private func free(_ text: String, _ column: String) throws -> String {
        if text.utf8.count <= 500, text.utf8.allSatisfy({ $0 >= 32 && $0 != 127 }) { return text }
        throw refusal(column, "found \"\(text.prefix(80))\", expected at most 500 bytes of text on one line")
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
