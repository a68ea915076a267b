import Domain
import Foundation
import Wire
import Reports
import Testing

#if canImport(FoundationXML)
import FoundationXML
#endif

/// What an XML parser makes of a page: its text, and how often each element occurs.
final class Page: NSObject, XMLParserDelegate {
    private(set) var text = ""
    private(set) var elements: [String: Int] = [:]
    private(set) var attributes: [(element: String, name: String, value: String)] = []

    /// Nil where the page is not well-formed.
    static func read(_ html: String) -> Page? {
        // The document type of HTML names no file; a parser of XML does not know it.
        let body = html.hasPrefix("<!DOCTYPE html>\n") ? String(html.dropFirst(16)) : html
        let parser = XMLParser(data: Data(body.utf8))
        let page = Page()
        parser.delegate = page
        return parser.parse() ? page : nil
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes values: [String: String]
    ) {
        elements[name, default: 0] += 1
        for (key, value) in values { attributes.append((name, key, value)) }
    }
}

@Suite struct ReportTests {
    @Test(
        "a map shows all levels while they are few, and twelve spread over them when they are many", arguments: 1...60)
    func levels(count: Int) {
        let observed = (1...count).map { 3 * $0 }
        let shown = Report.Grid.levels(observed + observed.reversed(), chosen: observed[count / 2])
        #expect(shown == shown.sorted() && Set(shown).count == shown.count)
        #expect(Set(shown).isSubset(of: observed) && shown.contains(observed[count / 2]))
        #expect(shown.first == observed.first && shown.last == observed.last)
        if count <= 16 {
            #expect(shown == observed)
        } else {
            #expect(shown.count == 12 || shown.count == 13)
            let gaps = zip(shown, shown.dropFirst()).map { ($1 - $0) / 3 }
            #expect((gaps.max() ?? 0) <= (count + 9) / 11 + 1)
        }
        #expect(Report.Grid.levels(observed, chosen: 1).first == 1)
    }

    static let hostile = "</title><script>alert('x')</script>\"&amp;\u{1}\u{7}<img src=x onerror='1'>"

    static func report(_ name: String = "books", text: String = "leave-two-out") -> Report {
        let key = LawKey(
            datasetVersion: .said("v"), filter: .unsaid, split: .said(text), mask: .said(.full),
            candidates: .said(text), backbone: .said(.sasrec), loss: .said(.core(.cce)),
            negatives: .said(0),
            maxLength: .said(50), policy: TrainingPolicy(text), codeVersion: .said("1"))
        let observations = (0..<9).map { number -> Observation in
            Observation(
                id: Int64(number + 1), dataset: name, key: key,
                configuration: DeclaredConfiguration(
                    Configuration(layers: [1, 2, 4][number % 3], dim: [16, 32, 64][number / 3])),
                tokens: .said(900), apen: .said(3), userFraction: 1, seed: 1, users: 99,
                metrics: ["ndcg@10": Measurement(value: 0.03 + 0.001 * Double(number), standardError: 0.001)],
                epochs: 4,
                seconds: 2, converged: true, job: nil, trial: nil, source: text)
        }
        let score = FoldScore(relativeError: 0.0123, deviation: 0.001, logDensity: nil, points: 4)
        let family = FamilyFit(
            family: .performanceLaw, metric: Metric(.ndcg, 10), form: text, parameters: ["p": 0.5, "w1": 0.0123],
            intervals: [:], names: ["level"], identified: ["level"], rank: 2, conditionNumber: 10, r2: 0.8765,
            adjustedR2: nil, degreesOfFreedom: 4, residualDeviation: 0.002, optimum: .init(layers: nil, dim: 63.9),
            axes: [:],
            crossValidation: .init(leaveOneOut: score, leaveLargestOut: score, leaveLargestOutAlone: nil, weight: 1),
            process: .init(parameters: [], amplitude: 0, length: 1, noiseFactor: 1))
        let fit = LawFit(
            metric: Metric(.ndcg, 10), family: "performance-law", leading: .performanceLaw, fits: [family],
            noise: .init(evaluation: 0.001, correlation: nil, training: 0.001, replicates: 0),
            points: observations.map { o in
                let value = o.metrics["ndcg@10"]?.value ?? 0
                return LawFit.Point(
                    observation: o.id, layers: o.configuration.layers, dim: o.configuration.dim, effectiveTokens: 300,
                    observed: value, fitted: value + 0.0005, residual: -0.0005, weight: 1)
            }, places: [], nearestNeighbour: score, layersRange: [1, 4], dimRange: [16, 64],
            effectiveTokensRange: [300, 300], fixedP: nil, choices: ["form": text])
        func candidate(_ layers: Int, _ dim: Int, _ parameters: Double) -> Candidate {
            Candidate(
                configuration: DeclaredConfiguration(Configuration(layers: layers, dim: dim)),
                predicted: ["ndcg@10": 0.0377],
                interval: ["ndcg@10": Interval(low: 0.0311, high: 0.0444)],
                cost: Cost(
                    parameters: parameters, embeddingParameters: parameters / 2, trainingFlops: .infinity,
                    trainingFlopsPerToken: .infinity, inferenceFlopsPerToken: .infinity, inferenceFlops: .infinity,
                    latencySeconds: .infinity, latencyP95Seconds: nil, memoryBytes: .infinity,
                    trainingSeconds: .infinity))
        }
        let answer = Recommendation(
            dataset: name, metric: Metric(.ndcg, 10), best: candidate(2, 32, 123_456), expectedRegret: 0.001,
            grade: .inside, reasons: [text], cheapest: candidate(1, 16, 9_876), indistinguishable: [],
            runnersUp: [candidate(1, 16, 9_876)], bestTrained: nil,
            warnings: [Warning(code: "undeclared", message: text)], laws: ["ndcg@10": 7])
        return Report(
            dataset: DatasetInfo(
                name: name, version: "", createdAt: "2026-01-02T03:04:05Z", fileName: text, decision: nil,
                options: ReadOptions(), users: 4_321, items: nil, interactions: nil, statistics: nil, mask: nil,
                entropy: nil, corpusBytes: 0), createdAt: "2026-01-02T03:04:06Z", observations: observations,
            laws: [Law(id: 7, dataset: name, key: key, createdAt: "2026-01-02T03:04:05Z", fit: fit)],
            recommendation: answer,
            grid: .init(
                metric: "ndcg@10", layers: [1, 2, 4], dims: [16, 32, 64],
                values: [[0.031, 0.032, 0.033], [0.034, 0.0377, 0.036], [0.033, .infinity, 0.035]]),
            front: AdvisorParetoResult(
                dataset: name, metric: Metric(.ndcg, 10), currency: "parameters",
                points: [candidate(1, 16, 9_876), candidate(2, 32, 123_456)], warnings: [], laws: [:]))
    }

