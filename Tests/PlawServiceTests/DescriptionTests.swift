import Foundation
import Client
import Wire
import PlawTesting
import StrictJSON
import Testing

/// Sends every example of protos/plaw.openrpc.json through a real socket.
@Suite struct DescriptionTests {
    private static func document() throws -> JSONValue {
        let data = try Data(contentsOf: URL(filePath: Paths.root + "/protos/plaw.openrpc.json"))
        return try JSONDecoder().decode(JSONValue.self, from: data)
    }

    private static func list(_ value: JSONValue?) -> [JSONValue] {
        if case .array(let items)? = value { return items }
        return []
    }

    /// The params of an example as one object, placeholders replaced.
    private static func params(_ example: JSONValue, _ places: [String: JSONValue]) -> JSONValue {
        var members: [String: JSONValue] = [:]
        for param in list(example["params"]) {
            guard let name = param["name"]?.stringValue, let value = param["value"] else { continue }
            members[name] = value.stringValue.flatMap { places[$0] } ?? value
        }
        return .object(members)
    }

    @Test(
        "every example is answered as its schema says, every error example with its code",
        .disabled(if: isSanitized, "a sanitizer makes training too slow for budgets of seconds"))
    func examples() async throws {
        let document = try Self.document()
        let validator = JSONSchemaValidator(document: document)
        let file = try await syntheticFile(users: 60, items: 40, seed: 3)
        try await withCalibratedDaemon { daemon async throws in
            let path = daemon.state + "/../examples.txt"
            try file.write(to: URL(filePath: path))
            // One connection: an upload ends with the one that began it.
            try await PlawClient.withConnection(path: daemon.socket) { [document, validator] client in
                var places: [String: JSONValue] = ["$file": .string(URL(filePath: path).standardizedFileURL.path())]
                var sent = 0
                for method in Self.list(document["methods"]) {
                    let name = try #require(method["name"]?.stringValue)
                    for example in Self.list(method["examples"]) {
                        if example["x-test"]?["needs"] == .string("upload") {
                            places["$uploadId"] = .string(try await Self.upload(file, client))
                        }
                        let result = try await client.callRaw(name, Self.params(example, places))
                        let problems = validator.problems(of: result, schema: method["result"]?["schema"] ?? .null)
                        #expect(problems.isEmpty, "\(name) \(example["name"]?.stringValue ?? ""): \(problems)")
                        switch example["x-test"]?["provides"]?.stringValue {
                        case "begun": places["$begunId"] = result["uploadId"]
                        case "backup": places["$backupId"] = result["backupId"]
                        case "job": places["$jobId"] = result["job"]?["id"]
                        default: break
                        }
                        sent += 1
                    }
                    for example in Self.list(method["x-error-examples"]) {
                        let label = "\(name) \(example["name"]?.stringValue ?? "")"
                        do {
                            _ = try await client.callRaw(name, Self.params(example, places))
                            Issue.record("\(label): answered")
                        } catch let error as RPCError {
                            #expect(.integer(Int64(error.code)) == example["code"], "\(label): \(error.message)")
                            #expect(error.reason != nil)
                        }
                        sent += 1
                    }
                }
                #expect(sent > 60)
            }
        }
    }

    private static func upload(_ bytes: Data, _ client: PlawClient) async throws -> String {
        let id = try await client.call(DatasetUpload.self, DatasetUploadParams()).uploadId
        let piece = DatasetUploadParams(uploadId: id, offset: 0, data: bytes.base64EncodedString())
        _ = try await client.call(DatasetUpload.self, piece)
        return id
    }

    @Test("rpc.discover returns the document")
    func discover() async throws {
        let document = try Self.document()
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                #expect(try await raw(daemon.socket, "rpc.discover", .object([:])) == document)
            }
        }
    }
}
