internal import Wire
internal import StrictJSON

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The id of a request: a string or an integer.
enum RequestID: Encodable, Sendable, Hashable {
    case integer(Int64)
    case string(String)

    /// Nil for what is neither.
    init?(_ node: JSONNode) {
        if let text = node.stringValue {
            self = .string(text)
        } else if let number = try? node.decode(Int64.self) {
            self = .integer(number)
        } else {
            return nil
        }
    }

    /// Longest text, in bytes: it comes back with every answer.
    static let maximumBytes = 1_024

    var isShort: Bool {
        if case .string(let text) = self { return text.utf8.count <= Self.maximumBytes }
        return true
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .integer(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        }
    }
}

/// What must be known of a message before its parameters are read.
struct Head: Sendable {
    enum Identity: Equatable, Sendable {
        case absent
        case present(RequestID)
        case bad
    }

    var version: String?
    var id: Identity
    var method: String?
    var isResponse: Bool

    /// Nil for what is no object.
    init?(_ request: JSONNode) {
        guard request.isObject else { return nil }
        version = request.member("jsonrpc")?.stringValue
        method = request.member("method")?.stringValue
        isResponse = request.member("result") != nil || request.member("error") != nil
        id = request.member("id").map { RequestID($0).flatMap { $0.isShort ? .present($0) : nil } ?? .bad } ?? .absent
    }
}

/// The parameters of a request; members that the method does not know are refused.
///
/// - Throws: `invalidParams`, naming the member.
func readParams<Params: RPCParams>(_ type: Params.Type, of request: JSONNode) throws(RPCError) -> Params {
    let params = request.member("params") ?? emptyObject
    guard params.isObject else {
        throw RPCError.parameter("params", found: params.shown, expected: "an object with named members")
    }
    func checkMembers(of node: JSONNode, _ fields: Set<String>, _ path: String) throws(RPCError) {
        // The same one every time, however they are ordered.
        guard let stranger = node.members.filter({ !fields.contains($0.name) }).min(by: { $0.name < $1.name }) else {
            return
        }
        let known = fields.isEmpty ? "no members" : "some of " + fields.sorted().joined(separator: ", ")
        throw RPCError.parameter(path + shortened(stranger.name), found: "a member that is not known", expected: known)
    }
    try checkMembers(of: params, Params.fields, "")
    for (name, fields) in Params.nestedFields.sorted(by: { $0.key < $1.key }) {
        if let nested = params.member(name) { try checkMembers(of: nested, fields, name + ".") }
    }
    do {
        return try params.decode(Params.self)
    } catch let error as JSONMismatch {
        guard let found = error.found else { throw RPCError.missing(error.path, expected: error.expected) }
        throw RPCError.parameter(error.path, found: found, expected: error.expected)
    } catch {
        throw error as? RPCError ?? RPCError(.invalidParams, "\(error)")
    }
}

/// What `params` is where it is absent.
private let emptyObject: JSONNode = {
    guard let text = try? JSONText(Data("{}".utf8)) else { preconditionFailure("an empty object is no JSON") }
    return text.root
}()

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
