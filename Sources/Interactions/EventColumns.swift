/// What rows say besides user, item and time, in the order in which they were read. A file that says nothing takes no memory.
struct RawEvents {
    /// Texts of a column, numbered in the order in which they come.
    struct Texts {
        var names = NameTable()
        var codes: [UInt16] = []
        /// Whether there were more different texts than a code can tell apart: it is no column of kinds.
        var isFull = false

        mutating func append(_ text: UnsafeRawBufferPointer, count: Int) {
            guard !isFull else { return }
            let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
            let number = names.number(of: isMissing(text) ? nothing : text)
            guard number < EventColumns.mostKinds else {
                (isFull, codes, names) = (true, [], NameTable())
                return
            }
            codes.append(contentsOf: repeatElement(UInt16(number), count: count))
        }
    }

    var behaviors: Texts?
    var values: [Double]?
    var domains: Texts?

    init(_ layout: Layout) {
        if layout.behaviorColumn != nil { behaviors = Texts() }
        if layout.valueColumn != nil { values = [] }
        if layout.domainColumn != nil { domains = Texts() }
    }

    var isEmpty: Bool { behaviors == nil && values == nil && domains == nil }

    /// Bytes of an interaction in memory.
    var width: Int {
        (behaviors == nil ? 0 : 2) + (values == nil ? 0 : 8) + (domains == nil ? 0 : 2) + (isEmpty ? 0 : 4)
    }

    /// Adds what a row says to the interactions that it holds.
    ///
    /// - Parameter withText: hands the text of a column of the row to a body.
    mutating func append(
        _ layout: Layout, count: Int, _ withText: (Int, (UnsafeRawBufferPointer) -> Void) -> Void
    ) {
        // Of several files one may lack the column.
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        if behaviors != nil {
            if let column = layout.behaviorColumn {
                withText(column) { behaviors?.append($0, count: count) }
            } else {
                behaviors?.append(nothing, count: count)
            }
        }
        if values != nil {
            var value = Double.nan
            if let column = layout.valueColumn { withText(column) { value = Self.number($0) } }
            values?.append(contentsOf: repeatElement(value, count: count))
        }
        if domains != nil {
            if let column = layout.domainColumn {
                withText(column) { domains?.append($0, count: count) }
            } else {
                domains?.append(nothing, count: count)
            }
        }
    }

    /// A decimal number, also with a comma before its fraction; NaN for what is none, and where a comma may as well stand between
    /// thousands.
    static func number(_ text: UnsafeRawBufferPointer) -> Double {
        if let plain = plainNumber(text) { return plain }
        // Swift also reads hexadecimal digits.
        guard text.count < 40, text.allSatisfy({ (48...57).contains($0) || "+-.,eE".utf8.contains($0) }) else {
            return .nan
        }
        var bytes = Array(text)
        if let comma = bytes.firstIndex(of: UInt8(ascii: ",")) {
            guard bytes.count - comma != 4 else { return .nan }
            bytes[comma] = UInt8(ascii: ".")
        }
        let value = Double(String(decoding: bytes, as: UTF8.self)) ?? .nan
        // Zeros of both signs are one value.
        return value.isFinite ? value + 0 : .nan
    }

    /// Up to 15 digits with a point among them or none, as ratings are: a whole number below 2^53 over a power of ten is exact.
    private static func plainNumber(_ text: UnsafeRawBufferPointer) -> Double? {
        guard (1...16).contains(text.count) else { return nil }
        var (digits, scale, isBehind) = (0, 1, false)
        for byte in text {
            if byte == UInt8(ascii: "."), !isBehind {
                isBehind = true
            } else if case let digit = byte &- 48, digit < 10 {
                digits = 10 * digits + Int(digit)
                if isBehind { scale *= 10 }
            } else {
                return nil
            }
        }
        // A point alone, at either end or among more digits than are exact.
        guard text[0] != 46, text[text.count - 1] != 46, digits < 1 << 53 else { return nil }
        return Double(digits) / Double(scale)
    }
}

/// What interactions say besides user, item and time, in the order of a corpus: a code or a number each.
struct EventColumns: Sendable {
    /// Kinds that a code of 16 bits tells apart.
    static let mostKinds = 65_535

    /// Codes of interactions and what they stand for.
    struct Kinds: Sendable {
        var names = CorpusContents.Names()
        var codes: [UInt16] = []
    }

    /// Numbers of interactions: where there are few different ones, codes and what they stand for.
    struct Values: Sendable {
        /// Ascending, NaN last; empty where `numbers` holds every value.
        var table: [Double] = []
        var codes: [UInt16] = []
        var numbers: [Double] = []
    }

    var behaviors: Kinds?
    var values: Values?
    var domains: Kinds?

    var isEmpty: Bool { behaviors == nil && values == nil && domains == nil }

    init() {}

    /// - Parameters:
    ///   - raw: what was read, row by row.
    ///   - rows: the row of each interaction that is left, in the order of the corpus.
    init(_ raw: RawEvents, rows: [UInt32]) {
        behaviors = raw.behaviors.flatMap { Self.kinds($0, rows) }
        domains = raw.domains.flatMap { Self.kinds($0, rows) }
        values = raw.values.flatMap { Self.values($0, rows) }
    }

