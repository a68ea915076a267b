import ArgumentParser
import CPlaw
import Glibc
import Trials

/// Becomes a command that gives way to the daemon and is asked to stop when that ends, however it ends: a runner of somebody else does
/// not know its daemon.
struct Attend: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a command in the background that gets SIGTERM when the daemon ends.", shouldDisplay: false)

    @Option(help: "Process number of the daemon.") var parent: Int32
    @Argument(parsing: .captureForPassthrough, help: "The command and its arguments.") var command: [String]

    func run() throws {
        let words = command.first == "--" ? Array(command.dropFirst()) : command
        guard let program = words.first else { throw ValidationError("Missing the command.") }
        plaw_stop_with_parent()
        // The daemon may have died before that took effect.
        if getppid() != parent { throw ExitCode(WorkerStatus.interrupted) }
        plaw_run_in_background()
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        execvp(program, &arguments)
        printError("cannot run \(program): \(String(cString: strerror(errno)))")
        throw ExitCode(WorkerStatus.refused)
    }
}
