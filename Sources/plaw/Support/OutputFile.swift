import Glibc

/// Files that commands write.
enum OutputFile {
    /// Writes a file in place of one that may be there, which stays as it is until the new one is whole.
    /// Errors: `CommandFailure` naming it.
    static func write(_ text: String, to path: String) throws {
        let part = path + ".part"
        func failure() -> CommandFailure {
            CommandFailure("\(path): cannot be written: \(String(cString: strerror(errno)))")
        }
        let descriptor = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure() }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let error = failure()
                close(descriptor)
                unlink(part)
                throw error
            }
            rest = rest.dropFirst(count)
        }
        guard close(descriptor) == 0, rename(part, path) == 0 else {
            let error = failure()
            unlink(part)
            throw error
        }
    }
}
