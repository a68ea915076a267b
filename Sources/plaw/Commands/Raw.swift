import ArgumentParser
import PlawClient
import PlawProtocol

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `plaw rpc`: calls any method with raw parameters.
struct Raw: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rpc", abstract: "Call any method with parameters as JSON.",
        discussion: "Example: plaw rpc dataset.get '{\"name\": \"beauty\"}'. Methods: plaw rpc rpc.discover.")

    @Argument(help: "Method, such as dataset.list.") var method: String
    @Argument(help: "Parameters: a JSON object.") var params: String?
    @OptionGroup var common: Common

    func run() async throws {
        var value: JSONValue?
        if let params {
            do {
                value = try JSONDecoder().decode(JSONValue.self, from: Data(params.utf8))
            } catch {
                throw ValidationError(
                    "params: found text that is not JSON, expected an object such as '{\"name\": \"x\"}'")
            }
        }
        let (method, sent) = (method, value)
        let result = try await common.connected { try await $0.callRaw(method, sent) }
        Terminal.print(try jsonLine(result, pretty: !common.json))
    }
}
