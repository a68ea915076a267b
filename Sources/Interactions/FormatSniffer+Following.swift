internal import Domain
internal import Text

extension FormatSniffer {
    /// The layout of a further file of a dataset, which must be that of the first; a header may be missing in it.
    ///
    /// - Throws: `InteractionError` (`columns`) naming both files where it is another.
    func follow(_ before: Decided, _ path: String) throws -> Layout {
        var layout = before.layout
        layout.markLength = first.markLength
        if layout.json != nil { return try followJSON(before, path) }
        if layout.isSequences {
            try refuseWords()
            return layout
        }
        let records = RecordSource.records(of: first.lines, layout.delimiter)
        let header = headerNames(records, layout.delimiter)
        let counts = counts(records, layout.delimiter)
        guard let expected = layout.fieldCount, counts.filter({ $0 == expected }).count * 100 >= counts.count * 80,
            header.count == expected
        else { throw differs(header, before, path) }
        if layout.hasHeader, header == before.table.names {
            layout.hasHeader = true
        } else {
            let known = ColumnNames.find(in: header)
            guard !looksLikeHeader(records, layout.delimiter), !Self.isRecBole(header),
                known.user == nil || (known.item ?? known.items) == nil
            else { throw differs(header, before, path) }
            layout.hasHeader = false
        }
        try check(table(records, layout.delimiter, hasHeader: layout.hasHeader), layout, before, path)
        return layout
    }

    private func followJSON(_ before: Decided, _ path: String) throws -> Layout {
        var sniffer = self
        sniffer.options.dates = before.layout.time?.order ?? options.dates
        let own = try sniffer.decide()
        // What else interactions say may be told by the values, which differ.
        func roles(_ decision: FormatDecision) -> [String: String] {
            decision.columns.filter { !["behavior", "value", "domain"].contains($0.key) }
        }
        guard own.layout.json != nil, roles(own.decision) == roles(before.decision) else {
            throw InteractionError(
                file: self.path, reason: "columns",
                "found \(Self.words(own.decision)), expected what \(path) has: \(Self.words(before.decision)); the files of a dataset "
                    + "have the same columns")
        }
        var layout = own.layout
        // A member that the file does not have is missing in its rows.
        func column(_ of: Int?) -> Int? { of.flatMap { own.table.names.firstIndex(of: before.table.names[$0]) } }
        layout.behaviorColumn = column(before.layout.behaviorColumn)
        layout.valueColumn = column(before.layout.valueColumn)
        layout.domainColumn = column(before.layout.domainColumn)
        if !own.table.rows.isEmpty { try check(own.table, layout, before, path) }
        return layout
    }

    /// Whether the values are like those of the first file where that decides how they are read.
    private func check(_ table: SampleTable, _ layout: Layout, _ before: Decided, _ path: String) throws {
        func refuse(_ column: Int) -> InteractionError {
            InteractionError(
                file: self.path, reason: "columns",
                "column \(before.table.word(column)): found \(table.samples(column).joined(separator: ", ")), expected values as in "
                    + "\(path): \(before.table.samples(column).joined(separator: ", ")); the files of a dataset are written alike"
            )
        }
        if !table.hasHeader {
            for column in [layout.userColumn, layout.itemColumn] {
                let looks = [table.look(column), before.table.look(column)]
                if looks[0] != looks[1], looks.contains(where: { $0 != .other && $0 != .words }) {
                    throw refuse(column)
                }
            }
        }
        guard let column = layout.timeColumn, let form = before.layout.time else { return }
        let values = table.values(column)
        let read = values.filter { value in value.withUnsafeBytes { form.read($0) != nil } }
        let units = values.compactMap { value in
            value.withUnsafeBytes(parseWhole).flatMap { TimeUnit.of(magnitude: $0) }
        }
        guard read.count * 5 >= values.count * 4,
            form.unit == .date || units.filter({ $0 != form.unit }).count * 50 <= units.count
        else { throw refuse(column) }
    }

    private func differs(_ header: [String], _ before: Decided, _ path: String) -> InteractionError {
        let shown = header.prefix(50).map { SampleTable.shown(Array($0.utf8)) }.joined(separator: ", ")
        let known = before.table.names.prefix(50).joined(separator: ", ")
        return InteractionError(
            file: self.path, reason: "columns",
            "found \(header.count) \(header.count == 1 ? "column" : "columns") that begin with \(shown), expected the "
                + "\(before.table.names.count) of \(path)" + (before.layout.hasHeader ? ": \(known)" : "")
                + "; the files of a dataset have the same columns in the same order")
    }

    private static func words(_ decision: FormatDecision) -> String {
        decision.format + " with "
            + decision.columns.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
    }
}
