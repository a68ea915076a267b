internal import Text

/// The first lines of a file, and what shows from them alone that it holds no interactions.
struct FirstLines {
    let path: String
    let compressed: Bool
    /// Blank ones left out, byte-order mark removed.
    let lines: [[UInt8]]
    let markLength: Int

    static let mostLines = 400
    static let mostBytes = 1 << 20

    /// - Throws: `InteractionError` (`unreadable`, `empty`, `binary`, `gzip`, `ambiguous`).
    init(path: String, growing: GrowingFile? = nil) throws {
        self.path = path
        let source = try LineSource(path: path, growing: growing)
        compressed = source.compressed
        var lines: [[UInt8]] = []
        var markLength = 0
        var sampled = 0
        var binary: [UInt8]?
        while lines.count < Self.mostLines, sampled < Self.mostBytes, binary == nil,
            try source.next({ line in
                var line = line
                if lines.isEmpty, line.starts(with: [0xef, 0xbb, 0xbf]) {
                    markLength = 3
                    line = UnsafeRawBufferPointer(rebasing: line[3...])
                }
                if lines.isEmpty, Self.namesSeparator(line) {
                    markLength += line.count
                    return
                }
                sampled += line.count + 1
                if line.contains(where: { $0 < 9 || ($0 > 13 && $0 < 32 && $0 != 27) || $0 == 127 }) {
                    binary = Array(line.prefix(512))
                }
                if line.contains(where: { $0 != 32 && $0 != 9 }) { lines.append(Array(line)) }
            })
        {}
        if binary != nil || lines.count == 1, let first = lines.first ?? binary, let words = Self.container(first, path)
        {
            throw InteractionError(file: path, line: 1, reason: "binary", words)
        }
        if let binary {
            let hint =
                binary.contains(0) && binary.filter({ $0 == 0 }).count * 3 > binary.count
                ? "; if it is UTF-16 without a mark: iconv -f UTF-16LE -t UTF-8 \(path.shellWord) > FILE" : ""
            if binary.filter({ $0 == 1 }).count > 1, !binary.contains(0) {
                throw InteractionError(
                    file: path, line: source.lineNumber, reason: "binary",
                    "found fields between bytes of 1, as Hive writes them, expected tabs or commas; to convert it: "
                        + "tr '\\001' '\\t' < \(path.shellWord) > data.tsv && plaw register NAME data.tsv")
            }
            throw InteractionError(
                file: path, line: source.lineNumber, reason: "binary",
                "found control bytes, expected lines of text: this looks like a binary file" + hint)
        }
        if lines.isEmpty {
            throw InteractionError(file: path, reason: "empty", "found no line with text in it")
        }
        self.lines = lines
        self.markLength = markLength
        if let words = Self.foreign(lines, path) {
            throw InteractionError(file: path, line: 1, reason: "ambiguous", words)
        }
    }

    /// Whether a line is Excel's `sep=;`, which is no row: the separator is found by looking.
    private static func namesSeparator(_ line: UnsafeRawBufferPointer) -> Bool {
        line.count == 5 && zip(line, "sep=".utf8).allSatisfy { $0 | 32 == $1 | 32 }
    }

