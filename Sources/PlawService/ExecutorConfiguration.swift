package import Calibration
internal import Glibc
internal import StrictJSON
package import Trials
internal import Wire

/// A member of `executors` in the configuration file: who trains besides the daemon's own workers.
package struct ExecutorConfiguration: Sendable, Hashable {
    /// The runner and its first arguments; a trial's directory comes last (protos/trial/README.md).
    package var command: [String]
    /// Trials at once.
    package var parallel: Int
    /// Whether the runner is plaw-trial, so that its trainings are comparable with the daemon's own.
    package var isCore: Bool
    /// What says of which models the runner's trainings are as the core's; nil where nothing was compared.
    package var bridge: Bridge?
    /// Options of sbatch; nil where the command is a child of the daemon.
    package var slurm: [String]?
    /// Of a cluster: seconds that a job has at least, and between two looks at the queue.
    package var bundleSeconds: Double
    package var pollSeconds: Double

    private static let members = ["command", "parallel", "core", "bridge", "slurm", "bundleSeconds", "pollSeconds"]

    /// - Parameter refuse: makes the error of a member, from what was expected of it.
    /// - Throws: `ConfigurationError`.
    init(
        _ value: JSONValue, refuse: (_ member: String?, _ found: JSONValue, _ expected: String) -> ConfigurationError
    ) throws {
        guard case .object(let object) = value else {
            throw refuse(nil, value, "an object with a command")
        }
        if let unknown = object.keys.sorted().first(where: { !Self.members.contains($0) }) {
            throw refuse(unknown, object[unknown] ?? .null, "some of \(Self.members.joined(separator: ", "))")
        }
        func words(_ name: String, _ expected: String, _ holds: ([String]) -> Bool) throws -> [String]? {
            guard let value = object[name] else { return nil }
            guard case .array(let items) = value, case let words = items.compactMap(\.stringValue),
                words.count == items.count, words.allSatisfy({ !$0.utf8.contains(0) }), holds(words)
            else { throw refuse(name, value, expected) }
            return words
        }
        func seconds(_ name: String, _ otherwise: Double) throws -> Double {
            guard let value = object[name] else { return otherwise }
            switch value {
            case .integer(let number) where (1...86_400).contains(number): return Double(number)
            case .number(let number) where (1...86_400).contains(number): return number
            default: throw refuse(name, value, "1 to 86400 seconds")
            }
        }
        let wanted = "a list of words: the program and its arguments"
        guard let command = try words("command", wanted, { $0.first?.isEmpty == false }) else {
            throw refuse("command", .null, wanted)
        }
        self.command = command
        slurm = try words("slurm", "a list of options of sbatch") { _ in true }
        switch object["parallel"] {
        case nil: parallel = 1
        case .integer(let number) where (1...4_096).contains(number): parallel = Int(number)
        case let other?: throw refuse("parallel", other, "a whole number from 1 to 4096")
        }
        switch object["core"] {
        case nil: isCore = false
        case .bool(let flag): isCore = flag
        case let other?: throw refuse("core", other, "true or false")
        }
        if let value = object["bridge"] {
            let expected = "the path of a file that plaw runner bridge wrote for this command"
            guard let path = value.stringValue else { throw refuse("bridge", value, expected) }
            do {
                bridge = try Bridge(contentsOf: path, command: command)
            } catch {
                throw refuse("bridge", value, "\(expected) (\(error))")
            }
        }
        bundleSeconds = try seconds("bundleSeconds", 300)
        pollSeconds = try seconds("pollSeconds", 10)
    }

    /// - Parameters:
    ///   - folder: for the scripts of its jobs; on the file system that the cluster shares.
    ///   - trialProgram: path of plaw-trial.
    /// - Throws: `TrialFileError`.
    package func executor(folder: String, trialProgram: String) throws -> any TrialExecutor {
        guard let slurm else { return CommandExecutor(command: command, attendant: trialProgram) }
        return try ClusterExecutor(
            queue: SlurmQueue(options: slurm),
            settings: ClusterExecutor.Settings(
                command: command, folder: folder, bundleSeconds: bundleSeconds, pollSeconds: pollSeconds))
    }
}
