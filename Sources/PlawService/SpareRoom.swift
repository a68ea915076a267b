internal import Glibc

/// A file that keeps some room on the disk for what frees more: without it a disk that is quite full takes not even the removal of a
/// dataset, since a database writes what it deletes.
final class SpareRoom: Sendable {
    private let path: String

    /// What the removal of a large dataset writes to the log of the database.
    static let bytes = 1 << 20

    init(_ layout: StateLayout) { path = layout.root + "/plawd.spare" }

    /// Takes the room where it is there; a full disk is no error.
    func keep() {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var status = stat()
        if fstat(descriptor, &status) == 0, status.st_size >= off_t(Self.bytes) { return }
        // Less than the whole would be of no use, and is left to others.
        if posix_fallocate(descriptor, 0, off_t(Self.bytes)) != 0 { ftruncate(descriptor, 0) }
    }

    /// Gives the room back to the disk.
    func release() { unlink(path) }
}
