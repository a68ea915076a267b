internal import Files
internal import Glibc

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// One run of a trial by a worker that may outlive the daemon: the folder `attempts/N` of the trial's directory.
///
/// The number is a fence. A scheduler may run a job that it was thought to have lost, or run it twice; each attempt has files of
/// its own, its worker claims it before it begins, and the daemon takes a result from the newest attempt only. What a loss of power
/// takes of an attempt is made again by the next: nothing here waits for the disk.
package struct Attempt: Sendable, Hashable {
    /// The trial's directory.
    package let trial: String
    package let number: Int

    package var path: String { "\(trial)/attempts/\(number)" }
    /// What a runner is called with.
    package var files: TrialDirectory { TrialDirectory(path: path) }
    /// Status with which the runner ended, in decimal.
    private var exitPath: String { path + "/exit" }
    private var claimPath: String { path + "/claim" }
    private var placePath: String { path + "/place" }

    /// The newest attempt; nil before the first.
    package static func newest(of trial: String) -> Attempt? {
        // A trial without attempts has no such folder.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: trial + "/attempts")) ?? []
        return names.compactMap(Int.init).max().map { Attempt(trial: trial, number: $0) }
    }

    /// Begins the next attempt, from the checkpoint of the one before.
    ///
    /// A checkpoint is replaced and never written to, so a link to it is a copy: a worker of the former attempt that still lives
    /// replaces its own.
    ///
    /// - Throws: `TrialFileError`.
    package static func begin(of trial: String) throws -> Attempt {
        let former = newest(of: trial)
        let next = Attempt(trial: trial, number: (former?.number ?? 0) + 1)
        var spec = try TrialDirectory(path: trial).readSpec()
        if !spec.corpus.hasPrefix("/") { spec.corpus = "../../" + spec.corpus }
        guard mkdir(trial + "/attempts", 0o700) == 0 || errno == EEXIST, mkdir(next.path, 0o700) == 0 else {
            throw TrialFileError(file: next.path, "cannot be made: \(String(cString: strerror(errno)))")
        }
        if let former { _ = link(former.files.checkpointPath, next.files.checkpointPath) }
        try next.files.writeSpec(spec, durably: false)
        return next
    }

    /// Takes the attempt before a worker does.
    ///
    /// - Returns: whether no worker has begun it, and none will.
    package func claim() -> Bool { mkdir(claimPath, 0o700) == 0 }

    /// The status with which the runner ended; nil where it has not.
    package var exitStatus: Int32? {
        guard let text = try? readFile(exitPath) else { return nil }
        return Int32(String(decoding: text, as: UTF8.self).prefix { $0.isNumber })
    }

    /// Tells the script of its task that a signal is meant for this attempt, not for those after it.
    package func stopAlone() { try? writeFileAtomically(Data(), to: path + "/stop", durably: false) }

    /// Where the attempt was put in a scheduler's queue; nil before it was.
    package var place: String? {
        get { (try? readFile(placePath)).map { String(decoding: $0, as: UTF8.self) } }
        nonmutating set {
            // Without it the attempt is begun again after a restart, and its result is not taken.
            if let newValue { try? writeFileAtomically(Data(newValue.utf8), to: placePath, durably: false) }
        }
    }

    /// The last line of its progress; nil before there is one.
    package var progress: TrialProgress? {
        let descriptor = uninterrupted { open(files.progressPath, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var tail = [UInt8](repeating: 0, count: 4_096)
        let start = max(0, Int(lseek(descriptor, 0, SEEK_END)) - tail.count)
        let count = tail.withUnsafeMutableBytes { readAll(descriptor, into: $0, at: start) }
        guard count > 0 else { return nil }
        let decoder = JSONDecoder()
        // The last line may be cut.
        for line in tail[..<count].split(separator: UInt8(ascii: "\n")).reversed() {
            if let update = try? decoder.decode(TrialProgress.self, from: Data(line)) { return update }
        }
        return nil
    }

    /// Makes what the attempt left the trial's: its progress and log, its ranks, and last its result.
    ///
    /// - Throws: `TrialFileError` where it left no result that can be read.
    package func accept() throws {
        let trial = TrialDirectory(path: trial)
        _ = try files.readResult()
        for name in ["progress.jsonl", "worker.log", "ranks.bin", "result.json"] {
            let (from, to) = ("\(path)/\(name)", "\(trial.path)/\(name)")
            guard rename(from, to) == 0 || (errno == ENOENT && name != "result.json") else {
                throw TrialFileError(file: from, "cannot be moved: \(String(cString: strerror(errno)))")
            }
        }
        // Checkpoints of models are large, and nothing goes on from here.
        try? FileManager.default.removeItem(atPath: trial.path + "/attempts")
    }
}
