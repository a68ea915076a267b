internal import CZlib
internal import Files
internal import Glibc

/// Lines of a plain or gzip file, one at a time, in a buffer that holds one line and a piece of the file.
final class LineSource {
    let path: String
    /// True where the file begins with gzip's magic number.
    let compressed: Bool
    private let descriptor: Int32
    /// Nil for a file that is whole.
    private let growing: GrowingFile?
    private var bytesRead = 0
    private var buffer: [UInt8]
    private var start = 0
    private var end = 0
    private var atEnd = false
    private var inflater: Inflater?
    /// Nil until the first bytes were looked at, and where they are no mark of UTF-16.
    private var utf16: UTF16Text?
    private var isMarkRead = false
    private var raw: [UInt8] = []
    /// Number of the line last returned, from 1.
    private(set) var lineNumber = 0
    /// Whether that line ended with a carriage return before its newline, which is not handed out.
    private(set) var hadReturn = false

    /// Longest line; a longer one is refused rather than held in memory.
    static let maximumLine = 16 << 20
    private static let piece = 256 << 10

    /// Opens a file.
    ///
    /// - Throws: `unreadable` for a missing, forbidden or irregular file.
    init(path: String, growing: GrowingFile? = nil) throws {
        self.path = path
        self.growing = growing
        // A pipe without a writer must not hold whoever opens it.
        descriptor = uninterrupted { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard descriptor >= 0 else {
            throw InteractionError(
                file: path, reason: "unreadable", "cannot be opened: \(String(cString: strerror(errno)))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw InteractionError(
                file: path, reason: "unreadable", "found something that is not a regular file, expected a file")
        }
        // Whether it is compressed is seen by its first bytes.
        do { _ = try growing?.waitForMore(than: 1, path: path) } catch {
            close(descriptor)
            throw error
        }
        var magic: [UInt8] = [0, 0]
        compressed =
            magic.withUnsafeMutableBytes { [descriptor] in readAll(descriptor, into: $0, at: 0) } == 2
            && magic == [0x1f, 0x8b]
        buffer = [UInt8](repeating: 0, count: 2 * Self.piece)
        if compressed { inflater = Inflater() }
    }

    deinit { close(descriptor) }

    /// Hands the next line, without its end, to `body`; false at the end of the file.
    func next(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Bool {
        var searched = start
        while true {
            if let newline = findNewline(from: searched) {
                lineNumber += 1
                try buffer.withUnsafeBytes { bytes in
                    try body(withoutReturn(UnsafeRawBufferPointer(rebasing: bytes[start..<newline])))
                }
                start = newline + 1
                return true
            }
            searched = end
            if atEnd {
                guard start < end else { return false }
                lineNumber += 1
                try buffer.withUnsafeBytes { bytes in
                    try body(withoutReturn(UnsafeRawBufferPointer(rebasing: bytes[start..<end])))
                }
                start = end
                return true
            }
            let moved = start
            try fill()
            searched -= moved
        }
    }

    private func withoutReturn(_ line: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        hadReturn = line.last == 13
        return hadReturn ? UnsafeRawBufferPointer(rebasing: line.dropLast()) : line
    }

    private func findNewline(from position: Int) -> Int? {
        guard position < end else { return nil }
        return buffer.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, let found = memchr(base + position, 10, end - position) else {
                return nil
            }
            return base.distance(to: found)
        }
    }

    /// Moves the unfinished line to the front and reads on.
    private func fill() throws {
        if start > 0 {
            buffer.withUnsafeMutableBytes { bytes in
                if let base = bytes.baseAddress { memmove(base, base + start, end - start) }
            }
            end -= start
            start = 0
        }
        if end + Self.piece > buffer.count {
            guard end < Self.maximumLine else {
                throw InteractionError(
                    file: path, line: lineNumber + 1, reason: "binary",
                    "found a line longer than \(Self.maximumLine) bytes")
            }
            buffer.append(contentsOf: [UInt8](repeating: 0, count: buffer.count))
        }
        let room = end
        let count = try buffer.withUnsafeMutableBytes { bytes in
            let target = UnsafeMutableRawBufferPointer(rebasing: bytes[room..<room + Self.piece])
            return utf16 == nil ? try read(into: target) : try readUTF16(into: target)
        }
        if count == 0 { atEnd = true }
        end += count
        guard !isMarkRead, count > 0 else { return }
        isMarkRead = true
        // The mark of UTF-32 goes on with zeros, which is no text of UTF-16 either.
        let isLittle = buffer.starts(with: [0xff, 0xfe]) && !buffer[..<end].starts(with: [0xff, 0xfe, 0, 0])
        guard end >= 2, isLittle || buffer.starts(with: [0xfe, 0xff]) else { return }
        var text = UTF16Text(isBigEndian: !isLittle)
        raw = Array(buffer[2..<end])
        buffer = [UInt8](repeating: 0, count: max(buffer.count, UTF16Text.most(of: raw.count)) + Self.piece)
        end = raw.withUnsafeBytes { piece in buffer.withUnsafeMutableBytes { text.convert(piece, into: $0) } }
        raw = [UInt8](repeating: 0, count: Self.piece / 2)
        utf16 = text
    }

    private func read(into target: UnsafeMutableRawBufferPointer) throws -> Int {
        try inflater?.read(into: target, path: path, readMore) ?? readMore(into: target)
    }

    private func readUTF16(into target: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let read = try raw.withUnsafeMutableBytes { try self.read(into: $0) }
            if read == 0 { return utf16?.finish(into: target) ?? 0 }
            let count = raw.withUnsafeBytes { bytes in
                utf16?.convert(UnsafeRawBufferPointer(rebasing: bytes[..<read]), into: target) ?? 0
            }
            // A single byte makes nothing yet.
            if count > 0 { return count }
        }
    }

