import Domain
import Foundation
import Wire
import PlawTesting
import StrictJSON
import Testing

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
        #expect(words("Backbone") == Model.trainable.map(\.rawValue))
        #expect(words("Loss") == Loss.allCases.map(\.rawValue))
        #expect(words("RateSchedule") == RateSchedule.allCases.map(\.rawValue))
        #expect(words("Recipe") == Recipe.allCases.map(\.rawValue))
        #expect(words("WidthRule") == WidthRule.allCases.map(\.rawValue))
        #expect(words("CandidateMask") == CandidateMask.allCases.map(\.rawValue))
        #expect(words("JobState") == JobState.allCases.map(\.rawValue))
        #expect(words("TrialStatus") == TrialStatus.allCases.map(\.rawValue))
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
            .string("$jobId"): "job", .string("$backupId"): "backup",
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
