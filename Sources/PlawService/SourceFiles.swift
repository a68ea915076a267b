internal import Domain
internal import Interactions
internal import StrictJSON
internal import Wire
internal import Text

/// The files of a request: where they lie, and what the client calls them.
struct SourceFiles: Sendable {
    let paths: [String]
    let names: [String]
    /// The only file, where it is still being sent.
    var growing: GrowingFile?

    /// Files that the daemon reads from paths at once, as many as an upload may have.
    static let most = Uploads.maximumFiles

    /// - Throws: `invalidParams` where not exactly one of the three is there, or it cannot be; `uploadUnknown`.
    init(
        uploadId: String?, path: String?, paths: [String]?, fileName: String?, fileNames: [String]?, in uploads: Uploads
    ) async throws {
        switch (uploadId, path, paths) {
        case (let id?, nil, nil): self.paths = try await uploads.files(id)
        case (nil, let path?, nil): self.paths = [path]
        case (nil, nil, let paths?):
            guard (1...Self.most).contains(paths.count) else {
                throw RPCError.parameter("paths", found: "\(paths.count) of them", expected: "1 to \(Self.most)")
            }
            self.paths = paths
        case (nil, nil, nil): throw RPCError.missing("path", expected: "it, paths or uploadId")
        default: throw RPCError.parameter("path", found: "another of the three", expected: "path, paths or uploadId")
        }
        if uploadId == nil { for path in self.paths { try Self.check(path, paths == nil ? "path" : "paths") } }
        guard fileName == nil || fileNames == nil else {
            throw RPCError.parameter("fileNames", found: "fileName beside it", expected: "one of them")
        }
        let given = fileNames ?? fileName.map { [$0] }
        guard given == nil || given?.count == self.paths.count else {
            throw RPCError.parameter(
                fileNames == nil ? "fileName" : "fileNames",
                found: "\(given?.count ?? 0) for \(self.paths.count) files",
                expected: "one for each file")
        }
        names = given ?? self.paths.map { String($0.split(separator: "/").last ?? "") }
    }

    private static func check(_ path: String, _ field: String) throws {
        guard path.hasPrefix("/") else {
            throw RPCError.parameter(field, foundText: path, expected: "an absolute path")
        }
        // The kernel would open what stands before it.
        guard !path.utf8.contains(0) else {
            throw RPCError.parameter(field, foundText: path, expected: "a path without a NUL")
        }
    }

    /// The reader's refusal, with files and dataset called what the client calls them.
    func refusal(_ error: InteractionError, for name: String?) -> RPCError {
        let all = names.map(\.shellWord).joined(separator: " ")
        let command = name.map { "plaw register \($0) " } ?? "plaw inspect "
        var text = error.description
        // The longest first: the path of an upload's first file begins those of the others.
        for (path, name) in zip(paths, names).sorted(by: { $0.0.utf8.count > $1.0.utf8.count }) {
            text = text.replacing("plaw register NAME \(path.shellWord)", with: command + all)
                .replacing(path.shellWord, with: name.shellWord).replacing(path, with: name)
        }
        text = text.replacing("plaw register NAME ", with: command)
        let file = paths.firstIndex(of: error.file).map { names[$0] } ?? error.file
        var fields: [String: JSONValue] = ["cause": .string(error.reason), "file": .string(file)]
        if let line = error.line { fields["line"] = .integer(Int64(line)) }
        return RPCError(error.reason == "memory" ? .tooLarge : .invalidInput, text, fields)
    }
}
