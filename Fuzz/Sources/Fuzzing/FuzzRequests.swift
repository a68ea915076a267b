internal import Wire
internal import Server

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Messages of the wire against every method of the catalog.
enum FuzzRequests {
    /// Handlers that are reached and answer nothing.
    private static let router: Router = {
        var router = Router()
        func add<M: RPCMethod>(_ method: M.Type) {
            router.on(method) { _, _ in throw RPCError(.internalError, "reached") }
        }
        for method in Catalog.methods { add(method) }
        return router
    }()

    /// True where the parameters of a method were accepted.
    static func read(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let refusals = router.refusals(of: Data(bytes))
        return refusals.contains { $0 == nil }
    }
}
