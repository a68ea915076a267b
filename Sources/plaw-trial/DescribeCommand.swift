import ArgumentParser
import Costs
import Domain
import Interactions
import Transformer
import Trials

/// What the model of a specification costs, before it is trained.
struct Describe: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the parameters, FLOPs and memory of a specification's model as a line of JSON.")

    @Argument(help: "Specification of a trial.", completion: .file(extensions: ["json"])) var spec: String

    func run() throws {
        let folder = spec.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        let files = TrialDirectory(path: folder.isEmpty ? "." : folder)
        let spec = try files.readSpec(at: spec)
        let corpus = try Corpus(path: files.corpusPath(spec))
        let (c, options) = (spec.configuration, spec.options)
        let facts = DatasetFacts(
            Histories(
                lengths: (0..<corpus.userCount).lazy.map { corpus.length(of: $0) }, maxLength: c.maxLength,
                batchUsers: options.batchUsers), items: corpus.itemCount, apen: 1)
        let data = TrainingData(corpus, maxLength: c.maxLength, userFraction: spec.userFraction)
        printLine(
            try json(
                RunnerDescription(
                    parameters: CostModel.parameters(c, items: corpus.itemCount),
                    flopsPerToken: CostModel.trainingFlopsPerToken(c, facts: facts, negatives: options.negatives),
                    memoryBytes: Double(MemoryUse.predictedBytes(c, data: data, options: options)),
                    checkpoint: true)))
    }
}
