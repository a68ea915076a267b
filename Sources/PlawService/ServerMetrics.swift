internal import Domain
internal import Glibc
internal import Wire
internal import Server
internal import Store
internal import Synchronization

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// What the daemon counts and measures of itself, as values and as Prometheus text; the table is in docs/users/metrics.md.
final class ServerMetrics: Sendable {
    /// A name with its kind and what it says; every one is always exposed, with values or without.
    enum Family: String, CaseIterable {
        case requests = "requests_total"
        case errors = "errors_total"
        case malformed = "malformed_total"
        case requestSeconds = "request_seconds"
        case requestsInFlight = "requests_in_flight"
        case connections
        case connectionsTotal = "connections_total"
        case connectionsLimit = "connections_limit"
        case subscriptions
        case unreadBytes = "unread_bytes"
        case frameBytes = "frame_bytes"
        case datasets
        case observations
        case laws
        case jobs
        case trials
        case trainingTokensPerSecond = "training_tokens_per_second"
        case answersKept = "answers_kept_total"
        case advisorsPrepared = "advisors_prepared_total"
        case workers
        case workerStarts = "worker_starts_total"
        case workerRestarts = "worker_restarts_total"
        case storeBytes = "store_bytes"
        case residentBytes = "resident_bytes"
        case openDescriptors = "open_descriptors"
        case cpuSeconds = "cpu_seconds_total"
        case uptimeSeconds = "uptime_seconds"

        var kind: String {
            if self == .requestSeconds { return "histogram" }
            return rawValue.hasSuffix("_total") ? "counter" : "gauge"
        }

        var help: String {
            switch self {
            case .requests: "Requests begun, by method; names that are no method count as unknown"
            case .errors: "Requests answered with an error, by method"
            case .malformed:
                "Refused before any method saw it, by kind: frame, a forbidden length; json, no JSON; request, no request"
            case .requestSeconds:
                "Time from a request's arrival to its answer, by method and outcome: ok, or the error's word"
            case .requestsInFlight: "Requests in progress"
            case .connections: "Open connections"
            case .connectionsTotal: "Connections accepted"
            case .connectionsLimit: "Connections served at once at most"
            case .subscriptions: "Jobs that peers follow"
            case .unreadBytes: "Bytes of answers that peers have not read"
            case .frameBytes: "Bytes of large frames that are being received or worked on"
            case .datasets: "Datasets stored"
            case .observations: "Observations stored"
            case .laws: "Laws being served"
            case .jobs: "Jobs stored, by state; queued is the length of the queue"
            case .trials: "Trials stored, by state"
            case .trainingTokensPerSecond: "Training positions a second, over all trials in training"
            case .answersKept: "Answers given again as they were kept, since nothing they rest on had changed"
            case .advisorsPrepared: "Advisors prepared, since nothing was or what they rest on had changed"
            case .workers: "Worker processes that run"
            case .workerStarts: "Worker processes started for trials"
            case .workerRestarts: "Of them, those that went on with a trial that had had one"
            case .storeBytes: "Size of the database, and of its write-ahead log"
            case .residentBytes: "Resident memory of the daemon"
            case .openDescriptors: "Open descriptors of the daemon"
            case .cpuSeconds: "Processor time of the daemon, without its workers"
            case .uptimeSeconds: "Time since the start of the daemon"
            }
        }
    }

    /// What the rest of the daemon adds to what the server counts.
    struct Facts: Sendable {
        var store: Store.Statistics
        var tokensPerSecond: Double
        var workers: (running: Int, starts: Int, restarts: Int)
        var databasePath: String
        var answersKept: Int
        var advisorsPrepared: Int
        var uptimeSeconds: Double
    }

    private let state = Mutex<ServerState?>(nil)

    func attach(_ server: ServerState) { state.withLock { $0 = server } }

    func result(_ facts: Facts) -> MetricsGetResult {
        let server = state.withLock { $0 }
        var values = server?.counters ?? [:]
        for (name, value) in Self.values(facts) { values[name] = value }
        var buckets: [(name: String, value: Double)] = []
        for (kind, times) in (server?.times ?? [:]).sorted(by: { $0.key < $1.key }) {
            let labels = "method=\"\(kind.method)\",outcome=\"\(kind.outcome)\""
            var sum = 0
            for (count, bound) in zip(times.counts, RequestTimes.bounds.map { "\($0)" } + ["+Inf"]) {
                sum += count
                buckets.append(("request_seconds_bucket{\(labels),le=\"\(bound)\"}", Double(sum)))
            }
            values["request_seconds_count{\(labels)}"] = Double(sum)
            values["request_seconds_sum{\(labels)}"] = times.seconds
        }
        return MetricsGetResult(counters: values, text: Self.text(values, buckets))
    }

    private static func values(_ facts: Facts) -> [String: Double] {
        var values: [String: Double] = [
            "datasets": Double(facts.store.counts.datasets), "observations": Double(facts.store.counts.observations),
            "laws": Double(facts.store.counts.laws), "training_tokens_per_second": facts.tokensPerSecond,
            "workers": Double(facts.workers.running), "worker_starts_total": Double(facts.workers.starts),
            "worker_restarts_total": Double(facts.workers.restarts), "uptime_seconds": facts.uptimeSeconds,
            "answers_kept_total": Double(facts.answersKept),
            "advisors_prepared_total": Double(facts.advisorsPrepared),
            "resident_bytes": Double(residentBytes()), "open_descriptors": Double(openDescriptors()),
            "cpu_seconds_total": cpuSeconds(),
            "store_bytes{file=\"database\"}": Double(size(facts.databasePath)),
            "store_bytes{file=\"log\"}": Double(size(facts.databasePath + "-wal")),
        ]
        for state in JobState.allCases {
            values["jobs{state=\"\(state.rawValue)\"}"] = Double(facts.store.jobs[state.rawValue] ?? 0)
        }
        for state in TrialStatus.allCases {
            values["trials{state=\"\(state.rawValue)\"}"] = Double(facts.store.trials[state.rawValue] ?? 0)
        }
        return values
    }

    /// Families in the order of their table, the values of each by their labels, classes of a histogram before its sum.
    private static func text(_ values: [String: Double], _ buckets: [(name: String, value: Double)]) -> String {
        func family(_ name: String) -> String { String(name.prefix { $0 != "{" }) }
        let grouped = Dictionary(grouping: values.sorted { $0.key < $1.key }, by: { family($0.key) })
        var text = ""
        for one in Family.allCases {
            text += "# HELP plawd_\(one.rawValue) \(one.help)\n# TYPE plawd_\(one.rawValue) \(one.kind)\n"
            var lines = (grouped[one.rawValue] ?? []).map { ($0.key, $0.value) }
            if one == .requestSeconds {
                lines = buckets.map { ($0.name, $0.value) }
                for suffix in ["_count", "_sum"] {
                    lines += (grouped[one.rawValue + suffix] ?? []).map { ($0.key, $0.value) }
                }
            }
            for (name, value) in lines { text += "plawd_\(name) \(value)\n" }
        }
        return text
    }

    // MARK: - Of the process

    private static func residentBytes() -> Int {
        // The second number of the line is in pages.
        guard let line = FileManager.default.contents(atPath: "/proc/self/statm") else { return 0 }
        let fields = String(decoding: line, as: UTF8.self).split(separator: " ")
        return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * Int(getpagesize())
    }

    private static func openDescriptors() -> Int {
        // One is that of the folder itself.
        max(0, ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count ?? 1) - 1)
    }

    private static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    private static func size(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
}
