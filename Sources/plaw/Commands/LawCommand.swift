import ArgumentParser
import Domain
import Client
import Wire

/// `plaw law`: the laws of a dataset with parameters, optimum and residuals.
struct LawCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "law", abstract: "Show the laws of a dataset: parameters, optimum, residuals.")

    @Argument(help: "Name of the dataset.") var name: String
    @Option(help: "Only the law of this metric.", transform: Metric.parse) var metric: Metric?
    @Option(help: "Only the laws of this loss.") var loss: Loss?
    @Option(help: "Only the laws of this backbone, or of this model of an import.") var backbone: Model?
    @Option(help: "Only the law with this number.") var law: Int64?
    @Option(help: "Only this family: \(LawFamily.allCases.map(\.rawValue).joined(separator: ", ")).") var family:
        LawFamily?
    @Flag(help: "Also every choice behind the law.") var verbose = false
    @OptionGroup var common: Common

    func run() async throws {
        var params = LawListParams(name: name)
        (params.metric, params.loss, params.backbone) = (metric, loss, backbone)
        (params.family, params.law) = (family, law)
        var laws = try await self.laws(params)
        guard !laws.isEmpty else {
            let known = Set(
                try await self.laws(LawListParams(name: name)).map { "\($0.fit.metric) of \($0.key.model)" })
            let name = name
            let info = try await common.connected { try await $0.call(DatasetGet.self, DatasetName(name: name)) }
            let ways = (info.corpusBytes > 0 ? ["plaw calibrate \(name)"] : []) + ["plaw import \(name) FILE"]
            throw CommandFailure(
                "\"\(name)\" has no "
                    + (known.isEmpty
                        ? "law yet; get one with: \(ways.joined(separator: ", or "))"
                        : "such law; it has laws of \(known.sorted().joined(separator: ", "))"))
        }
        // Laws of one key together, those that leave nothing open first, else the newest first.
        let keys = laws.reduce(into: [LawKey]()) { keys, law in if !keys.contains(law.key) { keys.append(law.key) } }
        let ordered = keys.filter(\.undeclared.isEmpty) + keys.filter { !$0.undeclared.isEmpty }
        laws = ordered.flatMap { key in laws.filter { $0.key == key } }
        try common.show(LawListResult(laws: laws, family: family)) { result in
            if ordered.count > 1 { LawDisplay.printOverview(result.laws) }
            for law in result.laws {
                let display = LawDisplay(law, family: family)
                display.printSummary()
                display.printFamilies()
                display.printPoints()
                if verbose { display.printChecklist() }
            }
        }
    }

    /// All pages of a list.
    private func laws(_ params: LawListParams) async throws -> [Law] {
        try await common.connected { client in
            var (laws, params): ([Law], LawListParams) = ([], params)
            repeat {
                let page = try await client.call(LawList.self, params)
                laws += page.laws
                params.before = page.next
            } while params.before != nil
            return laws
        }
    }
}
