package import StrictJSON

/// A JSON-RPC error code; the stable word of each is what `data.reason` says.
package enum ErrorCode: Int, Sendable, Hashable, CaseIterable {
    case parseError = -32700
    case invalidRequest = -32600
    case methodNotFound = -32601
    case invalidParams = -32602
    case internalError = -32603
    case cancelled = -32800
    case datasetUnknown = -32000
    case datasetExists = -32001
    case invalidInput = -32002
    case uploadUnknown = -32003
    case jobUnknown = -32004
    case lawUnknown = -32005
    case infeasible = -32006
    case outsideDomain = -32007
    case busy = -32008
    case denied = -32009
    case tooLarge = -32010
    case shuttingDown = -32011
    case storeFailed = -32012
    case workerFailed = -32013
    case noInteractions = -32014
    case noSpace = -32015
    case backupUnknown = -32016
    case timedOut = -32020

    /// The stable word carried in `data.reason`.
    package var reason: String {
        switch self {
        case .parseError: "parse-error"
        case .invalidRequest: "invalid-request"
        case .methodNotFound: "method-not-found"
        case .invalidParams: "invalid-params"
        case .internalError: "internal-error"
        case .cancelled: "cancelled"
        case .datasetUnknown: "dataset-unknown"
        case .datasetExists: "dataset-exists"
        case .invalidInput: "invalid-input"
        case .uploadUnknown: "upload-unknown"
        case .jobUnknown: "job-unknown"
        case .lawUnknown: "law-unknown"
        case .infeasible: "infeasible"
        case .outsideDomain: "outside-domain"
        case .busy: "busy"
        case .denied: "denied"
        case .tooLarge: "too-large"
        case .shuttingDown: "shutting-down"
        case .storeFailed: "store-failed"
        case .workerFailed: "worker-failed"
        case .noInteractions: "no-interactions"
        case .noSpace: "no-space"
        case .backupUnknown: "backup-unknown"
        case .timedOut: "timed-out"
        }
    }
}

/// The error member of a JSON-RPC response.
package struct RPCError: Error, Codable, Sendable, Hashable, CustomStringConvertible {
    package var code: Int
    package var message: String
    /// Always an object with `reason`, and the fields that explain the refusal.
    package var data: [String: JSONValue]?

    /// An error of the table above; `fields` are added to `data` beside the reason.
    package init(_ code: ErrorCode, _ message: String, _ fields: [String: JSONValue] = [:]) {
        self.code = code.rawValue
        self.message = Self.short(message)
        var data = fields
        for case (let name, .string(let text)) in fields { data[name] = .string(Self.short(text)) }
        data["reason"] = fields["reason"] ?? .string(code.reason)
        self.data = data
    }

    /// A refusal of a parameter: every one names the member (`options.kCore`, `layers[1]`), what was found and what was expected.
    ///
    /// - Parameter found: the value as JSON has it; shown as far as people need it.
    package static func parameter(
        _ field: String, found: String, expected: String, _ fields: [String: JSONValue] = [:]
    ) -> RPCError {
        RPCError(
            .invalidParams, "\(field): found \(shortened(found)), expected \(expected)",
            fields.merging(["field": .string(field)]) { $1 })
    }

    /// The same for a value that is a text.
    package static func parameter(_ field: String, foundText text: String, expected: String) -> RPCError {
        parameter(field, found: "\"\(text)\"", expected: expected)
    }

    /// - Throws: `invalidParams` for a whole number that is not within a range; one that is absent is.
    package static func check<Value: FixedWidthInteger & Sendable>(
        _ field: String, _ value: Value?, _ range: ClosedRange<Value>
    ) throws(RPCError) {
        guard let value, !range.contains(value) else { return }
        let most = range.upperBound == .max ? " or more" : " to \(range.upperBound)"
        throw parameter(field, found: "\(value)", expected: "\(range.lowerBound)\(most)")
    }

    /// A parameter that is not there.
    package static func missing(_ field: String, expected: String) -> RPCError {
        RPCError(.invalidParams, "\(field): missing, expected \(expected)", ["field": .string(field)])
    }

    /// What a peer sent and is told again has an end: a name may have the length of a frame.
    private static func short(_ text: String) -> String {
        text.utf8.count <= 2_000 ? text : String(text.prefix(1_000)) + "..."
    }

    package var description: String { message }
    package var reason: String? { data?["reason"]?.stringValue }
}
