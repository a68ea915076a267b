import Domain
import Glibc
import Subprocess
import SystemPackage

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a runner does that it should not, with what was expected.
struct RunnerProblem: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// One call of a runner that has ended.
struct RunnerCall: Sendable {
    typealias Running = Execution<NoInput, StringOutput<UTF8>, StringOutput<UTF8>>

    var status: TerminationStatus
    /// What it wrote to standard output and to standard error.
    var text: String
    var log: String

    /// Runs a command to its end.
    ///
    /// - Parameters:
    ///   - words: the program and its arguments.
    ///   - patience: seconds that it may take.
    ///   - meanwhile: runs beside it.
    /// - Throws: `RunnerProblem` where it cannot be run or takes longer.
    static func run(
        _ words: [String], patience: Double, environment: [Environment.Key: String?] = [:],
        meanwhile: @escaping @Sendable (Running) async throws -> Void = { _ in }
    ) async throws -> RunnerCall {
        try await withThrowingTaskGroup(of: RunnerCall.self) { group in
            group.addTask {
                let program = words[0]
                let outcome = try await Subprocess.run(
                    program.contains("/") ? .path(FilePath(program)) : .name(program),
                    arguments: Subprocess.Arguments(Array(words.dropFirst())),
                    environment: .inherit.updating(environment), input: .none, output: .string(limit: 16 << 20),
                    error: .string(limit: 16 << 20)
                ) { try await meanwhile($0) }
                return RunnerCall(
                    status: outcome.terminationStatus, text: outcome.standardOutput, log: outcome.standardError)
            }
            group.addTask {
                try await Task.sleep(for: .seconds(patience))
                throw RunnerProblem("has not ended after \(Int(nearest: patience)) s; --patience gives it more")
            }
            // Leaving it, also by an error, ends the runner.
            defer { group.cancelAll() }
            do {
                guard let call = try await group.next() else { throw CancellationError() }
                return call
            } catch let error as SubprocessError {
                throw RunnerProblem("cannot be run: \(error)")
            }
        }
    }

    /// - Throws: `RunnerProblem` with the last words of a runner that ended in another way.
    func expect(_ wanted: Int32) throws {
        guard status != .exited(wanted) else { return }
        let words = log.split(separator: "\n").suffix(3).joined(separator: " | ")
        throw RunnerProblem("ended with \(status), expected status \(wanted)" + (words.isEmpty ? "" : ": \(words)"))
    }

    /// The last line of its standard output.
    ///
    /// - Throws: `RunnerProblem` where it is something else.
    func decoded<T: Decodable>(_ type: T.Type) throws -> T {
        guard let line = text.split(separator: "\n").last,
            let value = try? JSONDecoder().decode(type, from: Data(line.utf8))
        else { throw RunnerProblem("standard output: found \"\(text.prefix(200))\", expected a line of \(type)") }
        return value
    }
}
