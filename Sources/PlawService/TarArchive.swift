internal import Files
internal import Glibc

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Files as a tar archive (POSIX ustar) that is written nowhere: any part of it can be read at any time, as long as the files stay
/// what they are.
struct TarArchive: Sendable {
    private struct Entry {
        var name: String
        var path: String
        var size: Int
        /// Where its header begins.
        var start: Int
    }

    private let entries: [Entry]
    private let time: Int
    /// Size of the archive.
    let bytes: Int

    private static let block = 512

    /// - Parameter files: paths under `root`, in the order they are to have.
    /// - Throws: `TarError` for a file that is not there, or a name of more than 100 bytes.
    init(root: String, files: [String], time: Int) throws {
        var entries: [Entry] = []
        var start = 0
        for name in files {
            var status = stat()
            let path = root + "/" + name
            guard name.utf8.count <= 100 else {
                throw TarError("\(name): cannot be kept: a name of \(name.utf8.count) bytes, expected at most 100")
            }
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
                throw TarError("\(name): cannot be kept: \(String(cString: strerror(errno)))")
            }
            let entry = Entry(name: name, path: path, size: Int(status.st_size), start: start)
            entries.append(entry)
            start += Self.block + Self.padded(entry.size)
        }
        self.entries = entries
        self.time = time
        // Two empty blocks end an archive.
        bytes = start + 2 * Self.block
    }

    /// At most `count` bytes from `offset` on.
    ///
    /// - Throws: `TarError` for a file that has changed.
    func read(at offset: Int, count: Int) throws -> [UInt8] {
        let end = min(bytes, offset + count)
        guard offset < end else { return [] }
        var part: [UInt8] = []
        part.reserveCapacity(end - offset)
        // The last entry that begins at or before the offset.
        var index = max(0, entries.partitioningIndex { $0.start > offset } - 1)
        while offset + part.count < end, index < entries.count {
            let entry = entries[index]
            try add(entry, from: offset + part.count - entry.start, limit: end - offset, to: &part)
            index += 1
        }
        part += [UInt8](repeating: 0, count: end - offset - part.count)
        return part
    }

    private func add(_ entry: Entry, from first: Int, limit: Int, to part: inout [UInt8]) throws {
        var place = first
        if place < Self.block {
            part += header(entry)[place...].prefix(limit - part.count)
            place = Self.block
        }
        let body = place - Self.block
        let wanted = min(entry.size - body, limit - part.count)
        if wanted > 0 {
            part += try Self.read(entry.path, at: body, count: wanted)
            place += wanted
        }
        let rest = min(Self.block + Self.padded(entry.size) - place, limit - part.count)
        if rest > 0 { part += [UInt8](repeating: 0, count: rest) }
    }

    private static func read(_ path: String, at offset: Int, count: Int) throws -> [UInt8] {
        let descriptor = uninterrupted { open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) }
        guard descriptor >= 0 else { throw TarError("\(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: count)
        let found = bytes.withUnsafeMutableBytes { readAll(descriptor, into: $0, at: offset) }
        guard found >= 0 else { throw TarError("\(path): cannot be read: \(String(cString: strerror(errno)))") }
        guard found == count else { throw TarError("\(path): has become shorter") }
        return bytes
    }

    private static func padded(_ size: Int) -> Int { (size + block - 1) / block * block }

    /// Name, mode, owner, size, time, checksum, type, magic: each at its place, numbers as octal text.
    private func header(_ entry: Entry) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: Self.block)
        func put(_ text: String, at place: Int) {
            for (index, byte) in text.utf8.enumerated() { header[place + index] = byte }
        }
        func octal(_ value: Int, _ digits: Int) -> String {
            let text = String(value, radix: 8)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        put(entry.name, at: 0)
        put(octal(0o600, 7), at: 100)
        put(octal(0, 7), at: 108)
        put(octal(0, 7), at: 116)
        if entry.size < 1 << 33 {
            put(octal(entry.size, 11), at: 124)
        } else {
            // Beyond eleven digits: GNU tar's binary form.
            header[124] = 0x80
            for index in 0..<8 { header[135 - index] = UInt8(truncatingIfNeeded: entry.size >> (8 * index)) }
        }
        put(octal(time, 11), at: 136)
        put("        ", at: 148)
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        put(octal(header.reduce(0) { $0 + Int($1) }, 6), at: 148)
        header[154] = 0
        return header
    }
}

/// A file that cannot be put into an archive.
struct TarError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

extension Array {
    /// The first index whose element is in the second part; elements of the first part come first.
    fileprivate func partitioningIndex(_ isSecond: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isSecond(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
