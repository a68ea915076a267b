internal import Files
internal import Glibc

/// Where the programs write what people read: the one place, so that nothing reaches a terminal that `Foreign` has not seen.
package enum Console {
    /// Standard output or standard error.
    package enum Stream: Sendable {
        case output, errors

        package var descriptor: Int32 { self == .output ? STDOUT_FILENO : STDERR_FILENO }

        /// Whether a terminal shows it.
        package var isTerminal: Bool { isatty(descriptor) == 1 }
    }

    /// Writes one line, whatever the text holds.
    package static func line(_ text: String, to stream: Stream) { write(Foreign.line(text) + "\n", stream) }

    /// Writes text of several lines that the program itself breaks, such as help; a line's end is added.
    package static func lines(_ text: String, to stream: Stream) { write(Foreign.lines(text) + "\n", stream) }

    /// Writes JSON and a line's end.
    package static func json(_ text: String, to stream: Stream) { write(Foreign.json(text) + "\n", stream) }

    /// Draws over the line that standard error stands in; without an end of line.
    package static func redraw(_ text: String) {
        write("\r" + Foreign.line(text) + "\u{1B}[K", .errors)
    }

    /// Goes up some lines and clears all from there.
    package static func clear(lines: Int) { write("\u{1B}[\(lines)A\u{1B}[J", .errors) }

    private static func write(_ text: String, _ stream: Stream) {
        // Nobody is left to tell where this fails.
        _ = writeAll(stream.descriptor, text)
    }
}