    @Test("is well-formed, refers to nothing outside, and holds the numbers")
    func content() throws {
        let page = try #require(Page.read(Self.report().html))
        for number in [
            "2 layers, dim 32", "0.0377", "0.0311 to 0.0444", "123,456", "4,321", "unknown", "0.8765", "w1 = 0.01230",
            "d* = 63.90", "undeclared", "law 7",
        ] {
            #expect(page.text.contains(number), "\(number)")
        }
        // Front, two axes, residuals, map.
        #expect(page.elements["svg"] == 5)
        // Nine points a plot of an axis, nine residuals, the recommended one.
        #expect(page.elements["circle"] == 28)
        // One cell of the map says nothing.
        #expect(page.elements["rect"] == 8)
        #expect(page.elements["script"] == nil && page.elements["link"] == nil && page.elements["img"] == nil)
        #expect(!page.attributes.contains { ["href", "src", "style", "onload"].contains($0.name) })
        let html = Self.report().html
        #expect(!html.contains("url(") && !html.contains("@import"))
        #expect(html.contains("prefers-color-scheme: dark") && html.contains("@media print"))
    }

    @Test("text from outside stays text, wherever it stands")
    func escaping() throws {
        let html = Self.report(Self.hostile, text: Self.hostile).html
        #expect(!html.contains("<script") && !html.contains("<img"))
        let page = try #require(Page.read(html))
        #expect(page.elements["script"] == nil && page.elements["img"] == nil)
        // What no XML can hold is shown as such; all else is as it was.
        let shown = Self.hostile.replacing("\u{1}", with: "\u{FFFD}").replacing("\u{7}", with: "\u{FFFD}")
        #expect(page.text.components(separatedBy: shown).count > 6)
    }

    @Test("without laws the page says why, and is well-formed still")
    func bare() throws {
        var report = Self.report()
        (report.laws, report.observations, report.recommendation) = ([], [], nil)
        (report.grid, report.front, report.refusal) = (nil, nil, "\"books\" has no law")
        let page = try #require(Page.read(report.html))
        #expect(page.text.contains("\"books\" has no law"))
        #expect(page.elements["svg"] == nil)
    }

    @Test("a plot shows every point an axis can show, in order, with ticks inside")
    func plots() throws {
        let series = PlotSeries("a", .lineAndDots, [(1, 0.1), (10, 0.2), (100, 0.4), (-1, 0.3), (5, .nan)])
        let text = plot([series], x: PlotAxis("x", isLogarithmic: true), y: PlotAxis("y & z")).text
        let page = try #require(Page.read(text))
        #expect(page.elements["circle"] == 3)
        let places = page.attributes.filter { $0.element == "circle" && $0.name == "cx" }.compactMap {
            Double($0.value)
        }
        // A logarithmic axis: equal factors are equal distances.
        #expect(places.count == 3 && abs((places[1] - places[0]) - (places[2] - places[1])) < 0.2)
        let heights = page.attributes.filter { $0.element == "circle" && $0.name == "cy" }.compactMap {
            Double($0.value)
        }
        #expect(abs((heights[1] - heights[2]) - 2 * (heights[0] - heights[1])) < 0.3)
        #expect(page.text.contains("y & z") && page.text.contains("100"))
        for nothing in [[], [PlotSeries("a", .dots, [(0, 1)])], [PlotSeries("a", .dots, [(.nan, .nan)])]] {
            #expect(
                plot(nothing, x: PlotAxis("x", isLogarithmic: true), y: PlotAxis("y")).text.contains("nothing to plot"))
        }
        // One point, equal points and huge values have axes too.
        for points in [[(3.0, 4.0)], [(3, 4), (3, 4)], [(0, 0)], [(1e300, 1e-300), (-1e300, 0)]] {
            let text = plot(
                [PlotSeries("a", .line, points.map { (x: $0.0, y: $0.1) })], x: PlotAxis("x"), y: PlotAxis("y")
            ).text
            let page = try #require(Page.read(text))
            let values = page.attributes.filter { ["cx", "cy", "x", "y", "points"].contains($0.name) }.map(\.value)
            #expect(!values.contains { $0.contains("nan") || $0.contains("inf") })
        }
    }
}
