import Foundation
import PlawTesting
import Testing

/// `Benchmarks/soak` against the built daemon: 20 seconds, with PLAW_LONG_TESTS half an hour.
@Suite struct SoakTests {
    private static let isLong = ProcessInfo.processInfo.environment["PLAW_LONG_TESTS"] != nil
    private static let hasPython = ["/usr/bin/python3", "/usr/local/bin/python3"].contains {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    private struct Figures: Decodable {
        var calls: Int
        var growth: Double
        var descriptors: Double
        var descriptorsAtEnd: Double
        var internalErrors: Double
    }

    @Test(
        "mixed calls for some time: nothing fails, no descriptor stays, and in the long run no memory",
        .enabled(if: hasPython, "there is no python3"),
        .disabled(if: isSanitized, "a sanitizer makes training too slow to be measured in a minute"))
    func soak() async throws {
        let outcome = try await runProgram(
            path: "/usr/bin/env",
            [
                "python3", Paths.root + "/Benchmarks/soak", "--programs",
                String(Paths.program("plawd").dropLast("/plawd".count)), "--minutes", Self.isLong ? "30" : "0.33",
                "--sample", Self.isLong ? "5" : "1",
            ])
        #expect(outcome.code == 0, "\(outcome.output) \(outcome.errors)")
        let figures = try JSONDecoder().decode(Figures.self, from: Data(outcome.output.utf8))
        #expect(figures.calls > 100)
        #expect(figures.descriptorsAtEnd <= figures.descriptors + 2)
        #expect(figures.internalErrors == 0)
        if Self.isLong { #expect(figures.growth <= 0.05) }
    }
}
