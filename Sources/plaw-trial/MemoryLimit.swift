import ArgumentParser
import CPlaw
import Domain
import Files
import Glibc
import Interactions
import Transformer
import Trials

/// What a worker may take of memory: half as much again as its training is predicted to need.
///
/// The data segment is limited (RLIMIT_DATA: heap, stacks, private writable mappings), not the address space: the corpus is a
/// read-only mapping of a file, whose pages the kernel takes back when it needs them.
struct MemoryLimit {
    /// Predicted peak of the training, in bytes.
    let predicted: Int
    /// What the whole process may take, in bytes.
    let bytes: Int
    /// The daemon's own limit for every trial.
    let most: Int?

    /// How much of the prediction is allowed.
    static let margin = 1.5

    /// - Parameter checkpoint: path of the checkpoint that training may go on from, which is read as a whole first.
    init(_ spec: TrialSpec, _ corpus: Corpus, most: Int?, checkpoint: String) throws {
        let data = TrainingData(corpus, maxLength: spec.configuration.maxLength, userFraction: spec.userFraction)
        predicted = MemoryUse.predictedBytes(spec.configuration, data: data, options: spec.options)
        // What the program has reserved already, much of it never touched, comes on top.
        let allowed = Int(towardZero: Double(predicted) * Self.margin) + Int(plaw_data_bytes())
        var status = stat()
        let read = stat(checkpoint, &status) == 0 ? Int(status.st_size) : 0
        bytes = min(allowed, most ?? allowed) + read
        self.most = most
    }

    /// Sets the limit, and the same in the control group where there is one with a memory controller.
    ///
    /// - Throws: `ExitCode` with the reason on standard error when the prediction is over the daemon's limit already.
    func apply(cgroup: String?) throws {
        if let most, predicted > most {
            printError(
                "\(WorkerStatus.outOfMemoryWords): the training is predicted to need \(predicted >> 20) MiB, "
                    + "\(most >> 20) MiB are allowed")
            throw ExitCode(WorkerStatus.outOfMemory)
        }
        // A limit from outside (LimitDATA= of the unit) is never raised.
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit)
        limit.rlim_cur = min(limit.rlim_cur, rlim_t(bytes))
        limit.rlim_max = limit.rlim_cur
        if setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit) != 0 {
            printError("no memory limit: \(String(cString: strerror(errno)))")
        }
        guard let cgroup else { return }
        // Where these files are missing or closed, the worker runs as it would without a group.
        for (file, value) in [("cgroup.procs", "0"), ("memory.max", "\(bytes)")] {
            let descriptor = open(cgroup + "/" + file, O_WRONLY | O_CLOEXEC)
            let isWritten = descriptor >= 0 && writeAll(descriptor, value)
            if !isWritten, errno != ENOENT { printError("\(cgroup)/\(file): \(String(cString: strerror(errno)))") }
            if descriptor >= 0 { close(descriptor) }
        }
    }
}
