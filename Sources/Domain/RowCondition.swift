/// A condition on the rows of a file, as `--where` takes it: `behavior=buy`, `rating>=4`, `date<2014-07-01`.
package struct RowCondition: Sendable, Hashable {
    package enum Comparison: String, Sendable, Hashable, CaseIterable {
        case atLeast = ">="
        case atMost = "<="
        case unequal = "!="
        case same = "=="
        case equal = "="
        case more = ">"
        case less = "<"
    }

    /// A name of the header, a number from 0, or a member of JSON objects.
    package var column: String
    package var comparison: Comparison
    package var value: String

    /// Most conditions of a dataset, and most bytes of them: they stand in the key of its observations.
    package static let most = 32
    package static let mostBytes = 1_000

    /// What is wrong with the text of a condition.
    package struct Malformed: Error, Hashable, CustomStringConvertible {
        package var found: String
        package var description: String {
            "found \"\(found)\", expected a column, one of = != >= <= > < and a value, such as behavior=buy or rating>=4"
        }
    }

    /// Conditions of a text, which `and` joins: `rating>=4 and behavior!=view`. A value in quotes may hold anything.
    package static func all(in text: String) throws(Malformed) -> [RowCondition] {
        var conditions: [RowCondition] = []
        var rest: Substring? = text[...]
        while let next = rest {
            guard let (condition, following) = first(of: next) else { throw Malformed(found: text) }
            conditions.append(condition)
            rest = following
        }
        return conditions
    }

    private static func first(of text: Substring) -> (RowCondition, rest: Substring?)? {
        guard let place = text.firstIndex(where: { "=!<>".contains($0) }),
            let comparison = Comparison.allCases.first(where: { text[place...].hasPrefix($0.rawValue) })
        else { return nil }
        let column = trimmed(text[..<place])
        guard !column.isEmpty, !column.lowercased().contains(" and ") else { return nil }
        var value = trimmed(text[text.index(place, offsetBy: comparison.rawValue.count)...])
        var rest: Substring?
        if let quote = value.first, quote == "\"" || quote == "'",
            let end = value.dropFirst().firstIndex(of: quote)
        {
            let after = trimmed(value[value.index(after: end)...])
            guard after.isEmpty || after.lowercased().hasPrefix("and ") else { return nil }
            rest = after.isEmpty ? nil : after.dropFirst(4)
            value = value[value.index(after: value.startIndex)..<end]
        } else if let joint = joint(in: value) {
            rest = value[joint.upperBound...]
            value = trimmed(value[..<joint.lowerBound])
        }
        return (
            RowCondition(
                column: String(column), comparison: comparison == .same ? .equal : comparison, value: String(value)),
            rest
        )
    }

    /// The first ` and ` that another condition follows: a value such as `Home and Garden` holds none.
    private static func joint(in text: Substring) -> Range<Substring.Index>? {
        var place = text.startIndex
        while let blank = text[place...].firstIndex(of: " ") {
            place = text.index(after: blank)
            guard text[place...].prefix(4).lowercased() == "and " else { continue }
            let end = text.index(place, offsetBy: 4)
            if first(of: text[end...]) != nil { return blank..<end }
        }
        return nil
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let tail = text.drop { $0 == " " }
        return tail.last == " " ? trimmed(tail.dropLast()) : tail
    }
}

extension RowCondition: CustomStringConvertible {
    /// The condition as it is read again.
    package var description: String {
        let plain = column + comparison.rawValue + value
        if (try? Self.all(in: plain)) == [self] { return plain }
        let quote = value.contains("\"") ? "'" : "\""
        return column + comparison.rawValue + quote + value + quote
    }
}
