internal import PerformanceLaws
internal import PlawProtocol
internal import Store

/// Turns the errors of the lower rooms into those of the wire.
func answering<T: Sendable>(_ body: () async throws -> T) async throws -> T {
    do {
        return try await body()
    } catch let error as StoreError {
        let code: ErrorCode =
            switch error.kind {
            case .failed: .storeFailed
            case .unknownDataset: .datasetUnknown
            case .datasetExists: .datasetExists
            case .unknownJob: .jobUnknown
            case .unknownLaw: .lawUnknown
            case .unfinishedJob: .busy
            case .conflict: .invalidInput
            }
        throw RPCError(code, error.description)
    } catch let error as LawError {
        throw RPCError(.lawUnknown, error.description, ["cause": .string(error.reason)])
    }
}
