import Domain
import Foundation
import PlawProtocol
import PlawTesting
import Testing

/// protos/plaw.openrpc.json, with the questions that the tests ask it.
struct Description: Sendable {
    let document: JSONValue
    let validator: JSONSchemaValidator

    static let shared = Result { try Description() }

    init() throws {
        document = try Self.parse(try Data(contentsOf: Self.root.appending(path: "protos/plaw.openrpc.json")))
        validator = JSONSchemaValidator(document: document)
    }

    static var root: URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    }

    static func parse(_ data: Data) throws -> JSONValue { try JSONDecoder().decode(JSONValue.self, from: data) }

    var methods: [JSONValue] { document["methods"]?.list ?? [] }
    var schemas: [String: JSONValue] { document["components"]?["schemas"]?.fields ?? [:] }

    func method(_ name: String) throws -> JSONValue {
        try #require(methods.first { $0["name"]?.stringValue == name })
    }

    /// A schema with its reference followed, and the name it has among the components.
    func resolved(_ schema: JSONValue) -> (schema: JSONValue, name: String?) {
        guard let reference = schema["$ref"]?.stringValue, let name = reference.split(separator: "/").last else {
            return (schema, nil)
        }
        let (target, inner) = resolved(schemas[String(name)] ?? .null)
        return (target, inner ?? String(name))
    }

    /// The parameters of a method as the object they are on the wire.
    func paramsSchema(_ method: JSONValue) -> JSONValue {
        let params = method["params"]?.list ?? []
        let required = params.filter { $0["required"] == .bool(true) }.compactMap { $0["name"] }
        return .object([
            "type": .string("object"), "properties": .object(named(params, "schema")), "required": .array(required),
            "additionalProperties": .bool(false),
        ])
    }

    private func named(_ list: [JSONValue], _ member: String) -> [String: JSONValue] {
        Dictionary(uniqueKeysWithValues: list.map { ($0["name"]?.stringValue ?? "", $0[member] ?? .null) })
    }

    /// The parameters of an example, with something real in place of its placeholders.
    func params(_ example: JSONValue) -> JSONValue {
        .object(named(example["params"]?.list ?? [], "value").mapValues { Self.placeholders[$0] ?? $0 })
    }

    static let placeholders: [JSONValue: JSONValue] = [
        .string("$begunId"): .string("4f0f3b6e-6a53-4c0e-9a5e-1f2f8f6f2a10"),
        .string("$uploadId"): .string("4f0f3b6e-6a53-4c0e-9a5e-1f2f8f6f2a10"),
        .string("$file"): .string("/srv/interactions.csv"), .string("$jobId"): .integer(2),
    ]

    /// A value changed in one place, and whether the schema still allows it.
    struct Variant {
        var place: String
        var value: JSONValue
        var isValid: Bool
    }

    /// Every member left out in turn, and every number given a fraction: what the Swift type must judge like the schema.
    func variants(of value: JSONValue, _ schema: JSONValue, at place: String = "$") -> [Variant] {
        let schema = resolved(schema).schema
        switch value {
        case .object(let members):
            return members.flatMap { name, member -> [Variant] in
                func with(_ changed: JSONValue?) -> JSONValue {
                    var members = members
                    members[name] = changed
                    return .object(members)
                }
                let property = schema["properties"]?[name]
                let inside = variants(
                    of: member, property ?? schema["additionalProperties"] ?? .null, at: "\(place).\(name)")
                let left = Variant(
                    place: "\(place).\(name) left out", value: with(nil),
                    isValid: schema["required"]?.list.contains(.string(name)) != true)
                return inside.map { Variant(place: $0.place, value: with($0.value), isValid: $0.isValid) }
                    + (property == nil ? [] : [left])
            }
        case .array(let elements):
            return elements.enumerated().flatMap { index, element in
                variants(of: element, schema["items"] ?? .null, at: "\(place)[\(index)]").map { variant in
                    var elements = elements
                    elements[index] = variant.value
                    return Variant(place: variant.place, value: .array(elements), isValid: variant.isValid)
                }
            }
        case .integer, .number:
            let half = JSONValue.number((value.double?.rounded(.down) ?? 0) + 0.5)
            switch schema["type"]?.stringValue {
            case "integer": return [Variant(place: "\(place) with a fraction", value: half, isValid: false)]
            case "number": return [Variant(place: "\(place) with a fraction", value: half, isValid: true)]
            default: return []
            }
        case .null, .bool, .string: return []
        }
    }

    /// The members of component schemas that occur in a value, as `Job.state`.
    func membersUsed(in value: JSONValue, _ schema: JSONValue) -> Set<String> {
        let (schema, name) = resolved(schema)
        switch value {
        case .object(let members):
            return members.reduce(into: []) { used, member in
                let property = schema["properties"]?[member.key]
                if property != nil, let name { used.insert("\(name).\(member.key)") }
                used.formUnion(membersUsed(in: member.value, property ?? schema["additionalProperties"] ?? .null))
            }
        case .array(let elements):
            return elements.reduce(into: []) { $0.formUnion(membersUsed(in: $1, schema["items"] ?? .null)) }
        case .null, .bool, .integer, .number, .string: return []
        }
    }
}

