import Foundation
import PlawTesting
import Testing
import Text

@Suite struct ForeignTests {
    @Test(
        "what a terminal would obey is shown as an escape",
        arguments: [
            ("\u{1B}[2Jx", "\\u001b[2Jx"), ("a\nb\tc\rd", "a\\nb\\tc\\rd"), ("\r\n", "\\r\\n"),
            ("\u{0}\u{7}\u{8}", "\\u0000\\u0007\\u0008"),
            ("\u{9B}31m\u{9D}0;t\u{9C}", "\\u009b31m\\u009d0;t\\u009c"), ("\u{7F}", "\\u007f"),
            ("user\u{202E}txt.exe", "user\\u202etxt.exe"), ("\u{2066}a\u{2069}", "\\u2066a\\u2069"),
            ("\u{61C}\u{200E}\u{200F}", "\\u061c\\u200e\\u200f"), ("e\u{301}\u{9B}\u{301}", "e\u{301}\\u009b\u{301}"),
            ("\u{2028}\u{2029}", "\\u2028\\u2029"),
            ("\u{202A}\u{202B}\u{202C}\u{202D}", "\\u202a\\u202b\\u202c\\u202d"),
        ])
    func escapes(text: String, shown: String) {
        #expect(Foreign.line(text) == shown)
        #expect(Foreign.line(shown) == shown)
    }

    @Test("text of any language, and emoji with their joiners, stay as they are")
    func plain() {
        for text in ["", "plain", "Größe 10 µs ± 2", "שלום", "日本語", "👩‍👩‍👧‍👦", "e\u{301}", "a\\nb"] {
            #expect(Foreign.line(text) == text)
            #expect(Foreign.lines(text) == text)
            #expect(Foreign.json(text) == text)
        }
    }

    @Test("text of several lines keeps its lines and tabs and nothing else")
    func lines() {
        #expect(Foreign.lines("a\n\tb\r\u{1B}c\u{202E}") == "a\n\tb\\r\\u001bc\\u202e")
    }

    @Test("JSON stays JSON, of the same text")
    func json() throws {
        let text = "\u{1B}\u{9B}\u{7F}\u{202E}\u{2066}\n\t\"\\é\u{2028}"
        let encoded = String(decoding: try JSONEncoder().encode([text]), as: UTF8.self)
        let shown = Foreign.json(encoded)
        #expect(shown.unicodeScalars.allSatisfy { $0.value >= 0x20 && ($0.isASCII || $0 == "é") && $0.value != 0x7f })
        #expect(try JSONDecoder().decode([String].self, from: Data(shown.utf8)) == [text])
        let pretty = "{\n  \"a\" : 1\n}"
        #expect(Foreign.json(pretty) == pretty)
    }

    @Test("no program writes to its standard output or error but through the console")
    func oneWay() throws {
        // Where the streams are looked at, and the one place where they are written to.
        let allowed = ["Text/Console.swift", "plaw/Support/OutputFile.swift", "Host/ServiceLogHandler.swift"]
        let writes = try Regex(
            #"\bSTD(OUT|ERR)_FILENO|\bstd(out|err)\b|(^|[^.\w])(debugP|p)rint\(|FileHandle\.standard|\bdump\("#
        )
        .anchorsMatchLineEndings()
        var seen = 0
        let sources = Paths.root + "/Sources/"
        for file in try FileManager.default.subpathsOfDirectory(atPath: sources) where file.hasSuffix(".swift") {
            seen += 1
            if allowed.contains(file) { continue }
            let text = try String(contentsOfFile: sources + file, encoding: .utf8)
            for line in text.split(separator: "\n")
            where !line.drop(while: { $0 == " " }).hasPrefix("//") && !line.contains("func print(") {
                #expect(line.firstMatch(of: writes) == nil, "\(file): \(line)")
            }
        }
        #expect(seen > 150)
    }
}
