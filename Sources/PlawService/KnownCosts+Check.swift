internal import Costs
internal import Domain
internal import StrictJSON
internal import Wire

extension KnownCosts {
    /// Refuses limits on what is not known.
    func check(_ budget: Budget, dataset: String) throws {
        for currency in Currency.allCases where budget[currency] != nil { try check(currency, dataset: dataset) }
    }

    func check(_ currency: Currency, dataset: String) throws {
        guard let reason = unknown[currency] else { return }
        throw RPCError(
            .lawUnknown, "the \(currency.words) of \"\(dataset)\" cannot be told: \(reason)",
            ["currency": .string(currency.rawValue), "dataset": .string(dataset)])
    }
}
