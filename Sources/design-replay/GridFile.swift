import ArgumentParser
import Domain
import SequentialDesign

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A grid of trainings as `Benchmarks/grid` writes it: a header, then a training a line, without quotes.
struct GridFile {
    let trainings: [DesignReplay.Training]

    /// Converged trainings on all users. Errors: `ValidationError` for a missing column or none of them.
    init(path: String, metric: Metric, backbone: String?, loss: String?) throws {
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(whereSeparator: \.isNewline)
        let header = (lines.first ?? "").split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        func column(_ name: String) throws -> Int {
            guard let place = header.firstIndex(of: name) else {
                throw ValidationError("\(path): found no column \(name) in \(header.joined(separator: ","))")
            }
            return place
        }
        let numbers = try ["layers", "dim", "seed", "seconds", "parameters", "users", metric.description].map(column)
        let fraction = header.firstIndex(of: "user_fraction")
        let status = header.firstIndex(of: "status")
        let wanted = [("backbone", backbone), ("loss", loss)].compactMap { name, value in
            value.flatMap { value in header.firstIndex(of: name).map { ($0, value) } }
        }
        var trainings: [DesignReplay.Training] = []
        for line in lines.dropFirst() {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            guard fields.count == header.count else { continue }
            if let status, fields[status] != "converged" { continue }
            if let fraction, Double(fields[fraction]) != 1 { continue }
            if wanted.contains(where: { fields[$0.0] != $0.1 }) { continue }
            let values = numbers.compactMap { Double(fields[$0]) }
            guard values.count == numbers.count else { continue }
            // The standard error of a mean over users: exact for a hit rate, an upper bound for the others, which are smaller than it.
            let value = values[6]
            let error = (value * (1 - value) / max(1, values[5])).squareRoot()
            trainings.append(
                .init(
                    layers: Int(values[0]), dim: Int(values[1]), seed: UInt64(values[2]), seconds: values[3],
                    measured: Measurement(value: value, standardError: error), parameters: values[4]))
        }
        guard trainings.count >= 4 else {
            throw ValidationError("\(path): found \(trainings.count) trainings, expected more")
        }
        self.trainings = trainings
    }
}
