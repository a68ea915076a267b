/// What the interactions of a corpus say besides, read from its file; numbers of interactions are those of `allItems`.
package struct CorpusEvents: Sendable {
    /// Kinds of interactions, such as behaviors or domains.
    package struct Kinds: Sendable {
        /// As the file writes them; empty for interactions that do not say.
        package let names: [String]
        fileprivate let column: Column

        /// The kind of an interaction, a place in `names`.
        package func code(at interaction: Int) -> Int { column.code(at: interaction) }
    }

    /// Numbers of interactions.
    package struct Values: Sendable {
        /// The different values, ascending, NaN for none last; empty where there are more than 65,535.
        package let table: [Double]
        fileprivate let column: Column

        /// The value of an interaction; NaN where it has none.
        package func value(at interaction: Int) -> Double {
            table.isEmpty ? column.number(at: interaction) : table[column.code(at: interaction)]
        }
    }

    /// Codes or numbers of interactions, one after the other.
    // Safe to share: it reads bytes that are never written, and keeps alive what holds them.
    fileprivate struct Column: @unchecked Sendable {
        let bytes: CorpusBytes
        let start: UnsafeRawPointer
        /// Bytes of each.
        let width: Int

        func code(at interaction: Int) -> Int {
            width == 1
                ? Int(start.load(fromByteOffset: interaction, as: UInt8.self))
                : Int(UInt16(littleEndian: start.load(fromByteOffset: 2 * interaction, as: UInt16.self)))
        }

        func number(at interaction: Int) -> Double {
            width == 4
                ? Double(
                    Float(
                        bitPattern: UInt32(littleEndian: start.load(fromByteOffset: 4 * interaction, as: UInt32.self))))
                : Double(bitPattern: UInt64(littleEndian: start.load(fromByteOffset: 8 * interaction, as: UInt64.self)))
        }
    }

    package let behaviors: Kinds?
    package let values: Values?
    package let domains: Kinds?
    private let bytes: CorpusBytes
    /// What the hash is of.
    private let range: Range<Int>
    private let hash: String

    /// Reads what stands in a file behind the sections of version 1.
    ///
    /// - Parameter start: where its head begins.
    /// - Throws: what `refuse` makes of what is damaged.
    init(
        _ bytes: CorpusBytes, from start: Int, interactions: Int, _ refuse: (String) -> InteractionError
    ) throws {
        self.bytes = bytes
        let (base, size) = (bytes.base, bytes.count)
        guard size - start >= EventColumns.headBytes else { throw refuse("the events are cut short") }
        let words = (0..<8).map {
            UInt64(littleEndian: base.loadUnaligned(fromByteOffset: start + 8 * $0, as: UInt64.self))
        }
        guard words.allSatisfy({ $0 <= UInt64(size) }), words[6] == UInt64(interactions), words[7] == 0,
            [0, 4, 8].contains(words[3]),
            [words[0], words[2], words[4]].allSatisfy({ $0 <= UInt64(EventColumns.mostKinds) + 1 })
        else { throw refuse("the counts of the events are damaged") }
        hash = String(decoding: UnsafeRawBufferPointer(start: base + start + 64, count: 64), as: UTF8.self)
        var place = start + EventColumns.headBytes
        range = place..<size
        func take(_ bytes: Int) throws -> UnsafeRawPointer {
            let padded = (bytes + 7) / 8 * 8
            guard size - place >= padded else { throw refuse("the events are cut short") }
            defer { place += padded }
            return UnsafeRawPointer(base + place)
        }
        func codes(_ kinds: Int) throws -> Column {
            let width = EventColumns.codeBytes(kinds)
            let column = Column(bytes: bytes, start: try take(width * interactions), width: width)
            for interaction in 0..<interactions where column.code(at: interaction) >= kinds {
                throw refuse(
                    "found the kind \(column.code(at: interaction)) of an interaction, expected less than \(kinds)")
            }
            return column
        }
        func kinds(_ count: UInt64, _ nameBytes: UInt64) throws -> Kinds? {
            guard count > 0 else { return nil }
            let ends = try take(8 * Int(count)).assumingMemoryBound(to: UInt64.self)
            let text = try take(Int(nameBytes))
            var names: [String] = []
            var before: UInt64 = 0
            for index in 0..<Int(count) {
                let end = UInt64(littleEndian: ends[index])
                guard end >= before, end <= nameBytes else { throw refuse("the names of the events are damaged") }
                let name = UnsafeRawBufferPointer(start: text + Int(before), count: Int(end - before))
                names.append(String(decoding: name, as: UTF8.self))
                before = end
            }
            return Kinds(names: names, column: try codes(Int(count)))
        }
        behaviors = try kinds(words[0], words[1])
        if words[2] > 0 {
            let table = try take(8 * Int(words[2])).assumingMemoryBound(to: UInt64.self)
            let numbers = (0..<Int(words[2])).map { Double(bitPattern: UInt64(littleEndian: table[$0])) }
            values = Values(table: numbers, column: try codes(numbers.count))
        } else if words[3] > 0 {
            let width = Int(words[3])
            values = Values(
                table: [], column: Column(bytes: bytes, start: try take(width * interactions), width: width))
        } else {
            values = nil
        }
        domains = try kinds(words[4], words[5])
        guard place == size else {
            throw refuse("found \(size) bytes, expected \(place): the file is damaged")
        }
    }

    /// Whether the sections are those that were written. Reads every byte.
    ///
    /// - Throws: `CancellationError` when `shouldStop` says so.
    func isWhole(_ shouldStop: () -> Bool) throws -> Bool {
        var found = SHA256()
        var rest = UnsafeRawBufferPointer(start: bytes.base + range.lowerBound, count: range.count)[...]
        while !rest.isEmpty {
            if shouldStop() { throw CancellationError() }
            found.update(UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 20)))
            rest = rest.dropFirst(1 << 20)
        }
        return found.finish() == hash
    }
}
