internal import Subprocess

internal import Glibc
#if canImport(System)
internal import System
#else
internal import SystemPackage
#endif
#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// How a program ended.
package enum Ending: Sendable, Hashable {
    case exited(Int32)
    case killed(Int32)

    init(_ status: TerminationStatus) {
        switch status {
        case .exited(let code): self = .exited(code)
        case .signaled(let signal): self = .killed(signal)
        }
    }
}

/// What a program wrote and how it ended.
package struct Outcome: Sendable {
    package var ending: Ending
    package var output: String
    package var errors: String

    /// The exit status, nil after a signal.
    package var code: Int32? {
        if case .exited(let code) = ending { return code }
        return nil
    }
}

/// Runs a program of this package to its end.
package func runProgram(
    _ name: String, _ arguments: [String], environment: [String: String] = [:]
) async throws -> Outcome {
    try await runProgram(path: Paths.program(name), arguments, environment: environment)
}

/// Runs any program to its end.
package func runProgram(
    path: String, _ arguments: [String], environment: [String: String] = [:]
) async throws -> Outcome {
    let result = try await Subprocess.run(
        .path(FilePath(path)), arguments: Arguments(arguments), environment: updated(environment), input: .none,
        output: .string(limit: 64 << 20), error: .string(limit: 1 << 20))
    return Outcome(
        ending: Ending(result.terminationStatus), output: result.standardOutput, errors: result.standardError)
}

private func updated(_ changes: [String: String]) -> Environment {
    var values: [Environment.Key: String?] = [:]
    for (name, value) in changes { values[Environment.Key(stringLiteral: name)] = value }
    return .inherit.updating(values)
}

/// Whether a process has ended, also where nobody has asked for its status yet.
package func hasEnded(_ pid: Int32) -> Bool {
    guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return true }
    return String(decoding: data, as: UTF8.self).contains(") Z ")
}

/// A running plawd of a test.
package struct DaemonProcess: Sendable {
    package let pid: Int32
    package let socket: String
    package let state: String
    package let log: String

    package func signal(_ number: Int32) { kill(pid, number) }

    /// What it has logged so far.
    package var logged: String {
        FileManager.default.contents(atPath: log).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// Process numbers of its children that run.
    package var children: [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { child in
            guard let data = FileManager.default.contents(atPath: "/proc/\(child)/stat") else { return false }
            // After the name in brackets, which may hold anything: the state and the parent.
            let rest = String(decoding: data, as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
            return rest.count > 1 && rest[0] != "Z" && Int32(rest[1]) == pid
        }
    }

    /// Asks it to stop; seconds until it has.
    package func stop() async -> Double {
        let start = ContinuousClock.now
        signal(SIGTERM)
        _ = await waitUntil(seconds: 60) { hasEnded(pid) }
        let taken = start.duration(to: .now)
        return Double(taken.components.seconds) + 1e-18 * Double(taken.components.attoseconds)
    }

    /// A line of /proc/pid/status, in kB.
    package func memory(_ field: String) -> Int? {
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/status") else { return nil }
        let line = String(decoding: data, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(field + ":") }
        return line.flatMap { Int($0.filter(\.isNumber)) }
    }
}

/// The daemon did not begin to serve.
package struct DaemonDidNotStart: Error, CustomStringConvertible {
    package var description: String

    package init(description: String) { self.description = description }
}

/// Starts plawd on a folder, runs `body` when it serves, then ends it with SIGTERM.
///
/// Returns what `body` returned and how the daemon ended; `body` may have killed it. The folder outlives the daemon, so that
/// a second one can go on in it.
///
/// - Parameter descriptors: files that it may have open at once; as many as this process where nil.
package func withDaemon<T: Sendable>(
    in folder: String, arguments: [String] = [], environment: [String: String] = [:], descriptors: Int? = nil,
    _ body: @Sendable (DaemonProcess) async throws -> T
) async throws -> (value: T, ending: Ending) {
    let socket = folder + "/plawd.sock"
    let log = folder + "/plawd.log"
    let file = try FileDescriptor.open(
        FilePath(log), .writeOnly, options: [.create, .append, .closeOnExec], permissions: [.ownerReadWrite])
    var platform = PlatformOptions()
    platform.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(10))]
    let state = folder + "/state"
    var command = [Paths.program("plawd"), "--state-directory", state, "--socket", socket] + arguments
    // The shell becomes the daemon, with the same process number.
    if let descriptors { command = ["/bin/sh", "-c", "ulimit -n \(descriptors); exec \"$@\"", "sh"] + command }
    let result = try await Subprocess.run(
        .path(FilePath(command[0])), arguments: Arguments(Array(command.dropFirst())),
        environment: updated(environment), platformOptions: platform, input: .none, output: .discarded,
        error: .fileDescriptor(file, closeAfterSpawningProcess: true)
    ) { execution in
        let pid = execution.processIdentifier.value
        let daemon = DaemonProcess(pid: pid, socket: socket, state: state, log: log)
        defer { kill(pid, SIGTERM) }
        guard await waitUntil(seconds: 20, { answers(socket, pid) || hasEnded(pid) }), answers(socket, pid) else {
            throw DaemonDidNotStart(description: "plawd did not serve within 20 s: " + daemon.logged)
        }
        do {
            return try await body(daemon)
        } catch {
            // The folder goes with the test: what the daemon said last would be lost.
            throw DaemonTestFailure(error: error, isRunning: kill(pid, 0) == 0, log: daemon.logged)
        }
    }
    return (result.closureResult, Ending(result.terminationStatus))
}

/// An error of a test, with what its daemon had logged.
private struct DaemonTestFailure: Error, CustomStringConvertible {
    let error: any Error
    let isRunning: Bool
    let log: String

    var description: String {
        "\(error); the daemon \(isRunning ? "runs" : "has ended"), its log ends:\n"
            + log.split(separator: "\n").suffix(60).joined(separator: "\n")
    }
}

/// True when this process accepts connections on a Unix socket. One that was killed while it started a worker leaves a socket
/// that takes connections until the worker runs, and then drops them.
private func answers(_ path: String, _ pid: Int32) -> Bool {
    guard let connection = try? RawConnection(path: path) else { return false }
    defer { connection.close() }
    return connection.listener == pid
}

/// Runs a program of this package to its end, with `body` beside it, which gets its process number.
package func runProgram(
    _ name: String, _ arguments: [String], environment: [String: String] = [:], in folder: String,
    beside body: @Sendable (Int32) async throws -> Void
) async throws -> Outcome {
    func file(_ path: String) throws -> FileDescriptor {
        try FileDescriptor.open(
            FilePath(path), .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: [.ownerReadWrite])
    }
    let (output, errors) = (folder + "/program.out", folder + "/program.err")
    let result = try await Subprocess.run(
        .path(FilePath(Paths.program(name))), arguments: Arguments(arguments), environment: updated(environment),
        input: .none, output: .fileDescriptor(try file(output), closeAfterSpawningProcess: true),
        error: .fileDescriptor(try file(errors), closeAfterSpawningProcess: true)
    ) { execution in
        try await body(execution.processIdentifier.value)
    }
    func text(_ path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
    return Outcome(ending: Ending(result.terminationStatus), output: text(output), errors: text(errors))
}
