package import StrictJSON
internal import Wire

/// Validates JSON values against the part of JSON Schema that the service description uses.
///
///     let validator = JSONSchemaValidator(document: description)
///     #expect(validator.problems(of: answer, schema: description["components"]?["schemas"]?["Job"] ?? .null) == [])
///
/// A keyword outside that part is a problem rather than ignored, so that nothing goes unchecked in silence.
package struct JSONSchemaValidator: Sendable {
    private let document: JSONValue

    /// - Parameter document: what `$ref` points into, as in `#/components/schemas/Job`.
    package init(document: JSONValue) { self.document = document }

    /// What is wrong with a value, each with its place; empty when it is valid.
    package func problems(of value: JSONValue, schema: JSONValue, at path: String = "$") -> [String] {
        check(value, schema, path, [])
    }

    /// What is wrong with a schema itself, wherever in it: unknown keywords, references to nothing, keywords of a wrong type.
    package func problems(inSchema schema: JSONValue, at path: String = "#") -> [String] {
        guard case .object(let keywords) = schema else {
            if case .bool = schema { return [] }
            return ["\(path): found a schema that is neither an object nor a boolean"]
        }
        return keywords.sorted { $0.key < $1.key }.flatMap { keyword, argument -> [String] in
            let place = "\(path)/\(keyword)"
            guard let kind = Self.kind(of: keyword) else { return ["\(place): unknown keyword"] }
            guard kind.accepts(argument) else { return ["\(place): expected \(kind.rawValue)"] }
            switch kind {
            case .schema: return problems(inSchema: argument, at: place)
            case .schemas:
                return argument.elements.enumerated().flatMap {
                    problems(inSchema: $0.element, at: "\(place)/\($0.offset)")
                }
            case .namedSchemas:
                return argument.members.sorted { $0.key < $1.key }
                    .flatMap { problems(inSchema: $0.value, at: "\(place)/\($0.key)") }
            case .reference: return resolve(argument) == nil ? ["\(place): points to nothing"] : []
            case .pattern: return Self.regex(argument) == nil ? ["\(place): is no regular expression"] : []
            case .annotation, .value, .values, .typeNames, .names, .count, .number: return []
            }
        }
    }

    // MARK: - Keywords

    private enum Kind: String {
        case annotation = "anything"
        case value = "a value"
        case values = "an array of values"
        case typeNames = "the name of a type or an array of them"
        case names = "an array of strings"
        case count = "a number of 0 or more without a fraction"
        case number = "a number"
        case pattern = "a string"
        case reference = "a string that begins with #/"
        case schema = "a schema"
        case schemas = "an array of schemas"
        case namedSchemas = "an object of schemas"

        func accepts(_ argument: JSONValue) -> Bool {
            switch self {
            case .annotation, .value: true
            case .values: argument.isArray
            case .names: argument.isArray && argument.elements.allSatisfy { $0.stringValue != nil }
            case .typeNames:
                argument.words.map { !$0.isEmpty && $0.allSatisfy(JSONSchemaValidator.typeNames.contains) } ?? false
            case .count: argument.integer.map { $0 >= 0 } ?? false
            case .number: argument.number != nil
            case .pattern: argument.stringValue != nil
            case .reference: argument.stringValue?.hasPrefix("#/") ?? false
            case .schema: argument.isSchema
            case .schemas: argument.isArray && argument.elements.allSatisfy(\.isSchema)
            case .namedSchemas: argument.isObject && argument.members.values.allSatisfy(\.isSchema)
            }
        }
    }

    private static let typeNames = ["null", "boolean", "integer", "number", "string", "array", "object"]

    private static func kind(of keyword: String) -> Kind? {
        switch keyword {
        case "title", "description", "examples", "default", "format", "deprecated": .annotation
        case "$ref": .reference
        case "type": .typeNames
        case "enum": .values
        case "const": .value
        case "required": .names
        case "properties": .namedSchemas
        case "propertyNames", "additionalProperties", "items": .schema
        case "prefixItems", "oneOf", "anyOf", "allOf": .schemas
        case "minItems", "maxItems", "minLength", "maxLength": .count
        case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum": .number
        case "pattern": .pattern
        default: keyword.hasPrefix("x-") ? .annotation : nil
        }
    }

    private func resolve(_ reference: JSONValue) -> JSONValue? {
        guard let text = reference.stringValue, text.hasPrefix("#/") else { return nil }
        return text.dropFirst(2).split(separator: "/", omittingEmptySubsequences: false)
            .reduce(Optional(document)) { $0?[String($1)] }
    }

    private static func regex(_ pattern: JSONValue) -> Regex<AnyRegexOutput>? {
        pattern.stringValue.flatMap { try? Regex($0) }
    }

    // MARK: - Values

    /// - Parameter references: those followed since the value was entered; following one twice would never end.
    private func check(_ value: JSONValue, _ schema: JSONValue, _ path: String, _ references: [JSONValue]) -> [String] {
        guard case .object(let keywords) = schema else {
            if schema == .bool(true) { return [] }
            return [schema == .bool(false) ? "\(path): nothing is allowed here" : "\(path): found no schema"]
        }
        return keywords.sorted { $0.key < $1.key }.flatMap { keyword, argument -> [String] in
            guard let kind = Self.kind(of: keyword) else { return ["\(path): unknown keyword \(keyword)"] }
            guard kind.accepts(argument) else { return ["\(path): \(keyword): expected \(kind.rawValue)"] }
            switch keyword {
            case "$ref":
                guard !references.contains(argument) else { return ["\(path): $ref leads back to itself"] }
                guard let target = resolve(argument) else { return ["\(path): $ref points to nothing"] }
                return check(value, target, path, references + [argument])
            case "allOf": return argument.elements.flatMap { check(value, $0, path, references) }
            case "anyOf", "oneOf":
                let valid = argument.elements.filter { check(value, $0, path, references).isEmpty }.count
                if valid == 1 || (valid > 1 && keyword == "anyOf") { return [] }
                return ["\(path): \(valid) of the schemas of \(keyword) hold"]
            case "type":
                let types = argument.words ?? []
                return types.contains(where: value.isOf) ? [] : ["\(path): expected \(types.joined(separator: " or "))"]
            case "enum":
                return argument.elements.contains { $0.normal == value.normal } ? [] : ["\(path): not in the enum"]
            case "const": return argument.normal == value.normal ? [] : ["\(path): not the constant"]
            default:
                switch value {
                case .integer, .number: return bounds(value, keyword, argument, path)
                case .string(let text): return string(text, keyword, argument, path)
                case .array(let elements): return array(elements, keyword, argument, schema, path)
                case .object(let members): return object(members, keyword, argument, schema, path)
                case .null, .bool: return []
                }
            }
        }
    }

    private func bounds(_ value: JSONValue, _ keyword: String, _ limit: JSONValue, _ path: String) -> [String] {
        guard let value = value.number, let limit = limit.number else { return [] }
        let holds =
            switch keyword {
            case "minimum": value >= limit
            case "maximum": value <= limit
            case "exclusiveMinimum": value > limit
            case "exclusiveMaximum": value < limit
            default: true
            }
        return holds ? [] : ["\(path): \(value) breaks \(keyword) \(limit)"]
    }

    private func string(_ text: String, _ keyword: String, _ argument: JSONValue, _ path: String) -> [String] {
        let length = Int64(text.unicodeScalars.count)
        let holds =
            switch keyword {
            case "minLength": length >= argument.integer ?? 0
            case "maxLength": length <= argument.integer ?? 0
            case "pattern": Self.regex(argument).map { text.contains($0) } ?? false
            default: true
            }
        return holds ? [] : ["\(path): \"\(text.prefix(80))\" breaks \(keyword)"]
    }

    private func array(
        _ elements: [JSONValue], _ keyword: String, _ argument: JSONValue, _ schema: JSONValue, _ path: String
    ) -> [String] {
        switch keyword {
        case "minItems":
            return elements.count >= argument.integer ?? 0 ? [] : ["\(path): fewer elements than minItems"]
        case "maxItems":
            return elements.count <= argument.integer ?? 0 ? [] : ["\(path): more elements than maxItems"]
        case "prefixItems":
            return zip(elements, argument.elements).enumerated().flatMap {
                check($0.element.0, $0.element.1, "\(path)[\($0.offset)]", [])
            }
        case "items":
            let first = schema["prefixItems"]?.elements.count ?? 0
            return elements.enumerated().dropFirst(first).flatMap {
                check($0.element, argument, "\(path)[\($0.offset)]", [])
            }
        default: return []
        }
    }

    private func object(
        _ members: [String: JSONValue], _ keyword: String, _ argument: JSONValue, _ schema: JSONValue, _ path: String
    ) -> [String] {
        let sorted = members.sorted { $0.key < $1.key }
        switch keyword {
        case "required":
            return argument.elements.compactMap(\.stringValue).filter { members[$0] == nil }
                .map { "\(path).\($0): missing" }
        case "properties":
            return sorted.flatMap { name, member in
                argument[name].map { check(member, $0, "\(path).\(name)", []) } ?? []
            }
        case "propertyNames":
            return sorted.flatMap { check(.string($0.key), argument, "\(path).\($0.key)", []) }
        case "additionalProperties":
            return sorted.filter { schema["properties"]?[$0.key] == nil }.flatMap { name, member in
                argument == .bool(false)
                    ? ["\(path).\(name): not in the schema"] : check(member, argument, "\(path).\(name)", [])
            }
        default: return []
        }
    }
}

