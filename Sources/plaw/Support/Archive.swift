import CArchive
import Domain
import Files
import Glibc
import Text

/// A compressed file or an archive: zip, tar, 7z and others, bzip2, xz, zstd and others, as libarchive reads them.
struct Archive: Sendable {
    /// A file inside.
    struct Entry: Sendable {
        var number: Int
        var name: String
        /// Nil where the archive does not say.
        var size: Int?
        var isEncrypted: Bool
    }

    let file: LocalFile
    /// The one that is read.
    private(set) var entry: Entry
    /// False where there is one compressed file and no archive.
    private(set) var hasEntries = true

    /// Entries of an archive that are looked at, and bytes that are unpacked to find them.
    private static let mostEntries = 100_000
    private static let mostBytes = 64 << 30

    /// What files of each kind begin with; of tar what stands at byte 257. Of gzip only that it may hold a tar archive.
    static let kinds: [(name: String, begins: [UInt8])] = [
        ("zip", Array("PK\u{3}\u{4}".utf8)), ("zip", Array("PK\u{5}\u{6}".utf8)), ("bzip2", Array("BZh".utf8)),
        ("xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a]), ("zstd", [0x28, 0xb5, 0x2f, 0xfd]), ("7z", [0x37, 0x7a, 0xbc, 0xaf]),
        ("RAR", Array("Rar!".utf8)), ("compress", [0x1f, 0x9d]), ("lz4", [0x04, 0x22, 0x4d, 0x18]),
        ("lzma", [0x5d, 0, 0, 0x80, 0]), ("gzip", [0x1f, 0x8b]), ("lzip", Array("LZIP".utf8)),
        ("tar", Array("ustar".utf8)),
    ]

    /// Whether a file that begins with these bytes is a container.
    static func isContainer(_ head: [UInt8]) -> Bool {
        kinds.contains { Self.begins(head, with: $0) }
    }

    private static func begins(_ head: [UInt8], with kind: (name: String, begins: [UInt8])) -> Bool {
        head.dropFirst(kind.name == "tar" ? 257 : 0).starts(with: kind.begins)
    }

    /// `xz`, `zip`, `tar in gzip`.
    var kind: String {
        let name = Self.kinds.first { Self.begins(file.head, with: $0) }?.name ?? "archive"
        // Only these hold files by themselves.
        return !hasEntries || ["zip", "7z", "RAR", "tar"].contains(name) ? name : "tar in \(name)"
    }

    /// Opens the one table of a container.
    ///
    /// - Parameter name: the entry to read; without it there must be one that can be a table.
    /// - Returns: nil for a gzip file that is no archive, which the daemon reads itself.
    /// - Throws: `CommandFailure` naming the file and what is inside.
    init?(_ file: LocalFile, entry name: String?) throws {
        self.file = file
        let (entries, isRaw) = try Self.entries(of: file)
        if isRaw {
            guard name == nil else {
                throw CommandFailure("\(file.path): is one compressed file, not an archive with files inside")
            }
            var head: [UInt8] = [0, 0]
            _ = head.withUnsafeMutableBytes { readAll(file.descriptor, into: $0, at: 0) }
            if head == [0x1f, 0x8b] { return nil }
            entry = entries[0]
            hasEntries = false
            return
        }
        entry = try Self.chosen(entries, name, file)
        guard !entry.isEncrypted else {
            throw CommandFailure(
                "\(file.path): \(entry.name) is encrypted; unpack it with its password and register the file")
        }
    }

    private static func chosen(_ entries: [Entry], _ name: String?, _ file: LocalFile) throws -> Entry {
        if let name {
            if let entry = entries.first(where: { $0.name == name }) { return entry }
            throw CommandFailure("\(file.path): found no \(name) inside, but \(list(entries, file))")
        }
        let tables = entries.filter { $0.size != 0 && !isBeside($0.name) }
        if tables.count == 1 { return tables[0] }
        guard !entries.isEmpty else { throw CommandFailure("\(file.path): found an archive without files") }
        throw CommandFailure(
            "\(file.path): found \(tables.isEmpty ? "no table" : "\(tables.count) files that may be the table"), expected one: "
                + list(tables.isEmpty ? entries : tables, file))
    }

    private static func list(_ entries: [Entry], _ file: LocalFile) -> String {
        let sorted = entries.sorted { ($0.size ?? 0, $1.name) > ($1.size ?? 0, $0.name) }
        let shown = sorted.prefix(20).map { entry in
            entry.name + (entry.size.map { " (\(Format.bytes(Double($0))))" } ?? "")
        }
        let more = entries.count > shown.count ? " and \(entries.count - shown.count) more" : ""
        return shown.joined(separator: ", ") + more + "; to take one: plaw register NAME "
            + "\(file.path):\(sorted[0].name)".shellWord
    }

    /// Whether a file of an archive is there beside the table: notes, licences, what systems leave.
    private static func isBeside(_ name: String) -> Bool {
        let last = (name.split(separator: "/").last ?? "").lowercased()
        let isNote = [
            "readme", "license", "licence", "copying", "changelog", "checksum", "._", ".ds_store", "thumbs.db",
        ].contains {
            last.hasPrefix($0)
        }
        let endings = [
            ".md", ".pdf", ".html", ".htm", ".png", ".jpg", ".jpeg", ".gif", ".rst", ".py", ".ipynb", ".sh", ".sql",
            ".md5",
            ".sha256", ".yaml", ".yml", ".docx",
        ]
        return isNote || name.hasPrefix("__MACOSX/") || endings.contains { last.hasSuffix($0) }
    }

    // MARK: - Reading

    /// Hands the unpacked bytes to `body`, piece by piece.
    func forEachPiece(_ body: ([UInt8]) async throws -> Void) async throws {
        let reader = try Reader(file)
        for _ in 0...entry.number {
            guard try reader.next() != nil else { throw CommandFailure("\(file.path): was changed while it was read") }
        }
        while let piece = try reader.read() { try await body(piece) }
    }

    /// The files of an archive, and whether it is a compressed file without any.
    private static func entries(of file: LocalFile) throws -> (entries: [Entry], isRaw: Bool) {
        let reader = try Reader(file)
        var entries: [Entry] = []
        var number = 0
        while let entry = try reader.next() {
            if reader.isRaw { return ([Entry(number: 0, name: file.path, size: nil, isEncrypted: false)], true) }
            guard number < mostEntries, reader.unpackedBytes < mostBytes else {
                throw CommandFailure(
                    "\(file.path): found more than \(Format.count(mostEntries)) files or \(Format.bytes(Double(mostBytes))) inside; "
                        + "unpack it and register the table")
            }
            if let name = Reader.name(entry, number) {
                entries.append(
                    Entry(
                        number: number, name: name,
                        size: archive_entry_size_is_set(entry) != 0 ? Int(archive_entry_size(entry)) : nil,
                        isEncrypted: archive_entry_is_data_encrypted(entry) != 0))
            }
            number += 1
        }
        return (entries, false)
    }
}

/// libarchive over the descriptor of a file, from its beginning.
private final class Reader {
    private let file: LocalFile
    private let archive: OpaquePointer

