import Domain
import Foundation
import Wire
import PlawTesting
import StrictJSON
import Testing

/// Every parameter of every method in protos/plaw.openrpc.json with values that it does not have.
@Suite struct ParameterTests {
    private struct Parameter {
        var method: String
        var name: String
        /// Its schema, references followed.
        var schema: [String: JSONValue]
        var reference: String?
        /// The others that must be there.
        var others: [String: JSONValue]
    }

    private static func list(_ value: JSONValue?) -> [JSONValue] {
        if case .array(let items)? = value { return items }
        return []
    }

    private static func parameters() throws -> [Parameter] {
        let data = try Data(contentsOf: URL(filePath: Paths.root + "/protos/plaw.openrpc.json"))
        let document = try JSONDecoder().decode(JSONValue.self, from: data)
        let required: [String: JSONValue] = [
            "name": .string("demo"), "id": .integer(1), "layers": .integer(2), "dim": .integer(16),
        ]
        return list(document["methods"]).flatMap { method -> [Parameter] in
            let all = list(method["params"])
            let needed = all.filter { $0["required"] == .bool(true) }.compactMap { $0["name"]?.stringValue }
            return all.compactMap { param in
                guard let own = method["name"]?.stringValue, let name = param["name"]?.stringValue else { return nil }
                let reference = param["schema"]?["$ref"]?.stringValue?.split(separator: "/").last.map(String.init)
                let schema = reference.flatMap { document["components"]?["schemas"]?[$0] } ?? param["schema"]
                guard case .object(let members)? = schema else { return nil }
                var others = required.filter { needed.contains($0.key) && $0.key != name }
                // What describes a dataset is taken where one is made alone.
                if own == "observation.import", name != "create" { others["create"] = .bool(true) }
                return Parameter(method: own, name: name, schema: members, reference: reference, others: others)
            }
        }
    }

    /// A value as JSON text, and the words that must say what was expected; nil for any.
    private static func wrong(_ parameter: Parameter) -> [(value: String, words: String?)] {
        let schema = parameter.schema
        func number(_ name: String) -> Double? {
            switch schema[name] {
            case .integer(let value)?: Double(value)
            case .number(let value)?: value
            default: nil
            }
        }
        var cases: [(value: String, words: String?)] = []
        let type = schema["type"]?.stringValue
        switch type {
        case "integer", "number":
            cases = [("\"1\"", "number"), ("true", "number"), ("[1]", "number"), ("{}", "number"), ("1e400", "number")]
            if type == "integer" { cases += [("2.5", "a whole number"), ("1e30", "a whole number")] }
            // Numbers of jobs and laws that are none are unknown ones, and offsets are held against what was sent.
            let isNumbered = parameter.reference == "JobNumber" || parameter.reference == "LawNumber"
            if !isNumbered, parameter.name != "offset" {
                // A negative one is never right where there is a smallest; what is exclusive is wrong itself.
                if let least = number("minimum") { cases.append(("\(Int(least) - 1)", nil)) }
                if let least = number("exclusiveMinimum") { cases.append(("\(Int(least))", nil)) }
                if let most = number("maximum") { cases.append(("\(Int(most) + 1)", nil)) }
                if let most = number("exclusiveMaximum") { cases.append(("\(Int(most))", nil)) }
            }
        case "boolean": cases = [("1", "true or false"), ("\"true\"", "true or false")]
        case "string":
            cases = [("1", "text"), ("{}", "text"), ("[]", "text")]
            if schema["enum"] != nil || parameter.reference == "Metric" {
                cases = cases.map { ($0.value, nil) } + [("\"no-such\"", nil)]
            }
        case "array": cases = [("1", "an array"), ("{}", "an array"), ("\"a\"", "an array")]
        case "object": cases = [("1", "an object"), ("[]", "an object"), ("\"a\"", "an object")]
        default: cases = []
        }
        return cases
    }

