import ArgumentParser
import Domain
import Glibc
import Client
internal import StrictJSON
import Wire
import Text

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The command line of plawd: every command is one or two calls over its socket.
struct Plaw: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plaw",
        abstract: "Ask plawd how many layers and which dimension a dataset deserves.",
        discussion: """
            Exit status: 0 done, 1 refused or failed, 2 wrong usage. Results go to standard output, progress to standard \
            error. --json prints the daemon's result as one line of JSON.
            """,
        version: plawVersion,
        groupedSubcommands: [
            CommandGroup(
                name: "Datasets",
                subcommands: [
                    Register.self, Inspect.self, Datasets.self, Show.self, Sequences.self, Entropy.self, Remove.self,
                ]),
            CommandGroup(name: "Observations", subcommands: [Import.self, Export.self]),
            CommandGroup(
                name: "Calibration", subcommands: [Calibrate.self, Jobs.self, Watch.self, Cancel.self, Fit.self]),
            CommandGroup(
                name: "Answers",
                subcommands: [
                    Recommend.self, Predict.self, Pareto.self, Potential.self, WhatIf.self, LawCommand.self,
                    ReportCommand.self,
                ]),
            CommandGroup(name: "Daemon", subcommands: [Status.self, Backup.self, Raw.self]),
            CommandGroup(name: "Other trainers", subcommands: [RunnerCommand.self]),
        ])
}

@main
enum Main {
    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        do {
            let arguments = Arguments.normalized(Array(CommandLine.arguments.dropFirst()))
            let commands = Plaw.configuration.subcommands.map { $0._commandName }
            if let message = Arguments.unknownCommand(arguments, among: commands) {
                Console.lines(message, to: .errors)
                exit(2)
            }
            var command = try Plaw.parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as RPCError {
            refuse(error.message, error)
        } catch let error as ClientError {
            refuse(error.description, RPCError(.internalError, error.description, ["reason": .string("unreachable")]))
        } catch let error as CommandFailure {
            refuse(error.description, RPCError(.internalError, error.description, ["reason": .string("failed")]))
        } catch {
            // Help and version are "errors" of the parser that end well; a wrong usage is 2 here, not its 64.
            let code = Plaw.exitCode(for: error)
            let text = Plaw.fullMessage(for: error)
            if !text.isEmpty { Console.lines(text, to: code.isSuccess ? .output : .errors) }
            exit(code.isSuccess ? 0 : code == .validationFailure ? 2 : 1)
        }
    }

    private static func refuse(_ message: String, _ error: RPCError) -> Never {
        if CommandLine.arguments.contains("--json"), let line = try? jsonLine(error) {
            Console.json(line, to: .errors)
        } else {
            Terminal.note("plaw: " + message)
        }
        exit(1)
    }
}

/// A command that could not do what was asked, for a reason on this side of the socket.
struct CommandFailure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
