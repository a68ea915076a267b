import Foundation
import Wire
import PlawTesting
import StrictJSON
import Testing

/// The predicted peak memory of a training against what trainings take.
@Suite(.disabled(if: isSanitized, "a sanitizer takes memory of its own")) struct MemoryTests {
    private struct Case: Sendable, CustomTestStringConvertible {
        var data: String
        var shape: String
        var backbone: String
        var loss: String
        var batch = 256

        var testDescription: String { "\(data) \(shape) \(backbone) \(loss) \(batch)" }
    }

    /// Arguments of `synthesize`: few and short sequences; many items; long sequences.
    private static let made = [
        "small": ["--users", "400", "--items", "80", "--mean-length", "9"],
        "wide": ["--users", "4000", "--items", "60000", "--mean-length", "8"],
        "long": ["--users", "300", "--items", "300", "--mean-length", "40"],
    ]

    private static let cases = [
        Case(data: "small", shape: "1x4", backbone: "sasrec", loss: "cce"),
        Case(data: "small", shape: "8x64", backbone: "sasrec", loss: "cce"),
        Case(data: "small", shape: "2x128", backbone: "gpt", loss: "bce", batch: 32),
        Case(data: "long", shape: "2x32", backbone: "llama", loss: "cce"),
        Case(data: "long", shape: "2x32", backbone: "hstu", loss: "bce", batch: 64),
        Case(data: "wide", shape: "1x64", backbone: "sasrec", loss: "bce"),
        Case(data: "wide", shape: "1x64", backbone: "sasrec", loss: "ce"),
        Case(data: "wide", shape: "2x16", backbone: "gpt", loss: "gbce"),
        Case(data: "wide", shape: "1x32", backbone: "llama", loss: "sampled-softmax"),
    ]
    private static let real = Case(data: "amazon-beauty.txt", shape: "2x64", backbone: "sasrec", loss: "bce")

    private static func peaks(_ file: String, _ c: Case) async throws -> (predicted: Double, measured: Double) {
        let model = ["--data", file, "--backbone", c.backbone, "--loss", c.loss, "--batch", "\(c.batch)"]
        let shape = c.shape.split(separator: "x").map(String.init)
        func member(_ name: String, _ arguments: [String]) async throws -> Double {
            let outcome = try await runProgram("plaw-trial", arguments + model)
            try #require(outcome.code == 0, "\(outcome.errors)")
            guard case .object(let object) = try JSONDecoder().decode(JSONValue.self, from: Data(outcome.output.utf8))
            else { return 0 }
            return switch object[name] {
            case .integer(let value): Double(value)
            case .number(let value): value
            default: 0
            }
        }
        return (
            try await member("memoryBytes", ["probe", "--shape", c.shape, "--seconds", "0.01"]),
            try await member(
                "peakMemoryBytes", ["train", "--layers", shape[0], "--dim", shape[1], "--epochs", "2", "--json"])
        )
    }

    @Test("the predicted peak memory is within 15 % of the measured one", arguments: cases)
    private func peak(c: Case) async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/data"
            let arguments = try #require(Self.made[c.data])
            let outcome = try await runProgram("plaw-trial", ["synthesize", "--output", file] + arguments)
            try #require(outcome.code == 0)
            try await Self.hold(file, c)
        }
    }

    @Test(
        "the predicted peak memory of real data is within 15 % of the measured one",
        .enabled(if: Paths.realData(real.data) != nil, "PLAW_DATA holds no amazon-beauty.txt"))
    private func peakOfRealData() async throws {
        try await Self.hold(try #require(Paths.realData(Self.real.data)), Self.real)
    }

    private static func hold(_ file: String, _ c: Case) async throws {
        let (predicted, measured) = try await peaks(file, c)
        #expect(
            predicted > 0.85 * measured && predicted < 1.15 * measured,
            "\(c): predicted \(predicted / 1e6) MB, measured \(measured / 1e6) MB")
    }
}
