import Text

/// Columns of text, the first aligned left, the others right.
struct Table {
    private var rows: [[String]]
    var leftAligned: Set<Int> = [0]
    /// The first columns, which say what a row is about: they stand again where the others go on below.
    var keyColumns = 1

    init(_ header: String...) { self.init(cells: header) }
    init(cells: [String]) { rows = [cells.map(Foreign.line)] }

    mutating func add(_ cells: String...) { add(cells: cells) }
    /// Cells are as wide as they will be shown.
    mutating func add(cells: [String]) { rows.append(cells.map(Foreign.line)) }

    /// The rows as lines, however long.
    var lines: [String] { lines(width: nil) }

    /// The rows as lines of at most `width` columns: a text in the last column is broken, other columns go on below.
    func lines(width: Int?) -> [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        func total(_ columns: [Int]) -> Int { columns.reduce(0) { $0 + widths[$1] } + 2 * max(0, columns.count - 1) }
        let all = Array(0..<columns)
        guard let width, total(all) > width else { return lines(all, widths) }
        func laid(_ columns: [Int]) -> [String] {
            let room = total(columns) > width ? width - total(columns.dropLast()) - 2 : nil
            return lines(columns, widths, room: room.map { max($0, Self.leastText) })
        }
        if let last = all.last, leftAligned.contains(last), width - total(all.dropLast()) - 2 >= Self.leastText {
            return laid(all)
        }
        let keys = Array(all.prefix(keyColumns))
        var result: [String] = []
        var part = keys
        for column in all.dropFirst(keyColumns) {
            if part.count > keys.count, total(part + [column]) > width {
                result += laid(part)
                part = keys
            }
            part.append(column)
        }
        return result + laid(part)
    }

    /// A text is not broken into less.
    private static let leastText = 24

    /// - Parameter room: of the last column; its cells are broken where they are wider.
    private func lines(_ columns: [Int], _ widths: [Int], room: Int? = nil) -> [String] {
        rows.flatMap { row -> [String] in
            let cells = columns.map { column -> String in
                let cell = column < row.count ? row[column] : ""
                // What follows the last cell of a short row is nothing, not space.
                let space = String(repeating: " ", count: max(0, widths[column] - cell.count))
                return leftAligned.contains(column) ? cell + space : space + cell
            }
            func trimmed(_ line: String) -> String { String(line.reversed().drop { $0 == " " }.reversed()) }
            guard let room, let last = columns.last, last < row.count, row[last].count > room else {
                return [trimmed(cells.joined(separator: "  "))]
            }
            let lead = cells.dropLast().map { $0 + "  " }.joined()
            return Wrap.lines(row[last], width: room).enumerated().map { number, line in
                trimmed((number == 0 ? lead : String(repeating: " ", count: lead.count)) + line)
            }
        }
    }

    func print(indent: String = "") {
        lines(width: Terminal.outputWidth.map { $0 - indent.count }).forEach { Terminal.print(indent + $0) }
    }
}

/// Text broken between words.
enum Wrap {
    /// Lines of at most `width` columns; a longer word stands alone.
    static func lines(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + (line.isEmpty && !lines.isEmpty ? [] : [line])
    }
}