    @Test("every parameter with a wrong type, number or word is named, with what was found and what was expected")
    func table() async throws {
        let parameters = try Self.parameters()
        #expect(parameters.count > 120)
        try await withCalibratedDaemon { daemon async throws in
            let peer = try RawConnection(path: daemon.socket)
            defer { peer.close() }
            var sent = 0
            for parameter in parameters {
                let cases = Self.wrong(parameter)
                #expect(!cases.isEmpty, "\(parameter.method) \(parameter.name) has no case")
                for (value, words) in cases {
                    let others = try parameter.others.map { name, value in
                        "\"\(name)\":" + String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
                    }
                    let params = (others + ["\"\(parameter.name)\":\(value)"]).joined(separator: ",")
                    let answer = try await peer.exchange(
                        #"{"jsonrpc":"2.0","id":1,"method":"\#(parameter.method)","params":{\#(params)}}"#)
                    let label = "\(parameter.method) \(parameter.name)=\(value): \(answer as Any)"
                    let error = answer?["error"]
                    #expect(error?["code"] == .integer(-32602), "\(label)")
                    #expect(error?["data"]?["field"] == .string(parameter.name), "\(label)")
                    let message = try #require(error?["message"]?.stringValue, "\(label)")
                    #expect(message.hasPrefix("\(parameter.name): found "), "\(label)")
                    let parts = message.split(separator: ", expected ", maxSplits: 1)
                    #expect(parts.count == 2, "\(label)")
                    // Checks after decoding show the number as it was understood.
                    let shown = value.hasPrefix("\"") || words != nil ? value : value.filter { $0 != "\"" }
                    #expect(parts.first?.contains(shown) == true, "\(label)")
                    if let words { #expect(parts.last?.contains(words) == true, "\(label)") }
                    if value == "\"no-such\"", parameter.reference != "Metric" {
                        // The list of what there is.
                        for word in Self.list(parameter.schema["enum"]).compactMap(\.stringValue) {
                            #expect(parts.last?.contains(word) == true, "\(label)")
                        }
                    }
                    sent += 1
                }
            }
            #expect(sent > 500)
        }
    }

    @Test("members within members and elements are named by their path; long values are cut")
    func paths() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let peer = try RawConnection(path: daemon.socket)
                defer { peer.close() }
                func refusal(_ method: String, _ params: String) async throws -> (field: String?, message: String?) {
                    let answer = try await peer.exchange(
                        #"{"jsonrpc":"2.0","id":1,"method":"\#(method)","params":\#(params)}"#)
                    let error = answer?["error"]
                    return (error?["data"]?["field"]?.stringValue, error?["message"]?.stringValue)
                }
                let nested = try await refusal("dataset.register", #"{"name":"a","path":"/x","options":{"kCore":"5"}}"#)
                #expect(nested.field == "options.kCore")
                #expect(nested.message == #"options.kCore: found "5", expected a whole number"#)
                let word = try await refusal(
                    "dataset.register", #"{"name":"a","path":"/x","options":{"deduplicate":"all"}}"#)
                #expect(word.message == #"options.deduplicate: found "all", expected one of pairs, rows"#)
                let element = try await refusal("calibration.plan", #"{"name":"a","layers":[1,2.5]}"#)
                #expect(
                    element.field == "layers[1]" && element.message == "layers[1]: found 2.5, expected a whole number")
                let long = try await refusal("dataset.get", #"{"name":["\#(String(repeating: "x", count: 500))"]}"#)
                #expect(long.field == "name" && (long.message?.utf8.count ?? .max) < 110, "\(long)")
                let missing = try await refusal("dataset.get", "{}")
                #expect(missing.field == "name" && missing.message == "name: missing, expected text")
                let list = try await refusal("dataset.get", "[1]")
                #expect(list.field == "params")
                #expect(list.message == "params: found [1], expected an object with named members")
                let stranger = try await refusal("dataset.get", #"{"name":"a","nmae":1}"#)
                #expect(stranger.field == "nmae")
                #expect(stranger.message == "nmae: found a member that is not known, expected some of name")
            }
        }
    }
}
