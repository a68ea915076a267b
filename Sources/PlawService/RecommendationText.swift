internal import Advisor
internal import Costs
internal import Domain

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Recommendations of one advisor as JSON, letter by letter as the encoder writes them: the texts of configurations, costs and predictions
/// are encoded once and put together.
final class RecommendationText: Sendable {
    /// What never changes of a candidate, each a member with its name, in the order of members.
    private final class Parts: Sendable {
        let configurationAndCost: [UInt8]
        let interval: [UInt8]
        let predicted: [UInt8]
        let trained: [UInt8]

        init(_ candidate: Candidate) throws {
            configurationAndCost =
                try Array("\"configuration\":".utf8) + encoded(candidate.configuration)
                + Array(",\"cost\":".utf8) + encoded(candidate.cost)
            interval = try Array(",\"interval\":".utf8) + encoded(candidate.interval)
            predicted = try Array(",\"predicted\":".utf8) + encoded(candidate.predicted)
            trained = Array(",\"trained\":\(candidate.trained)}".utf8)
        }
    }

    /// By the advisor's number of each.
    private let known = Memo<Int, Parts>(most: 2_000)

    /// About what it takes.
    var bytes: Int { known.count * 1_200 }

    /// - Parameter costs: takes out what is not known.
    func text(_ answer: Finding, _ costs: KnownCosts) throws -> [UInt8] {
        let own = try parts(answer.best, costs)
        var text: [UInt8] = []
        text.reserveCapacity(1_024 + 600 * (3 + answer.indistinguishable.count + answer.runnersUp.count))
        func add(_ named: Finding.Named) throws {
            let parts = try parts(named.said, costs)
            text.append(UInt8(ascii: "{"))
            text += parts.configurationAndCost
            add(",\"expectedRegret\":")
            try add(named.expectedRegret)
            text += parts.interval
            text += parts.predicted
            text += parts.trained
        }
        func add(_ candidates: [Finding.Named]) throws { try addList(candidates) { try add($0) } }
        func addList<T>(_ values: [T], _ one: (T) throws -> Void) rethrows {
            text.append(UInt8(ascii: "["))
            for (number, value) in values.enumerated() {
                if number > 0 { text.append(UInt8(ascii: ",")) }
                try one(value)
            }
            text.append(UInt8(ascii: "]"))
        }
        func add(_ plain: String) { text.append(contentsOf: plain.utf8) }
        /// As the encoder writes it: the shortest text that reads as the same number, without the ending of a whole one.
        func add(_ number: Double) throws {
            guard number.isFinite else {
                throw EncodingError.invalidValue(
                    number, .init(codingPath: [], debugDescription: "no JSON has \(number)"))
            }
            add(number.description)
            if text.suffix(2).elementsEqual(".0".utf8) { text.removeLast(2) }
        }
        /// Plain text stands for itself; the encoder sees to the rest.
        func addQuoted(_ string: String) throws {
            let isPlain = string.utf8.allSatisfy {
                $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") && $0 != 0x7f
            }
            guard isPlain else { return text += try encoded(string) }
            text.append(UInt8(ascii: "\""))
            add(string)
            text.append(UInt8(ascii: "\""))
        }
        add("{")
        if let trained = answer.bestTrained {
            add("\"bestTrained\":")
            try add(trained)
            add(",")
        }
        add("\"cheapest\":")
        try add(answer.cheapest)
        add(",")
        text += own.configurationAndCost
        add(",\"dataset\":")
        try addQuoted(answer.dataset)
        add(",\"expectedRegret\":")
        try add(answer.expectedRegret)
        add(",\"grade\":\"\(answer.grade.rawValue)\",\"indistinguishable\":")
        try add(answer.indistinguishable)
        text += own.interval
        add(",\"laws\":{")
        for (number, law) in answer.laws.sorted(by: { $0.key < $1.key }).enumerated() {
            add("\(number > 0 ? "," : "")\"\(law.key)\":\(law.value)")
        }
        add("},\"metric\":\"\(answer.metric.description)\"")
        text += own.predicted
        add(",\"reasons\":")
        try addList(answer.reasons, addQuoted)
        if let regret = answer.regretBeyond {
            add(",\"regretBeyond\":")
            try add(regret)
        }
        add(",\"runnersUp\":")
        try add(answer.runnersUp)
        add(",\"warnings\":")
        try addList(answer.warnings) { warning in
            add("{\"code\":")
            try addQuoted(warning.code)
            if let command = warning.command {
                add(",\"command\":")
                try addQuoted(command)
            }
            add(",\"message\":")
            try addQuoted(warning.message)
            add("}")
        }
        add("}")
        return text
    }

    private func parts(_ said: Finding.Evaluated, _ costs: KnownCosts) throws -> Parts {
        try known(said.number) { try Parts(costs.known(said.candidate)) }
    }
}

private func encoded(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
    return Array(try encoder.encode(value))
}
