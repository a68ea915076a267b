import ArgumentParser
import Client
import Wire
import Text

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Options of every command.
struct Common: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The daemon's socket. Else $PLAW_SOCKET, else /run/plawd/plawd.sock where it exists, else the user's own."),
        completion: .file())
    var socket: String?
    @Flag(help: "Print the daemon's result as one line of JSON.") var json = false

    /// Runs `body` on a connection to the daemon.
    func connected<T: Sendable>(_ body: @escaping @Sendable (PlawClient) async throws -> T) async throws -> T {
        try await PlawClient.withConnection(path: SocketPath.resolve(explicit: socket), body)
    }

    /// Calls one method and shows its result, as JSON where that was asked for.
    func show<M: RPCMethod>(_ method: M.Type, _ params: M.Params, _ body: (M.Result) -> Void) async throws {
        let result = try await connected { try await $0.call(method, params) }
        try show(result, body)
    }

    /// Shows a result, as JSON where that was asked for.
    func show<Result: Encodable>(_ result: Result, _ body: (Result) -> Void) throws {
        if json { try Console.json(jsonLine(result), to: .output) } else { body(result) }
    }
}

/// The option of commands whose answers come with warnings.
struct Verbosity: ParsableArguments {
    @Flag(help: "Show all warnings. Default: the three that change most of what to do.") var verbose = false
}

/// A value as one line of JSON, members in order of their names.
func jsonLine(_ value: some Encodable, pretty: Bool = false) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting =
        pretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}
