internal import Glibc
internal import Synchronization

/// Where the database lies, and whether it still does: SQLite goes on with a file that was removed or replaced, and what is written to it is
/// lost when the last descriptor is closed.
final class DatabasePlace: Sendable {
    private struct Identity: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    private let path: String
    private let known = Mutex<Identity?>(nil)

    init(_ path: String) { self.path = path }

    /// To be called once the file has been opened.
    func remember() {
        let found = identity()
        known.withLock { $0 = found }
    }

    /// - Throws: `StoreError` when another file is in the place of the one that was opened, or none.
    func check() throws(StoreError) {
        guard let known = known.withLock({ $0 }) else { return }
        let found = identity()
        guard found != known else { return }
        throw StoreError(
            "write to \(path)",
            "the file was \(found == nil ? "removed" : "replaced") while plawd ran; nothing that is written would last. Stop plawd, and put the "
                + "database back from a backup")
    }

    private func identity() -> Identity? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}