extension JSONValue {
    fileprivate var elements: [JSONValue] {
        if case .array(let elements) = self { return elements }
        return []
    }

    fileprivate var members: [String: JSONValue] {
        if case .object(let members) = self { return members }
        return [:]
    }

    fileprivate var isArray: Bool { if case .array = self { true } else { false } }
    fileprivate var isObject: Bool { if case .object = self { true } else { false } }
    fileprivate var isSchema: Bool { if case .bool = self { true } else { isObject } }

    /// One string or an array of strings.
    fileprivate var words: [String]? {
        if let word = stringValue { return [word] }
        let words = elements.compactMap(\.stringValue)
        return isArray && words.count == elements.count ? words : nil
    }

    fileprivate var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .null, .bool, .string, .array, .object: nil
        }
    }

    /// The value of 3 as well as of 3.0.
    fileprivate var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int64(exactly: value)
        case .null, .bool, .string, .array, .object: nil
        }
    }

    /// Equal for values that JSON Schema calls equal: 3 and 3.0 are.
    fileprivate var normal: JSONValue {
        switch self {
        case .number: integer.map { .integer($0) } ?? self
        case .array(let elements): .array(elements.map(\.normal))
        case .object(let members): .object(members.mapValues(\.normal))
        case .null, .bool, .integer, .string: self
        }
    }

    fileprivate func isOf(_ type: String) -> Bool {
        switch self {
        case .null: type == "null"
        case .bool: type == "boolean"
        case .integer: type == "integer" || type == "number"
        case .number(let value): type == "number" || (type == "integer" && value == value.rounded())
        case .string: type == "string"
        case .array: type == "array"
        case .object: type == "object"
        }
    }
}
