import Wire
import Store
import Testing

@testable import PlawService

@Suite struct ReportServiceTests {
    @Test(
        "a report goes without what the laws refuse to answer",
        arguments: [ErrorCode.outsideDomain, .infeasible, .lawUnknown])
    func refusals(code: ErrorCode) async throws {
        let answer: Int? = try await ReportService.unlessRefused { throw RPCError(code, "no") }
        #expect(answer == nil)
        #expect(try await ReportService.unlessRefused { 5 } == 5)
    }

    @Test(
        "a store that fails, a stop and a cancellation fail the report",
        arguments: [
            ErrorCode.storeFailed, .noSpace, .cancelled, .shuttingDown, .internalError, .busy, .datasetUnknown,
            .invalidParams,
        ])
    func failures(code: ErrorCode) async {
        let error = await #expect(throws: RPCError.self) {
            _ = try await ReportService.unlessRefused { () -> Int in throw RPCError(code, "failed") }
        }
        #expect(error?.code == code.rawValue)
        await #expect(throws: CancellationError.self) {
            _ = try await ReportService.unlessRefused { () -> Int in throw CancellationError() }
        }
    }
}
