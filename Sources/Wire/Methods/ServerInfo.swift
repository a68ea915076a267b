/// `server.info`: what is running, its limits and its state.
package enum ServerInfo: RPCMethod {
    package typealias Params = NoParams
    package typealias Result = ServerInfoResult
    package static let name = "server.info"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}

/// The state of the daemon.
package struct ServerInfoResult: Codable, Sendable, Hashable {
    package var name: String
    package var version: String
    package var protocolVersion: String
    package var pid: Int
    package var uptimeSeconds: Double
    package var stateDirectory: String
    /// Last migration applied to the store.
    package var schemaVersion: String
    package var maxRequestBytes: Int
    package var maxResponseBytes: Int
    /// Connections served at once; nil from a daemon that does not say.
    package var maxConnections: Int?
    package var datasets: Int
    package var observations: Int
    /// Laws being served, one per dataset, key and metric.
    package var laws: Int
    package var jobsRunning: Int
    /// Trials that may train at once.
    package var workers: Int
    /// What the daemon is doing, in one line.
    package var status: String

    package init(
        name: String, version: String, protocolVersion: String, pid: Int, uptimeSeconds: Double, stateDirectory: String,
        schemaVersion: String, maxRequestBytes: Int, maxResponseBytes: Int, maxConnections: Int? = nil, datasets: Int,
        observations: Int, laws: Int,
        jobsRunning: Int, workers: Int, status: String
    ) {
        self.name = name
        self.version = version
        self.protocolVersion = protocolVersion
        self.pid = pid
        self.uptimeSeconds = uptimeSeconds
        self.stateDirectory = stateDirectory
        self.schemaVersion = schemaVersion
        self.maxRequestBytes = maxRequestBytes
        self.maxResponseBytes = maxResponseBytes
        self.maxConnections = maxConnections
        self.datasets = datasets
        self.observations = observations
        self.laws = laws
        self.jobsRunning = jobsRunning
        self.workers = workers
        self.status = status
    }
}
