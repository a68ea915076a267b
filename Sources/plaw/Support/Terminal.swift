import Glibc
import Text

/// Where text goes: results to standard output, everything else to standard error.
enum Terminal {
    static func print(_ line: String) { Console.line(line, to: .output) }

    /// Prints sentences, broken where the terminal ends; the lines that follow stand under the text of the first.
    static func prose(_ text: String, indent: Int = 0) {
        let lead = String(repeating: " ", count: indent)
        broken(text, width: outputWidth.map { $0 - indent }).forEach { Terminal.print(lead + $0) }
    }

    /// The lines of a sentence where they end at `width`, the second and later ones indented.
    static func broken(_ text: String, width: Int?) -> [String] {
        guard let width else { return [text] }
        return Wrap.lines(text, width: width - 2).enumerated().map { ($0 > 0 ? "  " : "") + $1 }
    }

    /// Columns that standard output has: those of its terminal, or what COLUMNS says; nil where lines may be as long as they are.
    static let outputWidth: Int? = {
        if let text = getenv("COLUMNS"), let columns = Int(String(cString: text)), columns >= 20 { return columns }
        guard Console.Stream.output.isTerminal else { return nil }
        var size = winsize()
        guard ioctl(Console.Stream.output.descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col >= 20 else {
            return 80
        }
        return Int(size.ws_col)
    }()

    /// Says something beside the results; a line longer than the terminal is broken between words.
    static func note(_ line: String) {
        guard Console.Stream.errors.isTerminal, line.count > width else { return Console.line(line, to: .errors) }
        broken(line, width: width).forEach { Console.line($0, to: .errors) }
    }

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
