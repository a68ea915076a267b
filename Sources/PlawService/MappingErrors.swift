internal import Interactions
internal import PerformanceLaws
internal import Wire
internal import Store
internal import StrictJSON
internal import Trials

/// Turns the errors of the lower layers into those of the wire.
func mappingErrors<T: Sendable>(_ body: () async throws -> T) async throws -> T {
    do {
        return try await body()
    } catch let error as StoreError {
        let code: ErrorCode =
            switch error.kind {
            case .failed, .unavailable: .storeFailed
            case .noSpace: .noSpace
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
    } catch let error as InteractionError {
        // The daemon's own files; what clients send is refused where it is read.
        throw RPCError(
            error.reason == "no-space" ? .noSpace : .storeFailed, error.description, ["cause": .string(error.reason)])
    } catch let error as TrialFileError {
        throw RPCError(.storeFailed, error.description)
    }
}
