import ArgumentParser
import Domain
import Wire
import Text

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `plaw runner`: what helps whoever writes a runner. No daemon is asked.
struct RunnerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runner",
        abstract: "Check a command that trains models for plawd, and compare it with plawd's own trainer.",
        subcommands: [RunnerCheckCommand.self, RunnerBridgeCommand.self])
}

/// `plaw runner check`: holds a command against the trial contract.
struct RunnerCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Hold a command against the trial contract on a tiny dataset.",
        discussion: """
            The command is called with the directory of a trial, and with `describe` and a specification. It trains to its \
            end, is stopped and resumed, is killed, gets no time, gets what cannot be trained, and its ranks are counted \
            again from its scores. No daemon is needed. The contract is protos/trial/README.md.
            """)

    @Option(help: "Model that the runner trains, as in `plaw calibrate --backbone`.") var backbone = Model.sasrec
    @Option(help: "Training loss.") var loss = Loss.cce
    @Option(help: "Layers of the model.") var layers = 1
    @Option(help: "Dimension of the model.") var dim = 16
    @Option(help: "Seconds that one call of the runner may take.", transform: Seconds.parse)
    var patience = Seconds(value: 120)
    @Option(
        help: "Folder for the trials, which is kept. Default: a temporary one, which is removed.",
        completion: .directory)
    var keep: String?
    @Flag(help: "Print a line of JSON.") var json = false
    @Argument(parsing: .captureForPassthrough, help: "The runner and its first arguments.") var command: [String]

    func validate() throws {
        if command.isEmpty { throw ValidationError("Missing the command that is to be checked.") }
    }

    func run() async throws {
        let folder =
            keep ?? FileManager.default.temporaryDirectory.path + "/plaw-runner-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // Best effort: it is a temporary folder.
        defer { if keep == nil { try? FileManager.default.removeItem(atPath: folder) } }
        let check = try RunnerCheck(
            command: command.first == "--" ? Array(command.dropFirst()) : command, folder: folder,
            configuration: Configuration(backbone: backbone, layers: layers, dim: dim, maxLength: 20, loss: loss),
            patience: patience.value)
        var results: [RunnerCheck.Result] = []
        for step in RunnerCheck.steps {
            let result = await check.perform(step)
            results.append(result)
            if !json {
                Terminal.prose(
                    (result.problem == nil ? "ok      " : "FAILED  ") + step.name
                        + ((result.problem ?? result.note).map { ": " + $0 } ?? ""))
            }
            // Nothing else can be said of a command that does not run.
            if result.problem != nil, step.isNeeded { break }
        }
        let failed = results.count { $0.problem != nil }
        if json {
            Console.json(try jsonLine(results), to: .output)
        } else {
            Terminal.print("")
            Terminal.prose(
                failed == 0
                    ? "The runner keeps the contract."
                    : "\(failed) of \(results.count) checks failed."
                        + (keep.map { " The trials are in \($0)." }
                            ?? " With --keep FOLDER the trials can be looked at."))
        }
        if failed > 0 { throw ExitCode(1) }
    }
}