    /// Nil for a column that says nothing, or something else of almost every row.
    private static func kinds(_ raw: RawEvents.Texts, _ rows: [UInt32]) -> Kinds? {
        guard !raw.isFull, raw.codes.count > 0 else { return nil }
        var kinds = Kinds()
        // Numbered anew: of what filters removed nothing is kept.
        var number = [Int](repeating: -1, count: raw.names.count)
        kinds.codes.reserveCapacity(rows.count)
        for row in rows {
            let old = Int(raw.codes[Int(row)])
            if number[old] < 0 {
                number[old] = kinds.names.count
                raw.names.withBytes(of: old) { kinds.names.append($0) }
            }
            kinds.codes.append(UInt16(number[old]))
        }
        guard kinds.names.count > 1 || kinds.names.bytes.count > 0 else { return nil }
        return kinds
    }

    private static func values(_ raw: [Double], _ rows: [UInt32]) -> Values? {
        // Numbered as they come, then by size.
        var places: [UInt64: UInt16] = [:]
        var codes: [UInt16] = []
        codes.reserveCapacity(rows.count)
        var (last, code) = (UInt64.max, UInt16(0))
        for row in rows {
            let bits = raw[Int(row)].bitPattern
            if bits != last {
                if let known = places[bits] {
                    code = known
                } else {
                    if places.count == mostKinds { return Values(numbers: rows.map { raw[Int($0)] }) }
                    code = UInt16(places.count)
                    places[bits] = code
                }
                last = bits
            }
            codes.append(code)
        }
        // What is no number says nothing.
        guard places.keys.contains(where: { !Double(bitPattern: $0).isNaN }) else { return nil }
        let table = places.keys.map(Double.init(bitPattern:)).sorted { a, b in a.isNaN ? false : b.isNaN || a < b }
        var sorted = [UInt16](repeating: 0, count: table.count)
        for (place, value) in table.enumerated() { sorted[Int(places[value.bitPattern] ?? 0)] = UInt16(place) }
        return Values(table: table, codes: codes.map { sorted[Int($0)] })
    }
}

// MARK: - In the corpus file

/// Sections of a corpus file behind those of version 1, each starting at a multiple of 8, little endian: a head of 16 words of 64 bits,
/// then behaviors, values and domains where there are such.
///
/// The head: for behaviors and for domains how many kinds there are and the bytes of their names; for values how many the table
/// has and the bytes of a number without one (0, 4, 8); then interactions and a word of zeros; from the ninth word on the SHA-256 of what
/// follows the head, in hexadecimal.
/// Kinds: ends (UInt64) and bytes of their names, then a code for each interaction. Values: a table (Float64, ascending, NaN for none
/// last) and a code for each interaction; or a number for each. A code has 8 bits where there are up to 256 kinds, else 16.
extension EventColumns {
    static let headBytes = 128

    /// Bytes of a code.
    static func codeBytes(_ kinds: Int) -> Int { kinds <= 256 ? 1 : 2 }

    /// Bytes of a number: 4 where that loses nothing.
    private var numberBytes: Int {
        guard let numbers = values?.numbers, !numbers.isEmpty else { return 0 }
        return numbers.allSatisfy { $0.isNaN || Double(Float($0)) == $0 } ? 4 : 8
    }

    var fileBytes: Int {
        func padded(_ bytes: Int) -> Int { (bytes + 7) / 8 * 8 }
        func bytes(_ kinds: Kinds?) -> Int {
            guard let kinds else { return 0 }
            return 8 * kinds.names.count + padded(kinds.names.bytes.count)
                + padded(kinds.codes.count * Self.codeBytes(kinds.names.count))
        }
        let numbers = values.map {
            8 * $0.table.count + padded($0.codes.count * Self.codeBytes($0.table.count))
                + padded($0.numbers.count * numberBytes)
        }
        return Self.headBytes + bytes(behaviors) + (numbers ?? 0) + bytes(domains)
    }

    /// - Parameters:
    ///   - count: how many interactions there are.
    ///   - write: writes a section.
    func write(count: Int, _ write: ([UInt8]) throws -> Void) throws {
        let sections = sections
        var hash = SHA256()
        for section in sections {
            section.withUnsafeBytes { hash.update($0) }
            let rest = [UInt8](repeating: 0, count: (8 - section.count % 8) % 8)
            rest.withUnsafeBytes { hash.update($0) }
        }
        let words = [
            behaviors?.names.count ?? 0, behaviors?.names.bytes.count ?? 0, values?.table.count ?? 0, numberBytes,
            domains?.names.count ?? 0, domains?.names.bytes.count ?? 0, count, 0,
        ]
        try write(Self.bytes(words.map(UInt64.init)) + Array(hash.finish().utf8))
        for section in sections { try write(section) }
    }

    private var sections: [[UInt8]] {
        var sections: [[UInt8]] = []
        func add(codes: [UInt16], of kinds: Int) {
            sections.append(
                Self.codeBytes(kinds) == 1 ? codes.map { UInt8(truncatingIfNeeded: $0) } : Self.bytes(codes))
        }
        func add(_ kinds: Kinds?) {
            guard let kinds else { return }
            sections += [Self.bytes(kinds.names.ends), kinds.names.bytes]
            add(codes: kinds.codes, of: kinds.names.count)
        }
        add(behaviors)
        if let values {
            if values.numbers.isEmpty {
                sections.append(Self.bytes(values.table.map(\.bitPattern)))
                add(codes: values.codes, of: values.table.count)
            } else if numberBytes == 4 {
                sections.append(Self.bytes(values.numbers.map { Float($0).bitPattern }))
            } else {
                sections.append(Self.bytes(values.numbers.map(\.bitPattern)))
            }
        }
        add(domains)
        return sections
    }

    private static func bytes<T: FixedWidthInteger>(_ values: [T]) -> [UInt8] {
        values.map(\.littleEndian).withUnsafeBytes { Array($0) }
    }
}
