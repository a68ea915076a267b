import ArgumentParser
import Costs
import Domain
import Interactions
import Transformer
import Trials

/// What the models of specifications cost, before they are trained.
struct Describe: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the parameters, FLOPs and memory of each specification's model as a line of JSON.")

    @Argument(help: "Specifications of trials.", completion: .file(extensions: ["json"])) var specs: [String]

    func run() throws {
        for path in specs {
            do { try describe(path) } catch let error as TrialFileError {
                printError("\(error)")
                throw ExitCode(WorkerStatus.refused)
            }
        }
    }

    private func describe(_ path: String) throws {
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        let files = TrialDirectory(path: folder.isEmpty ? "." : folder)
        let spec = try files.readCoreSpec(at: path)
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

extension TrialDirectory {
    /// Reads a specification of a model that the core can train.
    ///
    /// - Throws: `TrialFileError`.
    func readCoreSpec(at path: String? = nil) throws -> TrialSpec {
        let spec = try path.map { try readSpec(at: $0) } ?? readSpec()
        if let problem = spec.configuration.problem { throw TrialFileError(file: path ?? specPath, problem) }
        return spec
    }
}
