import Foundation
import Wire
import PlawTesting
import StrictJSON
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
        .string("$backupId"): .string("4f0f3b6e-6a53-4c0e-9a5e-1f2f8f6f2a10"),
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
    var list: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }
    var fields: [String: JSONValue] { if case .object(let members) = self { members } else { [:] } }
    var words: [String] { list.compactMap(\.stringValue) }
    var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .null, .bool, .string, .array, .object: nil
        }
    }
}