    /// What to do about a file that holds others, or a table that is no text.
    private static func container(_ bytes: [UInt8], _ path: String) -> String? {
        let file = path.shellWord
        let kinds: [(magic: [UInt8], words: String)] = [
            (Array("PK\u{3}\u{4}".utf8), "found a zip archive, expected text; to unpack it: unzip \(file)"),
            (Array("BZh".utf8), "found bzip2, expected text or gzip; to unpack it: bunzip2 -k \(file)"),
            ([0xfd, 0x37, 0x7a, 0x58, 0x5a], "found xz, expected text or gzip; to unpack it: unxz -k \(file)"),
            ([0x28, 0xb5, 0x2f, 0xfd], "found zstd, expected text or gzip; to unpack it: unzstd \(file)"),
            ([0x37, 0x7a, 0xbc, 0xaf], "found a 7z archive, expected text; to unpack it: 7z x \(file)"),
            (
                Array("PAR1".utf8),
                "found Parquet, expected text; to convert it: python3 -c "
                    + "\"import pandas; pandas.read_parquet('\(path)').to_csv('data.csv', index=False)\""
            ),
            ([0x89, 0x48, 0x44, 0x46], "found HDF5, expected text: export its table as CSV"),
            (Array("SQLite format 3".utf8), "found a SQLite database, expected text: export its table as CSV"),
            ([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59], "found a NumPy array, expected text: export it as CSV"),
        ]
        if let kind = kinds.first(where: { bytes.starts(with: $0.magic) }) { return kind.words }
        guard bytes.count > 262, bytes[257..<262].elementsEqual("ustar".utf8) else { return nil }
        return "found a tar archive, expected text; to unpack it: tar -xf \(file)"
    }

    /// Text that is no table: what it is and what would help.
    private static func foreign(_ lines: [[UInt8]], _ path: String) -> String? {
        let first = lines[0].drop { $0 == 32 || $0 == 9 }
        let file = path.shellWord
        func begins(_ text: String) -> Bool { first.starts(with: text.utf8) }
        if lines.count == 1, lines[0].filter({ $0 == 13 }).count > 1 {
            return
                "found ends of lines of one carriage return, expected line feeds; to convert it: tr '\\r' '\\n' < \(file) > data.txt "
                + "&& plaw register NAME data.txt"
        }
        if begins("version https://git-lfs") {
            return "found a Git LFS pointer, not the data it stands for; to fetch it: git lfs pull"
        }
        if begins("<") { return "found a page of HTML or XML, expected a table: was a page of errors downloaded?" }
        if begins("{'") || begins("{u'") || begins("{\"") && lines.count > 1 && isPython(lines) {
            return "found Python literals, expected JSON or a table; to convert them: python3 -c "
                + "'import ast, json, sys; open(\"data.jsonl\", \"w\").writelines("
                + "json.dumps(ast.literal_eval(x)) + chr(10) for x in sys.stdin)' < \(file) && plaw register NAME data.jsonl"
        }
        if begins("# ") || begins("% ") || begins("%%") || begins("##") || begins("//") || begins("--") {
            return "found a comment in the first line, expected rows or a header; to leave such lines out: "
                + "grep -v '^[#%/-]' \(file) > data.txt && plaw register NAME data.txt"
        }
        if begins("["), !begins("[{"), lines.count > 1, first.last == UInt8(ascii: "]") {
            return
                "found lists without users, expected a user and items in each line; to give each line a user of its own: "
                + "tr '[],\"' ' ' < \(file) | awk '{print NR, $0}' > data.txt && plaw register NAME data.txt"
        }
        if begins("[") {
            return
                "found a JSON array, expected JSON lines, one object a line; to convert it: python3 -c 'import json, sys; "
                + "list(map(print, map(json.dumps, json.load(sys.stdin))))' < \(file) > data.jsonl && "
                + "plaw register NAME data.jsonl"
        }
        if first.last == UInt8(ascii: ":"), first.dropLast().allSatisfy({ (48...57).contains($0) }), lines.count > 1 {
            return
                "found blocks of an item such as `\(SampleTable.shown(lines[0]))` and its users, as Netflix has them; to make rows "
                + "of them: awk -F, '/:/ {sub(/:.*/, \"\"); item = $0; next} {print $1 \",\" item \",\" $2 \",\" $3}' "
                + "\(file) > data.csv && plaw register NAME data.csv --columns user=0,item=1,time=3"
        }
        return nil
    }

    /// Whether lines that begin as JSON hold Python's words.
    private static func isPython(_ lines: [[UInt8]]) -> Bool {
        lines.prefix(20).allSatisfy { line in
            line.withUnsafeBytes { JSONFields.members($0) == nil }
                && [": '", ": True", ": None"].contains { text in
                    String(decoding: line, as: UTF8.self).contains(text)
                }
        }
    }
}
