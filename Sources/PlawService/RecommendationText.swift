internal import Domain
internal import Synchronization

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Recommendations as JSON, letter by letter as the encoder writes them: the texts of configurations, costs and predictions are encoded once
/// and put together.
final class RecommendationText: Sendable {
    /// What never changes of a candidate, in the order of its members.
    private struct Parts {
        /// Of laws of two keys candidates may be equal in their configuration and in nothing else.
        var candidate: Candidate
        var configuration: String
        var cost: String
        var interval: String
        var predicted: String
    }

    private let known = Mutex<[Configuration: Parts]>([:])

    /// When there are more, all are forgotten, and those that are still named come again.
    private static let most = 2_000

    /// About what it takes.
    var bytes: Int { known.withLock { $0.count } * 1_200 }

    func text(_ answer: Recommendation) throws -> Data {
        var text = "{"
        if let trained = answer.bestTrained {
            text += "\"bestTrained\":"
            try add(trained, to: &text)
            text += ","
        }
        text += "\"cheapest\":"
        try add(answer.cheapest, to: &text)
        let own = try parts(
            Candidate(
                configuration: answer.configuration, predicted: answer.predicted, interval: answer.interval,
                cost: answer.cost))
        text += ",\"configuration\":\(own.configuration),\"cost\":\(own.cost),\"dataset\":"
        try Self.add(answer.dataset, to: &text)
        text += ",\"expectedRegret\":"
        Self.add(answer.expectedRegret, to: &text)
        text += ",\"grade\":\"\(answer.grade.rawValue)\",\"indistinguishable\":"
        try add(answer.indistinguishable, to: &text)
        text += ",\"interval\":\(own.interval),\"laws\":{"
        for (number, law) in answer.laws.sorted(by: { $0.key < $1.key }).enumerated() {
            text += "\(number > 0 ? "," : "")\"\(law.key)\":\(law.value)"
        }
        text += "},\"metric\":\"\(answer.metric.description)\",\"predicted\":\(own.predicted),\"reasons\":["
        for (number, reason) in answer.reasons.enumerated() {
            if number > 0 { text += "," }
            try Self.add(reason, to: &text)
        }
        text += "]"
        if let regret = answer.regretBeyond {
            text += ",\"regretBeyond\":"
            Self.add(regret, to: &text)
        }
        text += ",\"runnersUp\":"
        try add(answer.runnersUp, to: &text)
        text += ",\"warnings\":["
        for (number, warning) in answer.warnings.enumerated() {
            text += number > 0 ? ",{\"code\":" : "{\"code\":"
            try Self.add(warning.code, to: &text)
            text += ",\"message\":"
            try Self.add(warning.message, to: &text)
            text += "}"
        }
        text += "]}"
        return Data(text.utf8)
    }

    private func add(_ candidates: [Candidate], to text: inout String) throws {
        text += "["
        for (number, candidate) in candidates.enumerated() {
            if number > 0 { text += "," }
            try add(candidate, to: &text)
        }
        text += "]"
    }

    private func add(_ candidate: Candidate, to text: inout String) throws {
        let parts = try parts(candidate)
        text += "{\"configuration\":"
        text += parts.configuration
        text += ",\"cost\":"
        text += parts.cost
        if let regret = candidate.expectedRegret {
            text += ",\"expectedRegret\":"
            Self.add(regret, to: &text)
        }
        text += ",\"interval\":"
        text += parts.interval
        text += ",\"predicted\":"
        text += parts.predicted
        text += ",\"trained\":\(candidate.trained)}"
    }

    private func parts(_ candidate: Candidate) throws -> Parts {
        if let parts = known.withLock({ $0[candidate.configuration] }),
            parts.candidate.predicted == candidate.predicted,
            parts.candidate.interval == candidate.interval, parts.candidate.cost == candidate.cost
        {
            return parts
        }
        let parts = Parts(
            candidate: candidate, configuration: try Self.encoded(candidate.configuration),
            cost: try Self.encoded(candidate.cost),
            interval: try Self.encoded(candidate.interval), predicted: try Self.encoded(candidate.predicted))
        known.withLock { known in
            if known.count >= Self.most { known.removeAll() }
            known[candidate.configuration] = parts
        }
        return parts
    }

    private static func encoded(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// As the encoder writes it: the shortest text that reads as the same number, without the ending of a whole one.
    private static func add(_ number: Double, to text: inout String) {
        let digits = number.description
        text += digits.hasSuffix(".0") ? String(digits.dropLast(2)) : digits
    }

    /// Plain text stands for itself; the encoder sees to the rest.
    private static func add(_ string: String, to text: inout String) throws {
        let isPlain = string.utf8.allSatisfy {
            $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") && $0 != 0x7f
        }
        if isPlain {
            text += "\""
            text += string
            text += "\""
        } else {
            text += try encoded(string)
        }
    }
}