    init(_ file: LocalFile) throws {
        self.file = file
        guard let archive = archive_read_new() else { throw CommandFailure("\(file.path): libarchive has no memory") }
        self.archive = archive
        archive_read_support_filter_all(archive)
        // Not all of them: some find their formats in any text.
        archive_read_support_format_zip(archive)
        archive_read_support_format_tar(archive)
        archive_read_support_format_7zip(archive)
        archive_read_support_format_rar(archive)
        archive_read_support_format_rar5(archive)
        archive_read_support_format_raw(archive)
        guard lseek(file.descriptor, 0, SEEK_SET) == 0 else {
            throw CommandFailure("\(file.path): cannot be read: \(String(cString: strerror(errno)))")
        }
        guard archive_read_open_fd(archive, file.descriptor, 256 << 10) >= ARCHIVE_WARN else { throw failure() }
    }

    deinit { archive_read_free(archive) }

    /// Whether it is one compressed file.
    var isRaw: Bool { archive_format(archive) == ARCHIVE_FORMAT_RAW }

    var unpackedBytes: Int { Int(archive_filter_bytes(archive, 0)) }

    /// The next entry; nil at the end. It is valid until the one after it.
    func next() throws -> OpaquePointer? {
        var entry: OpaquePointer?
        let status = archive_read_next_header(archive, &entry)
        if status == ARCHIVE_EOF { return nil }
        guard status >= ARCHIVE_WARN else { throw failure() }
        return entry
    }

    /// The name of a regular file; nil for anything else.
    static func name(_ entry: OpaquePointer, _ number: Int) -> String? {
        guard archive_entry_filetype(entry) == S_IFREG else { return nil }
        if let name = archive_entry_pathname_utf8(entry) ?? archive_entry_pathname(entry) {
            return String(cString: name)
        }
        return "file \(number)"
    }

    /// The next bytes of the entry; nil at its end.
    func read() throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: FileUpload.piece)
        let count = bytes.withUnsafeMutableBytes { archive_read_data(archive, $0.baseAddress, $0.count) }
        guard count >= 0 else { throw failure() }
        return count == 0 ? nil : Array(bytes[..<count])
    }

    private func failure() -> CommandFailure {
        let words = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
        let format = archive_format_name(archive).map { String(cString: $0) }
        let kind = format.flatMap { $0 == "raw" ? nil : "\($0) archive" } ?? "compressed file"
        return CommandFailure(
            "\(file.path): the \(kind) is damaged, truncated or encrypted: \(words)")
    }
}
