internal import Domain

/// What else interactions say.
extension RoleFinder {
    /// Columns of behaviors, values and domains: those that are named, else those of known names whose values are of that kind.
    func events(_ chosen: [String: Int], _ known: ColumnNames.Found, _ layout: inout Layout) throws {
        var taken = [layout.userColumn, layout.itemColumn, layout.timeColumn, layout.targetColumn].compactMap { $0 }
        func column(_ role: String, _ named: [Int], _ holds: (Int) -> Bool) throws -> Int? {
            if let column = chosen[role] {
                guard !taken.contains(column) else {
                    throw InteractionError(
                        file: table.path, reason: "columns",
                        "\(role): found the column \(table.word(column)), which holds something else, expected another")
                }
                taken.append(column)
                return column
            }
            // Of lists nothing says which item a word is of.
            guard layout.list == nil, let column = named.first(where: { !taken.contains($0) && holds($0) }) else {
                return nil
            }
            taken.append(column)
            return column
        }
        layout.behaviorColumn = try column("behavior", known.behaviors) { column in
            (1...32).contains(table.distinct(column)) && table.look(column) != .decimals
        }
        if layout.behaviorColumn == nil {
            // By their values: of names that say too little, and of tables without names.
            let named = table.hasHeader ? known.kinds : Array(table.names.indices)
            layout.behaviorColumn = try column("behavior", named) { column in
                let values = Set(table.values(column).map { String(decoding: $0, as: UTF8.self) })
                return !values.isEmpty
                    && values.allSatisfy { ColumnNames.behaviorWords.contains(ColumnNames.plain($0)) }
            }
        }
        layout.valueColumn = try column("value", known.values) { column in
            let values = table.values(column)
            return values.filter { !$0.withUnsafeBytes(RawEvents.number).isNaN }.count * 100 >= values.count * 95
                && !values.isEmpty
        }
        layout.domainColumn = try column("domain", known.domains) { (2...1_000).contains(table.distinct($0)) }
    }
}
