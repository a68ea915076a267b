internal import Glibc

/// What the system refused of a file.
package struct FileFailure: Error {
    /// `created`, `written`, `put in place`.
    package let action: String
    package let code: Int32

    package init(action: String, code: Int32) { (self.action, self.code) = (action, code) }

    package var isFullDisk: Bool { code == ENOSPC || code == EDQUOT }
    package var words: String { String(cString: strerror(code)) }
}

/// Replaces a file so that a reader, or a machine that loses power, sees the old content or the new and nothing between.
///
/// - Parameters:
///   - path: of the file.
///   - durably: whether it waits until the content is on the disk; a file that can be made again need not be.
///   - write: writes the new content through the descriptor.
/// - Throws: `FileFailure`, and what `write` throws; nothing is left of the new content then.
package func replaceFile(
    _ path: String, durably: Bool = true, _ write: (_ descriptor: Int32) throws -> Void
) throws {
    let temporary = path + ".partial"
    let descriptor = uninterrupted { open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) }
    guard descriptor >= 0 else { throw FileFailure(action: "created", code: errno) }
    do {
        defer { close(descriptor) }
        try write(descriptor)
        guard !durably || uninterrupted({ fsync(descriptor) }) == 0 else {
            throw FileFailure(action: "written", code: errno)
        }
        guard rename(temporary, path) == 0 else { throw FileFailure(action: "put in place", code: errno) }
    } catch {
        unlink(temporary)
        throw error
    }
    guard durably else { return }
    // The name is on the disk once its folder is; a folder that cannot be opened has no better way.
    let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let folderDescriptor = open(folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folderDescriptor >= 0 else { return }
    fsync(folderDescriptor)
    close(folderDescriptor)
}
