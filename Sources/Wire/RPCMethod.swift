/// Parameters of a method: an object whose members are exactly `fields`; others are refused.
package protocol RPCParams: Codable, Sendable {
    static var fields: Set<String> { get }
    /// Members of the parameters that are objects themselves.
    static var nestedFields: [String: Set<String>] { get }
}

extension RPCParams {
    package static var nestedFields: [String: Set<String>] { [:] }
}

/// One method of the service: its name, types, who may call it, and what it may run beside.
package protocol RPCMethod: Sendable {
    associatedtype Params: RPCParams
    associatedtype Result: Codable & Sendable

    static var name: String { get }
    static var access: Access { get }
    static var ordering: Ordering { get }
    /// What a request costs.
    static var effort: Effort { get }
    /// True where a request is served however many others are in progress.
    static var isUrgent: Bool { get }
}

extension RPCMethod {
    package static var effort: Effort { .brief }
    package static var isUrgent: Bool { false }
}

/// What a request of a method costs, which decides beside how many others it runs.
package enum Effort: Sendable, Hashable {
    /// Up to some tenths of a second.
    case brief
    /// As long as the data is large.
    case long
    /// Nothing while it waits for something.
    case waiting
}

/// What a caller needs to be allowed.
package enum Access: Int, Sendable, Comparable, CaseIterable {
    case none, read, write

    package static func < (a: Access, b: Access) -> Bool { a.rawValue < b.rawValue }
}

/// How requests of one connection are ordered.
package enum Ordering: Sendable {
    /// May run beside anything.
    case concurrent
    /// Runs after every earlier request of its connection and before every later one.
    case exclusive
}

/// A method without parameters.
package struct NoParams: RPCParams, Hashable {
    package static let fields: Set<String> = []
    package init() {}
}

/// Parameters of a method that names one dataset.
package struct DatasetName: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable { case name }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package var name: String
    package init(name: String) { self.name = name }
}

/// Parameters of a method that names one job.
package struct JobID: RPCParams, Hashable {
    package enum CodingKeys: String, CodingKey, CaseIterable { case id }
    package static let fields = Set(CodingKeys.allCases.map(\.rawValue))

    package var id: Int64
    package init(id: Int64) { self.id = id }
}

/// The version of the wire contract; clients and daemons of equal major numbers understand each other.
package let protocolVersion = "2.0"
