import ArgumentParser
import Domain
import Wire

/// `plaw what-if`: the best configuration before and after a change.
struct WhatIf: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "what-if",
        abstract: "Compare the best configuration before and after a change of data, latency or length.")

    @Argument(help: "Name of the dataset.") var name: String
    @Option(help: "Factor of the number of users.", transform: Number.parse) var usersX: Number?
    @Option(help: "Factor of the interactions of each user.", transform: Number.parse) var interactionsX: Number?
    @Option(help: "Factor of the latency that the best configuration has now: 0.5.", transform: Number.parse)
    var latencyX: Number?
    @Option(help: "Another maximum length; there must be a law of it.") var maxLength: Int?
    @OptionGroup var limits: LimitOptions
    @Option(help: "What to maximise. Default: ndcg@10.", transform: Metric.parse) var metric: Metric?
    @Option(help: "Laws of this loss. Default: the best supported ones.") var loss: Loss?
    @Flag(help: "Answer also more than 2 e-folds outside the observations.") var force = false
    @Option(help: "Ask the key of this law alone, by its number in plaw law.") var law: Int64?
    @Option(help: "Only these numbers of layers: 2,4,8, 2..8, 2..16:2.", transform: Choices.parse) var layers: Choices?
    @Option(help: "Only these dimensions: 64,128, 16..256:16.", transform: Choices.parse) var dims: Choices?
    @OptionGroup var verbosity: Verbosity
    @OptionGroup var common: Common

    func validate() throws {
        if usersX == nil, interactionsX == nil, latencyX == nil, maxLength == nil {
            throw ValidationError("give a change: --users-x, --interactions-x, --latency-x or --max-length")
        }
    }

    func run() async throws {
        var params = AdvisorWhatIfParams(name: name)
        (params.usersX, params.interactionsX) = (usersX?.value, interactionsX?.value)
        (params.latencyX, params.maxLength) = (latencyX?.value, maxLength)
        limits.set(&params)
        (params.metric, params.loss, params.law) = (metric, loss, law)
        (params.layers, params.dims) = (layers?.values, dims?.values)
        params.force = force ? true : nil
        try await common.show(AdvisorWhatIf.self, params) { answer in
            func show(_ name: String, _ candidate: Candidate, _ grade: ExtrapolationGrade, _ tokens: Int?) {
                let data = tokens.map { ": \(Format.count(Double($0))) tokens" } ?? ""
                Terminal.print(name + data + (grade == .inside ? "" : " (extrapolation: \(grade.rawValue))"))
                CandidateDisplay.printTable([candidate], indent: "  ")
            }
            show("before", answer.before, answer.beforeGrade, answer.tokensBefore)
            show("after", answer.after, answer.grade, answer.tokensAfter)
            Terminal.print(
                "\(answer.metric) changes by \(Format.quality(answer.gain)) "
                    + "(\(answer.interval.map { "90 % \(Format.interval($0))" } ?? "interval unknown"))")
            CandidateDisplay.printWarnings(answer.warnings, verbosity)
        }
    }
}
