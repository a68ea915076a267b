import ArgumentParser
import Domain
import Client
import Wire
import Text

/// `plaw report`: everything known of a dataset as one page of HTML.
struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Write everything known of a dataset as one page of HTML.",
        discussion: """
            The page holds facts, entropy, laws with their residuals, the recommendation and the front of quality against \
            cost. It needs nothing from anywhere, follows the reader's light or dark, and can be printed.
            """)

    @Argument(help: "Name of the dataset.") var name: String
    @Option(name: .shortAndLong, help: "File to write. Default: standard output.", completion: .file())
    var output: String?
    @Option(help: "What to maximise. Default: ndcg@10.", transform: Metric.parse) var metric: Metric?
    @Option(help: "Laws of this loss. Default: the best supported ones.") var loss: Loss?
    @OptionGroup var common: Common

    func run() async throws {
        let params = ReportRenderParams(name: name, metric: metric, loss: loss)
        let report = try await common.connected { try await $0.call(ReportRender.self, params) }
        if common.json { return try Console.json(jsonLine(report), to: .output) }
        let file = output ?? "-"
        try OutputFile.write(report.html, to: file)
        if file != "-" { Terminal.note("report of \(report.dataset) written to \(file)") }
    }
}
