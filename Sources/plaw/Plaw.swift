import ArgumentParser
import Glibc
import PlawClient
import PlawProtocol

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
                subcommands: [Register.self, Datasets.self, Show.self, Entropy.self, Remove.self]),
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
        ])
}

@main
enum Main {
    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try Plaw.parseAsRoot(normalized(Array(CommandLine.arguments.dropFirst())))
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
            if !text.isEmpty { code.isSuccess ? Terminal.print(text) : Terminal.note(text) }
            exit(code.isSuccess ? 0 : code == .validationFailure ? 2 : 1)
        }
    }

    private static func refuse(_ message: String, _ error: RPCError) -> Never {
        if CommandLine.arguments.contains("--json"), let line = try? jsonLine(error) {
            Terminal.note(line)
        } else {
            Terminal.note("plaw: " + message)
        }
        exit(1)
    }
}

/// Arguments as the parser wants them: options of every command may stand before it, and a value may begin with a minus sign, which
/// its option then refuses in its own words.
func normalized(_ arguments: [String]) -> [String] {
    var leading: [String] = []
    var rest = arguments[...]
    while let first = rest.first, first == "--json" || first == "--socket" || first.hasPrefix("--socket=") {
        let count = first == "--socket" ? 2 : 1
        leading += rest.prefix(count)
        rest = rest.dropFirst(count)
    }
    // Without a command there is nothing for them to follow.
    guard let command = rest.first, !command.hasPrefix("-") else { return arguments }
    var result: [String] = []
    var isOver = false
    for argument in [command] + leading + rest.dropFirst() {
        if argument == "--" { isOver = true }
        let isNegative = argument.first == "-" && argument.dropFirst().first.map { $0.isNumber || $0 == "." } == true
        if !isOver, isNegative, let option = result.last, option.hasPrefix("--"), !option.contains("=") {
            result[result.count - 1] = option + "=" + argument
        } else {
            result.append(argument)
        }
    }
    return result
}

/// A command that could not do what was asked, for a reason on this side of the socket.
struct CommandFailure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
