import Glibc
import Text

/// Where text goes: results to standard output, everything else to standard error.
enum Terminal {
    static func print(_ line: String) { Console.line(line, to: .output) }

    /// Prints sentences, broken where the terminal ends; the lines that follow stand under the text of the first.
    static func prose(_ text: String, indent: Int = 0) {
        let lead = String(repeating: " ", count: indent)
        guard let outputWidth else { return Terminal.print(lead + text) }
        for (number, line) in Wrap.lines(text, width: outputWidth - indent - 2).enumerated() {
            Terminal.print(lead + (number > 0 ? "  " : "") + line)
        }
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
        for (number, part) in Wrap.lines(line, width: width - 2).enumerated() {
            Console.line((number > 0 ? "  " : "") + part, to: .errors)
        }
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
