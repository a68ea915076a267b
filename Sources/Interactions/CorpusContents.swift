internal import Files
internal import Glibc

/// What a corpus file holds, in memory, and how it is written.
///
/// Little endian. Header of 128 bytes: magic `PLAWCORP`, version, flags (1 times, 2 integer item ids), then as UInt64 users,
/// items, interactions and the byte lengths of the two name arenas; then the SHA-256 of the content in hexadecimal.
/// Sections follow, each starting at a multiple of 8: user offsets (UInt64, users + 1), item numbers (Int32),
/// times (Int64, only with flag 1), ends and bytes of the item names, ends and bytes of the user names.
///
/// Version 1 ends there. Version 2, which only corpora with events are, goes on with them (`EventColumns.sections`). The hash of
/// the content is that of version 1: it says what next-item models train on. Events have a hash of their own.
struct CorpusContents {
    static let magic: UInt64 = 0x5052_4f43_5741_4c50  // "PLAWCORP" in memory
    /// Without events, and with them.
    static let versions: (plain: UInt32, events: UInt32) = (1, 2)
    static let headerBytes = 128

    struct Names {
        var ends: [UInt64] = []
        var bytes: [UInt8] = []
        var allIntegers = true
        var count: Int { ends.count }

        mutating func append(_ name: UnsafeRawBufferPointer) {
            bytes.append(contentsOf: name)
            ends.append(UInt64(bytes.count))
            if allIntegers { allIntegers = isInteger(name) }
        }

        private func isInteger(_ name: UnsafeRawBufferPointer) -> Bool {
            !name.isEmpty && name.count <= 18
                && (name.first == UInt8(ascii: "-") ? name.count > 1 : true)
                && name.dropFirst(name.first == UInt8(ascii: "-") ? 1 : 0).allSatisfy { (48...57).contains($0) }
        }
    }

    var offsets: [UInt64]
    var items: [Int32]
    var times: [Int64]?
    var itemNames: Names
    var userNames: Names
    var events = EventColumns()

    /// Bytes of the file.
    var fileBytes: Int {
        func section(_ count: Int, _ width: Int) -> Int { (count * width + 7) / 8 * 8 }
        let names = [itemNames, userNames].reduce(0) { $0 + section($1.ends.count, 8) + section($1.bytes.count, 1) }
        return Self.headerBytes + section(offsets.count, 8) + section(items.count, 4) + section(times?.count ?? 0, 8)
            + names + (events.isEmpty ? 0 : events.fileBytes)
    }

    /// Writes the file atomically and returns the content hash.
    ///
    /// - Throws: `InteractionError` with reason `write` or `no-space`.
    ///   `checkStop` is called now and then; what it throws ends the work, and no file is left.
    func write(to path: String, checkStop: () throws -> Void = {}) throws -> String {
        let hash = try contentHash(checkStop)
        do {
            try replaceFile(path) { descriptor in
                try Self.write(header(hash), to: descriptor)
                func write<T>(_ values: [T]) throws { try Self.writeSection(values, to: descriptor, checkStop) }
                try write(offsets)
                try write(items)
                if let times { try write(times) }
                for names in [itemNames, userNames] {
                    try write(names.ends)
                    try write(names.bytes)
                }
                if !events.isEmpty {
                    try events.write(count: items.count) { try Self.writeSection($0, to: descriptor, checkStop) }
                }
                try checkStop()
            }
        } catch let error as FileFailure {
            throw InteractionError(
                file: path, reason: error.isFullDisk ? "no-space" : "write", "cannot be \(error.action): \(error.words)"
            )
        }
        return hash
    }

    /// A hash that has been fed what comes before the sections.
    static func hash(hasTimes: Bool) -> SHA256 {
        var hash = SHA256()
        hash.update("plaw corpus 1 times \(hasTimes)\n")
        return hash
    }

    private func contentHash(_ checkStop: () throws -> Void) throws -> String {
        var hash = Self.hash(hasTimes: times != nil)
        func feed<T>(_ values: [T]) throws {
            try values.withUnsafeBytes { bytes in
                for start in stride(from: 0, to: bytes.count, by: Self.piece) {
                    try checkStop()
                    hash.update(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + Self.piece, bytes.count)]))
                }
            }
        }
        try feed([UInt64(offsets.count), UInt64(items.count), UInt64(itemNames.bytes.count)])
        try feed(offsets)
        try feed(items)
        if let times { try feed(times) }
        for names in [itemNames, userNames] {
            try feed(names.ends)
            try feed(names.bytes)
        }
        return hash.finish()
    }

    private func header(_ hash: String) -> [UInt8] {
        var bytes: [UInt8] = []
        func add<T: FixedWidthInteger>(_ value: T) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        add(Self.magic)
        add(events.isEmpty ? Self.versions.plain : Self.versions.events)
        add(UInt32((times == nil ? 0 : 1) | (itemNames.allIntegers ? 2 : 0)))
        for value in [
            offsets.count - 1, itemNames.count, items.count, itemNames.bytes.count, userNames.bytes.count,
        ] { add(UInt64(value)) }
        bytes.append(contentsOf: Array(hash.utf8))
        bytes.append(contentsOf: [UInt8](repeating: 0, count: Self.headerBytes - bytes.count))
        return bytes
    }

    /// Bytes that are hashed or written between two looks at whether to stop.
    private static let piece = 4 << 20

    private static func writeSection<T>(
        _ values: [T], to descriptor: Int32, _ checkStop: () throws -> Void
    ) throws {
        try values.withUnsafeBytes { bytes in
            for start in stride(from: 0, to: bytes.count, by: Self.piece) {
                try checkStop()
                let end = min(start + Self.piece, bytes.count)
                try write(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), to: descriptor)
            }
        }
        let rest = values.count * MemoryLayout<T>.stride % 8
        if rest != 0 { try write([UInt8](repeating: 0, count: 8 - rest), to: descriptor) }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) throws {
        try bytes.withUnsafeBytes { try write($0, to: descriptor) }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws {
        guard writeAll(descriptor, bytes) else { throw FileFailure(action: "written", code: errno) }
    }
}
