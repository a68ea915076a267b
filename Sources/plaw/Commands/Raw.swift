import ArgumentParser
import Client
import Wire
import StrictJSON
import Text

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
                value = try JSONText.root(of: Data(params.utf8)).decode(JSONValue.self)
            } catch {
                throw ValidationError("params: \(error); an object is '{\"name\": \"x\"}', for one")
            }
        }
        let (method, sent) = (method, value)
        let result = try await common.connected { try await $0.callRaw(method, sent) }
        try Console.json(jsonLine(result, pretty: !common.json), to: .output)
    }
}
