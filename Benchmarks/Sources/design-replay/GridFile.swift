import ArgumentParser
import Domain
import Observations
import DesignReplay
import SequentialDesign

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A grid of trainings as `Benchmarks/grid` writes it, in the columns of `plaw import`.
struct GridFile {
    let trainings: [DesignReplay.Training]

    /// Converged trainings on all users.
    ///
    /// - Throws: `ValidationError` for fewer than 4 of them, or a row without parameters.
    init(path: String, metric: Metric, backbone: String?, loss: String?) throws {
        let table = try ObservationTable(
            bytes: Array(Data(contentsOf: URL(filePath: path))), file: path, context: TableContext(dataset: "grid"))
        let rows = table.rows.map(\.observation).filter {
            let c = $0.configuration
            return $0.converged && $0.userFraction >= 1 && $0.metrics[metric.description] != nil
                && (backbone == nil || backbone == c.backbone.value?.rawValue)
                && (loss == nil || loss == c.loss.value?.rawValue)
        }
        trainings = try rows.map { row in
            guard let parameters = row.parameters else {
                throw ValidationError("\(path): found a training without parameters, expected the column for all")
            }
            var measured = row.metrics[metric.description] ?? Measurement(value: 0, standardError: 0)
            if measured.lacksError {
                // Of a hit rate; an upper bound for the others, which are smaller than it.
                measured.standardError = (measured.value * (1 - measured.value) / Double(max(1, row.users)))
                    .squareRoot()
            }
            return DesignReplay.Training(
                layers: row.configuration.layers, dim: row.configuration.dim, seed: row.seed, seconds: row.seconds,
                measured: measured, parameters: Double(parameters))
        }
        guard trainings.count >= 4 else {
            throw ValidationError("\(path): found \(trainings.count) trainings, expected more")
        }
    }
}
