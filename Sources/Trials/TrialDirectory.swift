package import Domain
internal import Files
internal import Glibc

#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// A trial's folder: `spec.json` written once; `progress.jsonl` appended; `checkpoint` replaced atomically; `ranks.bin`, then
/// `result.json`, written last and atomically. Whoever runs the trial needs nothing but this and the corpus file.
package struct TrialDirectory: Sendable {
    package let path: String

    package init(path: String) { self.path = path }

    package var specPath: String { path + "/spec.json" }
    package var progressPath: String { path + "/progress.jsonl" }
    package var checkpointPath: String { path + "/checkpoint" }
    package var ranksPath: String { path + "/ranks.bin" }
    package var resultPath: String { path + "/result.json" }

    /// The corpus of a trial. A state directory may have been moved since an older daemon wrote where it was.
    package func corpusPath(_ spec: TrialSpec) -> String {
        if !spec.corpus.hasPrefix("/") { return path + "/" + spec.corpus }
        let moved = path + "/" + Self.corpusReference(spec.corpus)
        return access(spec.corpus, F_OK) != 0 && access(moved, F_OK) == 0 ? moved : spec.corpus
    }

    /// How a trial of a state directory names a corpus there.
    ///
    /// - Parameter path: the name of the file, or any path of it.
    package static func corpusReference(_ path: String) -> String {
        "../../corpora/" + (path.split(separator: "/").last.map(String.init) ?? "")
    }

    /// Reads the specification.
    ///
    /// - Throws: `TrialFileError`, also for one that cannot be trained.
    package func readSpec() throws -> TrialSpec { try readSpec(at: specPath) }

    /// Reads a specification that lies somewhere else.
    package func readSpec(at path: String) throws -> TrialSpec {
        let spec = try decode(TrialSpec.self, path)
        if let problem = spec.problem { throw TrialFileError(file: path, problem) }
        return spec
    }
    package func writeSpec(_ spec: TrialSpec, durably: Bool = true) throws {
        try encode(spec, specPath, durably: durably)
    }

    /// - Throws: `TrialFileError`, also when the trial has not ended.
    package func readResult() throws -> TrialResult { try decode(TrialResult.self, resultPath) }
    package func writeResult(_ result: TrialResult) throws { try encode(result, resultPath) }

    /// The metric after each epoch, as far as `progress.jsonl` tells; empty before the first, or where it cannot be read.
    package func curve(_ metric: Metric) -> [Double] {
        guard let data = try? readFile(progressPath) else { return [] }
        let decoder = JSONDecoder()
        var values: [Double] = []
        for line in data.split(separator: UInt8(ascii: "\n")) {
            // The last line may be cut. The epoch that goes on, counted from 1, is one more than there are validations; a training that
            // was begun anew tells them again.
            guard let update = try? decoder.decode(TrialProgress.self, from: line) else { continue }
            let done = update.epoch - 1
            if done < values.count { values.removeLast(values.count - max(0, done)) }
            if done == values.count + 1, let value = update.validation?[metric.description] { values.append(value) }
        }
        return values
    }

    package var hasResult: Bool { access(resultPath, F_OK) == 0 }

    private func decode<T: Decodable>(_ type: T.Type, _ path: String) throws -> T {
        let data = try readFile(path)
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch {
            throw TrialFileError(file: path, "is no \(type): \(error)")
        }
    }

    private func encode(_ value: some Encodable, _ path: String, durably: Bool = true) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        try writeFileAtomically(try encoder.encode(value), to: path, durably: durably)
    }
}

/// A file of a trial that cannot be read or written.
package struct TrialFileError: Error, Sendable, CustomStringConvertible {
    package var file: String
    package var message: String

    package init(file: String, _ message: String) {
        (self.file, self.message) = (file, message)
    }

    package var description: String { "\(file): \(message)" }
}

/// The content of a file.
///
/// - Throws: `TrialFileError` with the system's words.
package func readFile(_ path: String) throws -> Data {
    // A pipe without a writer must not hold whoever opens it, and what has no end is not read.
    let descriptor = uninterrupted { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
    guard descriptor >= 0 else {
        throw TrialFileError(file: path, "cannot be read: \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
        throw TrialFileError(file: path, "is no regular file, and one is needed there")
    }
    var data = Data()
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = piece.withUnsafeMutableBytes { readSome(descriptor, into: $0) }
        guard count >= 0 else {
            throw TrialFileError(file: path, "cannot be read: \(String(cString: strerror(errno)))")
        }
        if count == 0 { return data }
        data.append(contentsOf: piece[..<count])
    }
}

/// Replaces a file of a trial atomically.
package func writeFileAtomically(_ data: Data, to path: String, durably: Bool = true) throws {
    try data.withUnsafeBytes { try writeFileAtomically([$0], to: path, durably: durably) }
}

/// The same for pieces that follow each other, without a copy of them.
package func writeFileAtomically(
    _ pieces: [UnsafeRawBufferPointer], to path: String, durably: Bool = true
) throws {
    do {
        try replaceFile(path, durably: durably) { descriptor in
            guard pieces.allSatisfy({ writeAll(descriptor, $0) }) else {
                throw FileFailure(action: "written", code: errno)
            }
        }
    } catch let error as FileFailure {
        throw TrialFileError(file: path, "cannot be \(error.action): \(error.words)")
    }
}
