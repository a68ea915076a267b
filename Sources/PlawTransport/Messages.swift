internal import PlawProtocol

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The id of a request: a string or an integer.
package enum RequestID: Codable, Sendable, Hashable {
    case integer(Int64)
    case string(String)

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else {
            self = .string(try container.decode(String.self))
        }
    }

    /// Longest text, in bytes: it comes back with every answer.
    static let maximumBytes = 1_024

    var isShort: Bool {
        if case .string(let text) = self { return text.utf8.count <= Self.maximumBytes }
        return true
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .integer(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        }
    }
}

/// What must be known of a message before its parameters are read.
struct Head: Decodable, Sendable {
    enum Identity: Equatable, Sendable {
        case absent
        case present(RequestID)
        case bad
    }

    var version: String?
    var id: Identity
    var method: String?
    var isResponse: Bool

    private enum CodingKeys: String, CodingKey { case jsonrpc, id, method, result, error }

    init(_ envelope: Envelope) {
        (version, id, method, isResponse) = ("2.0", .present(envelope.id), envelope.method, false)
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        version = try? container.decode(String.self, forKey: .jsonrpc)
        method = try? container.decode(String.self, forKey: .method)
        isResponse = container.contains(.result) || container.contains(.error)
        if !container.contains(.id) {
            id = .absent
        } else if let value = try? container.decode(RequestID.self, forKey: .id), value.isShort {
            id = .present(value)
        } else {
            id = .bad
        }
    }
}

/// Any member name, to find those that do not belong.
struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { return nil }
}

/// The parameters of a request; members that the method does not know are refused.
struct ParamsEnvelope<Params: RPCParams>: Decodable {
    var params: Params

    private enum CodingKeys: String, CodingKey { case params }

    /// The first member that is not among `fields`.
    private static func stranger(_ members: KeyedDecodingContainer<AnyKey>, _ fields: Set<String>) -> String? {
        members.allKeys.map(\.stringValue).sorted().first { !fields.contains($0) }
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        guard container.contains(.params) else {
            params = try JSONDecoder().decode(Params.self, from: Data("{}".utf8))
            return
        }
        let members: KeyedDecodingContainer<AnyKey>
        do {
            members = try container.nestedContainer(keyedBy: AnyKey.self, forKey: .params)
        } catch {
            throw RPCError(.invalidParams, "params: expected an object with named members")
        }
        if let unknown = Self.stranger(members, Params.fields).map(shortened) {
            let known = Params.fields.sorted().joined(separator: ", ")
            throw RPCError(
                .invalidParams,
                "params.\(unknown): not a member of this method's parameters, which are \(known.isEmpty ? "none" : known)",
                ["field": .string(unknown)])
        }
        for (name, fields) in Params.nestedFields {
            guard let key = AnyKey(stringValue: name),
                let nested = try? members.nestedContainer(keyedBy: AnyKey.self, forKey: key),
                let unknown = Self.stranger(nested, fields).map(shortened)
            else { continue }
            throw RPCError(
                .invalidParams,
                "params.\(name).\(unknown): not a member of \(name), which are "
                    + fields.sorted().joined(separator: ", "), ["field": .string("\(name).\(unknown)")])
        }
        params = try container.decode(Params.self, forKey: .params)
    }
}

struct ResultResponse<Result: Encodable>: Encodable {
    var jsonrpc = "2.0"
    var id: RequestID
    var result: Result
}

package struct ErrorResponse: Encodable {
    var jsonrpc = "2.0"
    var id: RequestID?
    var error: RPCError

    private enum CodingKeys: String, CodingKey { case jsonrpc, id, error }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(jsonrpc, forKey: .jsonrpc)
        // An error that belongs to no request says so with a null id.
        try container.encode(id, forKey: .id)
        try container.encode(error, forKey: .error)
    }
}

struct Notification<Params: Encodable>: Encodable {
    var jsonrpc = "2.0"
    var method: String
    var params: Params
}

func encodeMessage(_ value: some Encodable) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
    return try encoder.encode(value)
}

/// A name that a peer made up, as it is shown to it.
func shortened(_ name: String) -> String {
    let start = name.unicodeScalars.prefix(80)
    return start.endIndex == name.endIndex ? name : String(start) + "..."
}

/// A refusal of parameters that names the member, what was found and what was expected.
func explain(_ error: DecodingError) -> RPCError {
    func path(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String {
        (context.codingPath + (key.map { [$0] } ?? [])).map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
            .joined(separator: ".").replacing(".[", with: "[")
    }
    func refuse(_ path: String, _ message: String) -> RPCError {
        RPCError(.invalidParams, "\(path): \(message)", ["field": .string(path)])
    }
    switch error {
    case .keyNotFound(let key, let context):
        let full = path(context, key)
        return refuse(full.hasPrefix("params") ? full : "params." + full, "missing")
    case .typeMismatch(let type, let context):
        return refuse(path(context), "expected \(type); \(context.debugDescription)")
    case .valueNotFound(let type, let context): return refuse(path(context), "found null, expected \(type)")
    case .dataCorrupted(let context): return refuse(path(context), context.debugDescription)
    @unknown default: return RPCError(.invalidParams, "\(error)")
    }
}
