import Foundation
import Wire
import PlawTesting
import StrictJSON
import Testing

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