    /// The next bytes of the file; 0 at its end.
    private func readMore(into target: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let count = readSome(descriptor, into: target)
            if count > 0 {
                bytesRead += count
                return count
            }
            guard count == 0 else {
                throw InteractionError(
                    file: path, reason: "unreadable", "cannot be read: \(String(cString: strerror(errno)))")
            }
            // The last bytes may have come between the reading and the end.
            guard let growing, try growing.waitForMore(than: bytesRead, path: path) || fileBytes(path) > bytesRead
            else {
                return 0
            }
        }
    }
}

/// zlib's inflate over a descriptor; several gzip members in a row are read as one.
private final class Inflater {
    private var stream = z_stream()
    private var input = [UInt8](repeating: 0, count: 128 << 10)
    private var position = 0
    private var available = 0
    private var ready = false
    private var finishedMember = false

    deinit { if ready { inflateEnd(&stream) } }

    func read(
        into target: UnsafeMutableRawBufferPointer, path: String, _ more: (UnsafeMutableRawBufferPointer) throws -> Int
    ) throws -> Int {
        func refuse(_ message: String) -> InteractionError { InteractionError(file: path, reason: "gzip", message) }
        if !ready {
            guard plaw_inflate_init_gzip(&stream) == Z_OK else { throw refuse("zlib cannot be initialised") }
            ready = true
        }
        while true {
            if position == available {
                available = try input.withUnsafeMutableBytes { try more($0) }
                position = 0
                if available == 0 {
                    guard finishedMember else { throw refuse("the gzip data ends too early: the file is truncated") }
                    return 0
                }
            }
            if finishedMember {
                // Bytes after a member are another member, or padding that gzip itself ignores.
                guard input[position] == 0x1f else { return 0 }
                inflateReset(&stream)
                finishedMember = false
            }
            let (status, produced) = input.withUnsafeMutableBufferPointer { bytes -> (Int32, Int) in
                stream.next_in = bytes.baseAddress?.advanced(by: position)
                stream.avail_in = uInt(available - position)
                stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.avail_out = uInt(target.count)
                let status = inflate(&stream, Z_NO_FLUSH)
                position = available - Int(stream.avail_in)
                return (status, target.count - Int(stream.avail_out))
            }
            switch status {
            case Z_STREAM_END: finishedMember = true
            case Z_OK, Z_BUF_ERROR: break
            default: throw refuse("the gzip data is corrupt (zlib error \(status))")
            }
            if produced > 0 { return produced }
        }
    }
}

/// Bytes of a file; 0 where nobody can tell.
func fileBytes(_ path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
}
