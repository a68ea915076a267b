import Domain
import Foundation
import Client
import PlawTesting
import StrictJSON

@testable import Wire

/// Calls one method over a connection of its own.
func call<M: RPCMethod>(_ socket: String, _ method: M.Type, _ params: M.Params) async throws -> M.Result {
    try await PlawClient.withConnection(path: socket) { try await $0.call(method, params) }
}

/// The result of a method as it came over the wire.
func raw(_ socket: String, _ method: String, _ params: JSONValue) async throws -> JSONValue {
    try await PlawClient.withConnection(path: socket) { try await $0.callRaw(method, params) }
}

/// Sends a file through the socket and registers it.
func register(
    _ socket: String, _ name: String, bytes: Data, fileName: String = "data.txt", options: ReadOptions? = nil
) async throws -> DatasetRegisterResult {
    try await PlawClient.withConnection(path: socket) { client in
        let id = try await client.call(DatasetUpload.self, DatasetUploadParams()).uploadId
        var offset = 0
        while offset < bytes.count {
            let piece = bytes[offset..<min(bytes.count, offset + (1 << 20))].base64EncodedString()
            offset = try await client.call(
                DatasetUpload.self, DatasetUploadParams(uploadId: id, offset: offset, data: piece)
            ).received
        }
        return try await client.call(
            DatasetRegister.self,
            DatasetRegisterParams(name: name, uploadId: id, fileName: fileName, options: options))
    }
}

/// Calls `body` with an upload that stays open as long: an upload ends with the connection that began it.
func withUpload<T: Sendable>(
    _ socket: String, _ bytes: Data = Data(), _ body: @escaping @Sendable (_ id: String) async throws -> T
) async throws -> T {
    try await PlawClient.withConnection(path: socket) { client in
        let id = try await client.call(DatasetUpload.self, DatasetUploadParams()).uploadId
        if !bytes.isEmpty {
            _ = try await client.call(
                DatasetUpload.self,
                DatasetUploadParams(uploadId: id, offset: 0, data: bytes.base64EncodedString()))
        }
        return try await body(id)
    }
}

/// Interactions of the seeded generator.
func syntheticFile(users: Int, items: Int, meanLength: Int = 12, seed: Int = 1) async throws -> Data {
    try await withTemporaryFolder { folder in
        let path = folder + "/synthetic.txt"
        let outcome = try await runProgram(
            "plaw-trial",
            [
                "synthesize", "--users", "\(users)", "--items", "\(items)", "--mean-length", "\(meanLength)", "--seed",
                "\(seed)", "--output", path,
            ])
        guard outcome.code == 0 else { throw CocoaError(.fileReadUnknown) }
        return try Data(contentsOf: URL(filePath: path))
    }
}

/// Waits for a job's end.
func end(of job: Int64, _ socket: String) async throws -> Job {
    while true {
        let state = try await call(socket, JobWait.self, JobWaitParams(id: job, timeoutSeconds: 60))
        if state.state.isFinal { return state }
    }
}

/// A state directory with the dataset `demo`, calibrated and fitted; made once, copied for each test.
actor CalibratedState {
    static let shared = CalibratedState()

    private var made: Task<String, any Error>?

    /// Copies the state into `folder`, where `withDaemon` finds it.
    func copy(to folder: String) async throws {
        let making = made ?? Task { try await Self.make() }
        made = making
        try FileManager.default.copyItem(atPath: try await making.value + "/state", toPath: folder + "/state")
    }

    private static func make() async throws -> String {
        let folder = "/tmp/plaw-test-\(getpid())-calibrated"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        atexit { try? FileManager.default.removeItem(atPath: "/tmp/plaw-test-\(getpid())-calibrated") }
        let file = try await syntheticFile(users: 200, items: 120)
        _ = try await withDaemon(in: folder) { daemon async throws in
            _ = try await register(daemon.socket, "demo", bytes: file)
            let started = try await call(
                daemon.socket, CalibrationStart.self,
                CalibrationParams(
                    name: "demo", budgetSeconds: 60, layers: [1, 2, 3], dims: [8, 16, 32], maxEpochs: 15))
            let job = try await end(of: started.job.id, daemon.socket)
            guard job.state == .finished, job.laws.count == 2 else {
                throw DaemonDidNotStart(description: "the calibration of the tests failed: \(job)\n\(daemon.logged)")
            }
        }
        return folder
    }
}

/// Runs `body` beside a daemon on a copy of the calibrated state.
func withCalibratedDaemon<T: Sendable>(
    _ body: @Sendable (DaemonProcess) async throws -> T
) async throws -> T {
    try await withTemporaryFolder { folder in
        try await CalibratedState.shared.copy(to: folder)
        return try await withDaemon(in: folder, body).value
    }
}
