import Files
import Glibc
import Text

/// A file that a command writes. One that takes the place of another does so when it is whole; until then it lies beside it under a
/// name that nobody can guess. What is no ordinary file is written to as it is, and `-` is standard output.
struct OutputFile: Sendable {
    /// Who may read what is written.
    enum Readers: Sendable {
        /// Whom the umask lets, or who may read the file that is replaced.
        case usual
        case ownerAlone
    }

    /// What the user calls it.
    private let name: String
    private let descriptor: Int32
    /// Where it lies until it is whole, and where then; nil for what is written to as it is.
    private let places: (part: String, target: String)?
    private let mode: mode_t

    /// - Throws: `CommandFailure` naming the file; so in all that follows.
    init(_ path: String, _ readers: Readers = .usual) throws {
        name = path == "-" ? "standard output" : path
        func failure(_ code: Int32 = errno) -> CommandFailure { Self.failure(path, code) }
        if path == "-" {
            (descriptor, places, mode) = (STDOUT_FILENO, nil, 0)
            return
        }
        guard !path.isEmpty else { throw failure(ENOENT) }
        var status = stat()
        let isThere = stat(path, &status) == 0
        guard isThere || errno == ENOENT else { throw failure() }
        if isThere, status.st_mode & S_IFMT != S_IFREG {
            (descriptor, places, mode) = (uninterrupted { open(path, O_WRONLY | O_CLOEXEC) }, nil, 0)
            if descriptor < 0 { throw failure() }
            return
        }
        // A rename would not ask.
        if isThere, access(path, W_OK) != 0 { throw failure() }
        let target = try Self.resolved(path)
        let part = "\(target).\(String(UInt64.random(in: .min ... .max), radix: 36)).part"
        descriptor = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        if descriptor < 0 { throw failure() }
        let mask = umask(0o077)
        umask(mask)
        mode = readers == .ownerAlone ? 0o600 : isThere ? status.st_mode & 0o777 : 0o666 & ~mask
        places = (part, target)
        Unfinished.begin(part)
    }

    /// Writes a whole file.
    static func write(_ text: String, to path: String) throws {
        let file = try OutputFile(path)
        // A file and a pipe get the bytes as they are, a terminal what it can be trusted with.
        let isShown = path == "-" && Console.Stream.output.isTerminal
        do {
            try file.write(Array((isShown ? Foreign.lines(text) : text).utf8))
            try file.finish()
        } catch {
            file.discard()
            throw error
        }
    }

    func write(_ bytes: [UInt8]) throws {
        guard !bytes.withUnsafeBytes({ writeAll(descriptor, $0) }) else { return }
        let code = errno
        if code == EPIPE, descriptor == STDOUT_FILENO {
            // As `head` expects it of those before it.
            signal(SIGPIPE, SIG_DFL)
            raise(SIGPIPE)
        }
        throw Self.failure(name, code)
    }

    /// Puts it in its place, on the disk.
    func finish() throws {
        guard descriptor != STDOUT_FILENO else { return }
        guard let (part, target) = places else {
            guard close(descriptor) == 0 else { throw Self.failure(name, errno) }
            return
        }
        guard fchmod(descriptor, mode) == 0, uninterrupted({ fsync(descriptor) }) == 0, close(descriptor) == 0,
            rename(part, target) == 0
        else { throw Self.failure(name, errno) }
        Unfinished.end()
    }

    /// After an error; the descriptor ends with the program.
    func discard() {
        if let places { unlink(places.part) }
        Unfinished.end()
    }

    private static func failure(_ name: String, _ code: Int32) -> CommandFailure {
        CommandFailure("\(name): cannot be written: \(String(cString: strerror(code)))")
    }

    /// Where the links at the end of a path lead, whether or not there is something.
    private static func resolved(_ path: String) throws -> String {
        var path = path
        for _ in 0..<40 {
            var target = [CChar](repeating: 0, count: Int(PATH_MAX))
            let count = readlink(path, &target, target.count)
            guard count > 0 else { return path }
            let link = String(decoding: target[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
            let folder = path.lastIndex(of: "/").map { path[...$0] } ?? ""
            path = link.hasPrefix("/") ? link : folder + link
        }
        throw failure(path, ELOOP)
    }
}

/// The unfinished file, so that a signal that ends the program takes it along.
private enum Unfinished {
    // Written before the handler is set and after it is unset, by the one command that runs.
    nonisolated(unsafe) private static var path: UnsafeMutablePointer<CChar>?

    private static let signals = [SIGINT, SIGTERM, SIGHUP]

    static func begin(_ part: String) {
        path = strdup(part)
        for number in signals where !isIgnored(number) {
            signal(number) { number in
                if let path = Unfinished.path { unlink(path) }
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    /// Whoever started the program may want it to outlive a signal, as nohup does.
    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(number, nil, &action) == 0 else { return false }
        // Safe: both are pointers to functions, which are compared and not called.
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    static func end() {
        for number in signals where !isIgnored(number) { signal(number, SIG_DFL) }
        free(path)
        path = nil
    }
}
