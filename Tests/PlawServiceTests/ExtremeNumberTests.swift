import Foundation
import Wire
import PlawTesting
import StrictJSON
import Testing

/// Every number that protos/plaw.openrpc.json lets a request hold, at the ends of what numbers are: answered, or refused in words.
@Suite struct ExtremeNumberTests {
    /// A number somewhere in the parameters of a method.
    private struct Place {
        var method: String
        var parameter: String
        /// From the parameter to the number; "[]" for the element of an array.
        var path: [String]

        /// The parameter as JSON text with the number in its place.
        func text(_ value: String) -> String {
            path.reversed().reduce(value) { $1 == "[]" ? "[\($0)]" : "{\"\($1)\":\($0)}" }
        }
    }

    private static let values = [
        "0", "-1", "1", "2147483648", "9007199254740992", "9223372036854775807", "-9223372036854775808", "1e308",
        "-1e308",
        "5e-324", "1e-300", "0.1", "\"NaN\"", "\"Infinity\"", "1e999", "9223372036854775808",
    ]

    private static func list(_ value: JSONValue?) -> [JSONValue] {
        if case .array(let items)? = value { return items }
        return []
    }

    private static func places() throws -> [Place] {
        let data = try Data(contentsOf: URL(filePath: Paths.root + "/protos/plaw.openrpc.json"))
        let document = try JSONDecoder().decode(JSONValue.self, from: data)
        func paths(_ schema: JSONValue) -> [[String]] {
            if let reference = schema["$ref"]?.stringValue?.split(separator: "/").last {
                return document["components"]?["schemas"]?[String(reference)].map(paths) ?? []
            }
            switch schema["type"]?.stringValue {
            case "integer", "number": return [[]]
            case "array": return schema["items"].map(paths)?.map { ["[]"] + $0 } ?? []
            case "object":
                guard case .object(let members)? = schema["properties"] else { return [] }
                return members.sorted { $0.key < $1.key }.flatMap { name, member in paths(member).map { [name] + $0 } }
            default: return []
            }
        }
        return list(document["methods"]).flatMap { method in
            list(method["params"]).flatMap { param -> [Place] in
                guard let own = method["name"]?.stringValue, let name = param["name"]?.stringValue,
                    let schema = param["schema"]
                else { return [] }
                return paths(schema).map { Place(method: own, parameter: name, path: $0) }
            }
        }
    }

    /// What stands beside the number, as JSON texts.
    private static func others(_ method: String, file: String, upload: String, backup: String) -> [String: String] {
        switch method {
        case "dataset.upload": ["uploadId": "\"\(upload)\"", "offset": "0", "data": "\"\""]
        case "dataset.register": ["name": "\"extreme\"", "path": "\"\(file)\""]
        case "dataset.inspect": ["path": "\"\(file)\""]
        case "calibration.plan", "calibration.start": ["name": "\"demo\"", "budgetSeconds": "1"]
        case "observation.import":
            [
                "name": "\"extreme\"", "create": "true",
                "text": "\"layers,dim,ndcg@10\\n1,16,0.1\\n2,16,0.2\\n3,16,0.2\\n\"",
            ]
        case "store.backup": ["backupId": "\"\(backup)\"", "offset": "0"]
        case "law.predict": ["name": "\"demo\"", "layers": "2", "dim": "16", "force": "true"]
        case "job.get", "job.wait", "job.cancel", "job.subscribe": ["id": "1"]
        case "job.list", "law.list", "dataset.list", "law.get": [:]
        default: ["name": "\"demo\""]
        }
    }

    @Test("the ends of all numbers are answered, or refused by an error that names them, and the daemon lives")
    func extremes() async throws {
        let places = try Self.places()
        #expect(places.count > 70)
        try await withCalibratedDaemon { daemon async throws in
            let file = daemon.state + "/../some.txt"
            try Data("1 2 3 4\n2 3 4 5\n3 1 2 4 5\n".utf8).write(to: URL(filePath: file))
            let path = URL(filePath: file).standardizedFileURL.path()
            // One connection: uploads and backups end with the one that began them.
            let peer = try RawConnection(path: daemon.socket)
            defer { peer.close() }
            func ask(_ method: String, _ params: String) async throws -> JSONValue {
                try await peer.send(#"{"jsonrpc":"2.0","id":1,"method":"\#(method)","params":\#(params)}"#)
                // What follows a subscription is no answer.
                while true {
                    let message = try #require(try await peer.receive(), "\(method) \(params): the daemon hung up")
                    if message["method"] == nil { return message }
                }
            }
            func begin() async throws -> String {
                try #require(try await ask("dataset.upload", "{}")["result"]?["uploadId"]?.stringValue)
            }
            var upload = try await begin()
            var backup = ""
            var (answered, refused) = (0, 0)
            for place in places {
                for value in Self.values {
                    // One that was read to its end is gone.
                    if place.method == "store.backup", backup.isEmpty {
                        backup = try #require(try await ask("store.backup", "{}")["result"]?["backupId"]?.stringValue)
                    }
                    var params = Self.others(place.method, file: path, upload: upload, backup: backup)
                    params[place.parameter] = place.text(value)
                    let text = "{" + params.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}"
                    let answer = try await ask(place.method, text)
                    let label = "\(place.method) \(place.parameter) \(place.path) \(value): \(answer)"
                    guard let error = answer["error"] else {
                        #expect(answer["result"] != nil, "\(label)")
                        answered += 1
                        backup = ""
                        // One that has gone on to its next file takes no more of the first.
                        if place.method == "dataset.upload" {
                            _ = try await ask("dataset.upload", #"{"uploadId":"\#(upload)","discard":true}"#)
                            upload = try await begin()
                        }
                        if ["dataset.register", "observation.import"].contains(place.method) {
                            _ = try await ask("dataset.remove", #"{"name":"extreme"}"#)
                        }
                        continue
                    }
                    refused += 1
                    let message = error["message"]?.stringValue ?? ""
                    switch error["code"] {
                    case .integer(-32602):
                        let field = error["data"]?["field"]?.stringValue ?? ""
                        let isNamed = [place.parameter, place.path.first { $0 != "[]" } ?? place.parameter, "heads"]
                            .contains {
                                field.contains($0)
                            }
                        #expect(isNamed && !message.isEmpty, "\(label)")
                    // No such job or law; nothing that costs so little, or lies so far out; nothing is left to read; nothing pays.
                    case .integer(-32004), .integer(-32005), .integer(-32006), .integer(-32007), .integer(-32002):
                        #expect(!message.isEmpty, "\(label)")
                    // What is written would have no room.
                    case .integer(-32015): #expect(place.method.hasPrefix("calibration"), "\(label)")
                    default: Issue.record("\(label)")
                    }
                }
            }
            #expect(answered > 100 && refused > 500, "\(answered) \(refused)")
        }
    }
}