extension JSONValue {
    fileprivate var list: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }
    fileprivate var fields: [String: JSONValue] { if case .object(let members) = self { members } else { [:] } }
    fileprivate var words: [String] { list.compactMap(\.stringValue) }
    fileprivate var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .null, .bool, .string, .array, .object: nil
        }
    }
}

@Suite("The service description") struct OpenRPCTests {
    let description: Description

    init() throws { description = try Description.shared.get() }

    static let names = Catalog.methods.map { $0.name }

    private func type(_ name: String) throws -> any RPCMethod.Type {
        try #require(Catalog.methods.first { $0.name == name })
    }

    @Test("says what it describes") func information() {
        let info = description.document["info"]
        #expect(description.document["openrpc"] == .string("1.3.2"))
        #expect(info?["title"] == .string("plawd"))
        #expect(info?["version"] == .string(protocolVersion))
        #expect(info?["license"]?["name"] == .string("Apache-2.0"))
    }

    @Test("lists the methods of the catalog, with their access and ordering") func catalog() {
        let described = description.methods.map { method in
            ["name", "paramStructure", "x-access", "x-ordering"].map { method[$0]?.stringValue ?? "" }
        }
        #expect(described == Catalog.methods.map { [$0.name, "by-name", "\($0.access)", "\($0.ordering)"] })
    }

