import ArgumentParser
import Wire

/// Limits on the costs of an answer.
struct LimitOptions: ParsableArguments {
    @Option(help: "Most parameters: 500k, 2M.", transform: Count.parse) var maxParams: Count?
    @Option(help: "Most FLOPs of one training to convergence: 1T, 5e12.", transform: Count.parse) var maxFlops: Count?
    @Option(help: "Most memory while training: 200MB, 1GiB.", transform: Bytes.parse) var maxMemory: Bytes?
    @Option(help: "Longest time to rank all items for one user on one core: 5ms.", transform: Seconds.parse)
    var maxLatency: Seconds?
    @Option(help: "Longest training on one core: 10m, 2h.", transform: Seconds.parse) var maxTrainTime: Seconds?

    func set(_ params: inout some BudgetLimits) {
        (params.maxParams, params.maxFlops) = (maxParams?.value, maxFlops?.value)
        params.maxMemoryBytes = maxMemory?.value
        (params.maxLatencySeconds, params.maxTrainSeconds) = (maxLatency?.value, maxTrainTime?.value)
    }
}
