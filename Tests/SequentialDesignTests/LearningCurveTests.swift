import Domain
import Foundation
import SequentialDesign
import Testing

@Suite struct LearningCurveTests {
    /// Rises as training curves do: end - fall e^(-epoch / pace), with a scatter of a thousandth.
    static func curve(_ epochs: Int, end: Double, fall: Double, pace: Double) -> [Double] {
        (1...epochs).map { epoch -> Double in
            let t = Double(epoch)
            return end - fall * exp(-t / pace) + 0.001 * end * sin(7 * t)
        }
    }

    @Test("the end of a curve lies where its forecast says", arguments: [4.0, 7, 12], [0.3, 0.6, 0.9])
    func forecast(pace: Double, fall: Double) throws {
        for epochs in 8...40 {
            let curve = Self.curve(epochs, end: 0.05, fall: 0.05 * fall, pace: pace)
            let forecast = try #require(LearningCurve(curve).forecast)
            let gained = log(0.05 / LearningCurve(curve).best)
            #expect(abs(gained - forecast.gain) < 1.645 * forecast.deviation, "\(epochs) epochs")
        }
    }

    @Test("later says more: what is still to come shrinks, and so does what is not known of it")
    func later() throws {
        let forecasts = try [8, 16, 32, 64].map { epochs in
            try #require(LearningCurve(Self.curve(epochs, end: 0.05, fall: 0.04, pace: 8)).forecast)
        }
        #expect(forecasts.map(\.gain) == forecasts.map(\.gain).sorted(by: >))
        #expect(forecasts.map(\.deviation) == forecasts.map(\.deviation).sorted(by: >))
    }

    @Test("little follows from a curve that is short, and nothing from one that is no better than popularity")
    func nothing() {
        #expect(LearningCurve([]).forecast == nil)
        #expect(LearningCurve([0.01]).forecast?.deviation ?? 0 > 1)
        #expect(!LearningCurve([0.01, 0.011, 0.0112, 0.0113, 0.0113]).isBehind(0.1))
        let plateau = [Double](repeating: 0.0341, count: 30)
        #expect(LearningCurve(plateau, popularity: 0.034).forecast == nil)
        #expect(!LearningCurve(plateau, popularity: 0.034).isBehind(0.1))
        #expect(LearningCurve(plateau).isBehind(0.1))
        #expect(LearningCurve([Double](repeating: 0, count: 30)).forecast == nil)
    }

    @Test("a training is behind where its end is, not where it stands")
    func behind() {
        let rising = LearningCurve(Self.curve(8, end: 0.05, fall: 0.045, pace: 5))
        #expect(rising.best < 0.85 * 0.05)
        #expect(!rising.isBehind(0.05))
        let flat = LearningCurve(Self.curve(20, end: 0.04, fall: 0.035, pace: 3))
        #expect(flat.isBehind(0.05))
        #expect(!flat.isBehind(0.0415))
        #expect(!flat.isBehind(0))
    }
}