    @Test("is what the daemon carries") func generated() throws {
        let text = try String(
            contentsOf: Description.root.appending(path: "Sources/plawd/OpenRPCDocument.swift"), encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("{") })
        #expect(
            try Description.parse(Data(line.utf8)) == description.document, "run scripts/make-openrpc.py")
    }

    // MARK: - Schemas

    @Test("has only schemas that can be checked") func schemas() {
        for (name, schema) in description.schemas {
            #expect(description.validator.problems(inSchema: schema, at: name) == [])
        }
        for method in description.methods {
            let name = method["name"]?.stringValue ?? ""
            #expect(description.validator.problems(inSchema: description.paramsSchema(method), at: name) == [])
            #expect(description.validator.problems(inSchema: method["result"]?["schema"] ?? .null, at: name) == [])
        }
    }

    @Test("closes every object and demands only members that exist") func closed() {
        let open: Set = ["OpenRPCDocument", "ErrorData"]
        for (name, schema) in description.schemas where schema["type"] == .string("object") {
            let properties = schema["properties"]?.fields ?? [:]
            let required = schema["required"]?.words ?? []
            #expect(required.allSatisfy { properties[$0] != nil }, "\(name)")
            guard !properties.isEmpty, !open.contains(name) else { continue }
            #expect(schema["additionalProperties"] == .bool(false), "\(name)")
        }
    }

    @Test("spells out the words of the Swift types") func words() {
        func words(_ name: String, _ member: String? = nil) -> [String] {
            let schema = description.schemas[name]
            return (member.map { schema?["properties"]?[$0] } ?? schema)?["enum"]?.words ?? []
        }
        #expect(words("Backbone") == Backbone.allCases.map(\.rawValue))
        #expect(words("Loss") == Loss.allCases.map(\.rawValue))
        #expect(words("RateSchedule") == RateSchedule.allCases.map(\.rawValue))
        #expect(words("WidthRule") == WidthRule.allCases.map(\.rawValue))
        #expect(words("CandidateMask") == CandidateMask.allCases.map(\.rawValue))
        #expect(words("JobState") == JobState.allCases.map(\.rawValue))
        #expect(words("ReadOptions", "deduplicate") == ReadOptions.Deduplication.allCases.map(\.rawValue))
    }

    @Test("takes for metrics what the daemon writes", arguments: ["hr@10", "ndcg@1", "mrr@100"])
    func metric(_ text: String) throws {
        let schema = try #require(description.schemas["Metric"])
        #expect(Metric(text)?.description == text)
        #expect(description.validator.problems(of: .string(text), schema: schema) == [])
    }

    @Test("takes nothing else for metrics", arguments: ["hr@0", "hr", "recall@10", "HR@10", "hr@10 ", "hr@10\n"])
    func noMetric(_ text: String) throws {
        let schema = try #require(description.schemas["Metric"])
        #expect(description.validator.problems(of: .string(text), schema: schema) != [])
    }

    // MARK: - Parameters and results

    @Test("names the parameters of each method", arguments: names) func parameters(_ name: String) throws {
        let params = try description.method(name)["params"]?.list ?? []
        let names = params.compactMap { $0["name"]?.stringValue }
        #expect(Set(names) == fields(try type(name)))
        #expect(Set(names).count == params.count)
        // OpenRPC wants the required ones first.
        let required = params.map { $0["required"] == .bool(true) }
        #expect(required == required.filter { $0 } + required.filter { !$0 })
    }

    private func fields<M: RPCMethod>(_ method: M.Type) -> Set<String> { M.Params.fields }

    @Test("has examples that are valid and that the Swift types read and write", arguments: names)
    func examples(_ name: String) throws { try checkExamples(try type(name)) }

    private func checkExamples<M: RPCMethod>(_ type: M.Type) throws {
        let method = try description.method(M.name)
        let examples = method["examples"]?.list ?? []
        #expect(!examples.isEmpty)
        for example in examples {
            let name = example["name"]?.stringValue ?? ""
            let schema = description.paramsSchema(method)
            let params = description.params(example)
            #expect(description.validator.problems(of: params, schema: schema) == [], "\(name)")
            #expect(try rewritten(params, M.Params.self) == params, "\(name)")
            #expect(disagreements(params, schema, M.Params.self) == [], "\(name)")

            let result = try #require(example["result"]?["value"])
            let resultSchema = try #require(method["result"]?["schema"])
            #expect(description.validator.problems(of: result, schema: resultSchema) == [], "\(name)")
            #expect(try rewritten(result, M.Result.self) == result, "\(name)")
            // The document itself has no fixed shape.
            guard M.Result.self != JSONValue.self else { continue }
            #expect(disagreements(result, resultSchema, M.Result.self) == [], "\(name)")
        }
    }

    /// A value after the Swift type has read and written it.
    private func rewritten<T: Codable>(_ value: JSONValue, _ type: T.Type) throws -> JSONValue {
        try Description.parse(JSONEncoder().encode(try JSONDecoder().decode(T.self, from: JSONEncoder().encode(value))))
    }

    /// Places where the schema and the Swift type judge a changed value differently.
    private func disagreements<T: Codable>(_ value: JSONValue, _ schema: JSONValue, _ type: T.Type) -> [String] {
        description.variants(of: value, schema).filter { variant in
            let isRead = (try? JSONDecoder().decode(T.self, from: JSONEncoder().encode(variant.value))) != nil
            return isRead != variant.isValid
        }.map(\.place)
    }

    @Test("shows every member of every schema in some example") func coverage() throws {
        var used: Set<String> = []
        for method in description.methods {
            for example in method["examples"]?.list ?? [] {
                used.formUnion(
                    description.membersUsed(
                        in: example["result"]?["value"] ?? .null, method["result"]?["schema"] ?? .null))
                used.formUnion(
                    description.membersUsed(in: description.params(example), description.paramsSchema(method)))
            }
        }
        for notification in description.document["x-notifications"]?.list ?? [] {
            for example in notification["examples"]?.list ?? [] {
                used.formUnion(
                    description.membersUsed(in: example["value"] ?? .null, notification["params"] ?? .null))
            }
        }
        let all = description.schemas.filter { $0.key != "ErrorData" }.flatMap { name, schema in
            (schema["properties"]?.fields.keys).map { $0.map { "\(name).\($0)" } } ?? []
        }
        #expect(Set(all).subtracting(used) == [])
    }

    @Test("marks the examples that need something") func marks() {
        let needs: [JSONValue: String] = [
            .string("$begunId"): "begun", .string("$uploadId"): "upload", .string("$file"): "file",
            .string("$jobId"): "job",
        ]
        for example in description.methods.flatMap({ $0["examples"]?.list ?? [] }) {
            let placeholders = (example["params"]?.list ?? []).compactMap { $0["value"].flatMap { needs[$0] } }
            #expect(placeholders == [example["x-test"]?["needs"]?.stringValue].compactMap { $0 })
        }
    }

    // MARK: - Errors and notifications

    @Test("lists the error codes, each with its word") func errors() {
        let errors = description.document["components"]?["errors"]?.fields ?? [:]
        let described = errors.values.map { [$0["code"], $0["data"]?["reason"]] }
        #expect(Set(described) == Set(ErrorCode.allCases.map { [.integer(Int64($0.rawValue)), .string($0.reason)] }))
        #expect(errors.count == ErrorCode.allCases.count)
        for (name, error) in errors {
            let words = name.reduce(into: "") { $0 += ($1.isUppercase && !$0.isEmpty ? "-" : "") + $1.lowercased() }
            #expect(error["data"]?["reason"] == .string(words))
            #expect(error["message"]?.stringValue?.isEmpty == false)
        }
    }

    @Test("agrees with the table of errors in protos/README.md") func errorTable() throws {
        let text = try String(contentsOf: Description.root.appending(path: "protos/README.md"), encoding: .utf8)
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| -3") }.map(String.init)
        let errors = description.document["components"]?["errors"]?.fields ?? [:]
        let expected = ErrorCode.allCases.map { code in
            let message = errors.values.first { $0["code"] == .integer(Int64(code.rawValue)) }?["message"]
            return "| \(code.rawValue) | `\(code.reason)` | \(message?.stringValue ?? "") |"
        }
        #expect(rows == expected)
    }

    @Test("names the errors of each method, and shows how to get some", arguments: names)
    func errorExamples(_ name: String) throws {
        let method = try description.method(name)
        let errors = description.document["components"]?["errors"]
        let codes = (method["errors"]?.list ?? []).map { reference in
            reference["$ref"]?.stringValue?.split(separator: "/").last.flatMap { errors?[String($0)]?["code"] }
        }
        #expect(!codes.contains(nil) && Set(codes).count == codes.count)
        let examples = method["x-error-examples"]?.list ?? []
        #expect(!examples.isEmpty)
        for example in examples {
            #expect(codes.contains(example["code"]), "\(example["name"] ?? .null)")
            let isInvalid = !description.validator.problems(
                of: description.params(example), schema: description.paramsSchema(method)
            ).isEmpty
            // What breaks the schema must be refused as invalid, but some rules stand only in words.
            if isInvalid { #expect(example["code"] == .integer(Int64(ErrorCode.invalidParams.rawValue))) }
        }
    }

    @Test("describes the data of errors") func errorData() throws {
        let schema = try #require(description.schemas["ErrorData"])
        let error = RPCError(.busy, "job 3 has not ended", ["job": .integer(3)])
        #expect(description.validator.problems(of: .object(error.data ?? [:]), schema: schema) == [])
        #expect(description.validator.problems(of: .object(["job": .integer(3)]), schema: schema) != [])
    }

    @Test("describes the notifications") func notifications() throws {
        let notifications = description.document["x-notifications"]?.list ?? []
        #expect(notifications.map { $0["name"]?.stringValue } == [Catalog.jobProgress, Catalog.cancelRequest])
        for notification in notifications {
            let schema = try #require(notification["params"])
            #expect(description.validator.problems(inSchema: schema) == [])
            for example in notification["examples"]?.list ?? [] {
                let value = try #require(example["value"])
                #expect(description.validator.problems(of: value, schema: schema) == [])
                guard notification["name"] == .string(Catalog.jobProgress) else { continue }
                #expect(try rewritten(value, Job.self) == value)
                #expect(disagreements(value, schema, Job.self) == [])
            }
        }
    }
}

