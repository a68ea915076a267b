internal import Files
internal import Glibc

/// The bytes of a corpus file, mapped or copied; given back once, when it goes.
// Safe to share: nobody writes the bytes after the initialiser.
final class CorpusBytes: @unchecked Sendable {
    let base: UnsafeRawPointer
    let count: Int

    /// Takes over a mapping.
    private init(base: UnsafeRawPointer, count: Int) {
        self.base = base
        self.count = count
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: base), count) }

    /// - Throws: `InteractionError` with reason `unreadable` or `corpus`.
    convenience init(path: String, _ access: Corpus.Access) throws {
        func refuse(_ reason: String, _ message: String) -> InteractionError {
            InteractionError(file: path, reason: reason, message)
        }
        // A pipe without a writer must not hold whoever opens it.
        let descriptor = uninterrupted { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard descriptor >= 0 else {
            throw refuse("unreadable", "cannot be opened: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw refuse("unreadable", "found something that is not a regular file, expected a corpus file")
        }
        let size = Int(status.st_size)
        guard size >= CorpusContents.headerBytes else {
            throw refuse(
                "corpus", "found \(size) bytes, expected a corpus file of at least \(CorpusContents.headerBytes)")
        }
        let mapping =
            access == .mapped
            ? mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
            : mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let base = mapping, base != MAP_FAILED else {
            throw refuse("unreadable", "cannot be mapped: \(String(cString: strerror(errno)))")
        }
        // From here on the deinit gives it back.
        self.init(base: base, count: size)
        guard access == .copied else { return }
        let read = readAll(descriptor, into: UnsafeMutableRawBufferPointer(start: base, count: size), at: 0)
        guard read == size else {
            throw read >= 0
                ? refuse("corpus", "found \(read) bytes, expected \(size): the file was cut short while it was read")
                : refuse("unreadable", "cannot be read: \(String(cString: strerror(errno)))")
        }
    }
}
