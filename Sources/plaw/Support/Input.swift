import Domain
import Files
import Glibc
import Client
import Wire
import Text

/// A file of interactions as a command names it: a file, `ARCHIVE:FILE` for one inside of an archive, or `-` for standard input.
struct Input: Sendable {
    /// As it was typed.
    let argument: String
    /// What the daemon calls it.
    let name: String
    private let file: LocalFile
    private let content: Content

    private enum Content: Sendable {
        case bytes
        case unpacked(Archive)
        case table(TableProgram)
    }

    /// Opens a file and what reads it.
    ///
    /// - Throws: `CommandFailure` naming the file.
    init(_ argument: String) async throws {
        self.argument = argument
        if argument == "-" {
            file = try LocalFile.standardInput.withHead(of: Archive.isContainer)
        } else if let (path, entry) = Self.split(argument) {
            file = try LocalFile(path).withHead(of: Archive.isContainer)
            guard let archive = try Archive(file, entry: entry) else {
                throw CommandFailure("\(path): is one compressed file, not an archive with files inside")
            }
            name = "\(Self.last(path)):\(entry)"
            content = .unpacked(archive)
            return
        } else {
            file = try LocalFile(argument).withHead(of: Archive.isContainer)
        }
        let last = argument == "-" ? "standard input" : Self.last(argument)
        if let format = TableProgram.Format(head: file.head) {
            guard argument != "-" else {
                throw CommandFailure("standard input: found \(format.rawValue), which is read from a file only")
            }
            (name, content) = (last, .table(try await TableProgram(file, format)))
        } else if Archive.isContainer(file.head), let archive = try Archive(file, entry: nil) {
            (name, content) = (archive.hasEntries ? "\(last):\(archive.entry.name)" : last, .unpacked(archive))
        } else {
            (name, content) = (last, .bytes)
        }
    }

    func close() { file.close() }

    /// What the content is taken out of, in words; nil where the file is sent as it is.
    var container: String? {
        switch content {
        case .bytes: nil
        case .unpacked(let archive): archive.kind
        case .table(let program): program.words
        }
    }

    /// Bytes of the file as it lies here; 0 where nobody can tell.
    var size: Int { file.size }

    /// Sends the content as a file of an upload.
    func send(to client: PlawClient, _ upload: String, file number: Int) async throws {
        let size = if case .bytes = content { file.size } else { 0 }
        var upload = FileUpload(client, upload, file: number, size: size)
        switch content {
        case .bytes: try await file.forEachPiece { try await upload.send($0) }
        case .unpacked(let archive): try await archive.forEachPiece { try await upload.send($0) }
        case .table(let program): try await program.forEachPiece { try await upload.send($0) }
        }
        try await upload.finish()
    }

    /// `ml.zip:ratings.csv`, where there is no file of that name but one of the part before a colon.
    private static func split(_ argument: String) -> (path: String, entry: String)? {
        guard access(argument, F_OK) != 0 else { return nil }
        for place in argument.indices where argument[place] == ":" {
            let (path, entry) = (String(argument[..<place]), String(argument[argument.index(after: place)...]))
            if !entry.isEmpty, access(path, F_OK) == 0 { return (path, entry) }
        }
        return nil
    }

    static func last(_ path: String) -> String { String(path.split(separator: "/").last ?? "") }
}

/// The files of a command.
struct Inputs: Sendable {
    let inputs: [Input]

    /// - Throws: `CommandFailure` for a file that cannot be read, and for one that is named twice.
    init(_ arguments: [String]) async throws {
        var inputs: [Input] = []
        var seen: Set<String> = []
        for argument in arguments {
            let path = realpath(argument, nil)
            defer { free(path) }
            guard seen.insert(path.map { String(cString: $0) } ?? argument).inserted else {
                throw CommandFailure("\(argument): is named twice, expected each file once")
            }
            inputs.append(try await Input(argument))
        }
        self.inputs = inputs
    }

    /// Sends all as one upload; its name.
    ///
    /// - Parameter name: what a dataset made of them is to be called; one that cannot be had is refused before the first byte.
    func send(to client: PlawClient, for name: String? = nil) async throws -> String {
        let id = try await begin(to: client, for: name)
        try await send(to: client, id)
        return id
    }

    /// Begins an upload; its name.
    func begin(to client: PlawClient, for name: String?) async throws -> String {
        try await client.call(DatasetUpload.self, DatasetUploadParams(name: name)).uploadId
    }

    /// Sends all files of an upload.
    func send(to client: PlawClient, _ id: String) async throws {
        for (number, input) in inputs.enumerated() { try await input.send(to: client, id, file: number) }
    }

    /// What the files are taken out of, in words; nil where they are sent as they are.
    var container: String? {
        let kinds = inputs.compactMap(\.container)
        let distinct = kinds.enumerated().filter { kinds.firstIndex(of: $1) == $0 }.map(\.element)
        return distinct.isEmpty ? nil : distinct.joined(separator: ", ")
    }

    /// Whether it is one file that is worth reading while it is sent.
    var isLarge: Bool { inputs.count == 1 && inputs[0].size > 32 << 20 }

    func close() { inputs.forEach { $0.close() } }
}