@Suite("The schema validator") struct JSONSchemaValidatorTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var schema: String
        var good: [String]
        var bad: [String]
        var testDescription: String { schema }

        init(_ schema: String, good: [String], bad: [String]) {
            self.schema = schema
            self.good = good
            self.bad = bad
        }
    }

    static let cases = [
        Case(#"{"type": "null"}"#, good: ["null"], bad: ["0", "false"]),
        Case(#"{"type": "boolean"}"#, good: ["true"], bad: ["1", "null", "\"true\""]),
        Case(#"{"type": "integer"}"#, good: ["3", "3.0", "-1", "1e3"], bad: ["3.5", "\"3\"", "true"]),
        Case(#"{"type": "number"}"#, good: ["3", "3.5"], bad: ["\"3\"", "null"]),
        Case(#"{"type": "string"}"#, good: ["\"\""], bad: ["0", "[]"]),
        Case(#"{"type": "array"}"#, good: ["[]"], bad: ["{}"]),
        Case(#"{"type": "object"}"#, good: ["{}"], bad: ["[]"]),
        Case(#"{"type": ["integer", "string"]}"#, good: ["1", "\"a\""], bad: ["1.5", "null"]),
        Case(#"{"enum": ["a", 1, {"b": [2]}]}"#, good: ["\"a\"", "1.0", #"{"b": [2.0]}"#], bad: ["\"b\"", "2"]),
        Case(#"{"const": 1}"#, good: ["1", "1.0"], bad: ["2", "true"]),
        Case(#"{"minimum": 1}"#, good: ["1", "1.5", "\"any\""], bad: ["0.9", "-1"]),
        Case(#"{"maximum": 1}"#, good: ["1", "-1"], bad: ["1.1"]),
        Case(#"{"exclusiveMinimum": 1}"#, good: ["1.1"], bad: ["1"]),
        Case(#"{"exclusiveMaximum": 1}"#, good: ["0.9"], bad: ["1"]),
        Case(#"{"minLength": 2}"#, good: ["\"ab\"", "1"], bad: ["\"a\""]),
        Case(#"{"maxLength": 2}"#, good: ["\"ab\""], bad: ["\"abc\""]),
        Case(#"{"pattern": "^[a-z]+$"}"#, good: ["\"ab\""], bad: ["\"aB\"", "\"\"", #""ab\n""#]),
        Case(#"{"pattern": "b"}"#, good: ["\"abc\""], bad: ["\"ac\""]),
        Case(#"{"minItems": 1}"#, good: ["[0]"], bad: ["[]"]),
        Case(#"{"maxItems": 1}"#, good: ["[0]"], bad: ["[0, 0]"]),
        Case(#"{"items": {"type": "integer"}}"#, good: ["[]", "[1]"], bad: ["[1, \"a\"]"]),
        Case(
            #"{"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}"#, good: ["[\"a\", 1]", "[]"],
            bad: ["[1]", "[\"a\", \"b\"]"]),
        Case(#"{"properties": {"a": {"type": "integer"}}}"#, good: [#"{"a": 1}"#, "{}"], bad: [#"{"a": "1"}"#]),
        Case(#"{"required": ["a"]}"#, good: [#"{"a": null}"#], bad: ["{}"]),
        Case(
            #"{"properties": {"a": {}}, "additionalProperties": false}"#, good: [#"{"a": 1}"#],
            bad: [#"{"a": 1, "b": 1}"#]),
        Case(#"{"additionalProperties": {"type": "integer"}}"#, good: [#"{"a": 1}"#], bad: [#"{"a": "1"}"#]),
        Case(#"{"propertyNames": {"pattern": "^a"}}"#, good: [#"{"ab": 1}"#], bad: [#"{"b": 1}"#]),
        Case(#"{"oneOf": [{"minimum": 2}, {"maximum": 3}]}"#, good: ["1", "4"], bad: ["2", "3"]),
        Case(#"{"anyOf": [{"minimum": 3}, {"maximum": 1}]}"#, good: ["1", "3"], bad: ["2"]),
        Case(#"{"allOf": [{"minimum": 1}, {"maximum": 3}]}"#, good: ["2"], bad: ["0", "4"]),
        Case(##"{"$ref": "#/components/schemas/Tree"}"##, good: ["[]", "[[], [[]]]"], bad: ["[1]", "[[[1]]]"]),
        Case(##"{"$ref": "#/components/schemas/Tree", "maxItems": 1}"##, good: ["[[]]"], bad: ["[[], []]"]),
    ]

    let validator: JSONSchemaValidator

    init() throws {
        validator = JSONSchemaValidator(
            document: try Self.json(
                """
                {"components": {"schemas": {
                    "Tree": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
                    "Loop": {"$ref": "#/components/schemas/Loop"}
                }}}
                """))
    }

    private static func json(_ text: String) throws -> JSONValue { try Description.parse(Data(text.utf8)) }

    @Test("accepts and refuses by each keyword", arguments: cases) func keyword(_ test: Case) throws {
        let schema = try Self.json(test.schema)
        #expect(validator.problems(inSchema: schema) == [])
        for text in test.good { #expect(validator.problems(of: try Self.json(text), schema: schema) == [], "\(text)") }
        for text in test.bad { #expect(validator.problems(of: try Self.json(text), schema: schema) != [], "\(text)") }
    }

    @Test(
        "calls what it cannot check a problem",
        arguments: [
            #"{"multipleOf": 2}"#, #"{"minimum": "1"}"#, #"{"type": "float"}"#, #"{"type": []}"#, #"{"pattern": "("}"#,
            #"{"required": "a"}"#, #"{"minLength": -1}"#, ##"{"$ref": "#/components/schemas/None"}"##,
            #"{"$ref": "elsewhere.json"}"#, #"{"properties": {"a": 1}}"#, #"{"anyOf": {}}"#, "7",
        ])
    func unsound(_ text: String) throws {
        let schema = try Self.json(text)
        #expect(validator.problems(inSchema: schema) != [])
        if text.contains("pattern") || text.contains("properties") { return }
        #expect(validator.problems(of: .string("a"), schema: schema) != [])
    }

    @Test("finds an unsound schema inside another") func nested() throws {
        let schema = try Self.json(#"{"properties": {"a": {"items": {"oneOf": [{"unknown": 1}]}}}}"#)
        #expect(validator.problems(inSchema: schema) == ["#/properties/a/items/oneOf/0/unknown: unknown keyword"])
    }

    @Test("does not follow a reference in circles") func circle() throws {
        let schema = try Self.json(##"{"$ref": "#/components/schemas/Loop"}"##)
        #expect(validator.problems(of: .null, schema: schema) == ["$: $ref leads back to itself"])
    }

    @Test("ignores annotations") func annotations() throws {
        let schema = try Self.json(
            #"{"title": "a", "description": "b", "default": 1, "examples": [], "format": "uuid", "deprecated": true, "x-y": 1}"#
        )
        #expect(validator.problems(inSchema: schema) == [])
        #expect(validator.problems(of: .integer(1), schema: schema) == [])
    }

    @Test("says where the problem is") func place() throws {
        let schema = try Self.json(#"{"properties": {"a": {"items": {"required": ["b"]}}}}"#)
        let value = try Self.json(#"{"a": [{"b": 1}, {}]}"#)
        #expect(validator.problems(of: value, schema: schema) == ["$.a[1].b: missing"])
    }
}
