import Glibc
import Text

/// Where text goes: results to standard output, everything else to standard error.
enum Terminal {
    static func print(_ line: String) { Console.line(line, to: .output) }

    static func note(_ line: String) { Console.line(line, to: .errors) }

    /// True where standard error is a terminal that can be drawn on.
    static var isInteractive: Bool {
        guard Console.Stream.errors.isTerminal else { return false }
        return getenv("TERM").map { String(cString: $0) != "dumb" } ?? false
    }

    /// Columns of the terminal, 80 where nobody says.
    static var width: Int {
        var size = winsize()
        guard ioctl(Console.Stream.errors.descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}

/// Columns of text, the first aligned left, the others right.
struct Table {
    private var rows: [[String]]
    var leftAligned: Set<Int> = [0]

    init(_ header: String...) { self.init(cells: header) }
    init(cells: [String]) { rows = [cells.map(Foreign.line)] }

    mutating func add(_ cells: String...) { add(cells: cells) }
    /// Cells are as wide as they will be shown.
    mutating func add(cells: [String]) { rows.append(cells.map(Foreign.line)) }

    var lines: [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return leftAligned.contains(column) ? cell + space : space + cell
            }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }

    func print(indent: String = "") { lines.forEach { Terminal.print(indent + $0) } }
}
