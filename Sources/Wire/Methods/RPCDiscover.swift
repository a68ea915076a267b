package import StrictJSON
/// `rpc.discover`: the OpenRPC document of this service.
package enum RPCDiscover: RPCMethod {
    package typealias Params = NoParams
    package typealias Result = JSONValue
    package static let name = "rpc.discover"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}
