import Domain
import Foundation
import Glibc
import Client
import PlawTesting
import Testing

@testable import Wire

/// What happens to the state of a running daemon behind its back, and what peers leave in it.
@Suite(.serialized) struct StateWallTests {
    @Test("a corpus that is damaged, cut or exchanged under a running daemon is an error of the request")
    func corpora() async throws {
        let file = try await syntheticFile(users: 200, items: 100)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "books", bytes: file)
                let corpora = daemon.state + "/corpora"
                let path = corpora + "/" + (try FileManager.default.contentsOfDirectory(atPath: corpora).first ?? "")
                let whole = try Data(contentsOf: URL(filePath: path))
                func entropy(_ length: Int) async -> String? {
                    do {
                        _ = try await call(
                            daemon.socket, DatasetEntropy.self, DatasetEntropyParams(name: "books", maxLength: length))
                        return nil
                    } catch {
                        return (error as? RPCError)?.message ?? "\(error)"
                    }
                }
                #expect(await entropy(10) == nil)
                var damaged = whole
                // In the item numbers, to another item that there is.
                damaged[whole.count / 3] ^= 1
                for (number, bytes) in [
                    damaged, whole.prefix(whole.count / 2), Data(), whole.dropLast(64) + Data(count: 64),
                ]
                .enumerated() {
                    try Data(bytes).write(to: URL(filePath: path))
                    let (message, plan) = (
                        await entropy(20 + number),
                        await #expect(throws: RPCError.self) {
                            try await call(
                                daemon.socket, CalibrationPlan.self, CalibrationParams(name: "books", budgetSeconds: 60)
                            )
                        }
                    )
                    #expect(
                        message?.contains("corpus") == true || message?.contains("found") == true,
                        "\(number): \(message ?? "-")")
                    #expect(plan?.reason == "store-failed", "\(number): \(String(describing: plan))")
                }
                try whole.write(to: URL(filePath: path))
                #expect(await entropy(30) == nil)
                // While one is asked for again and again the file is cut and put back.
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        for _ in 0..<100 {
                            truncate(path, 200)
                            try await Task.sleep(for: .milliseconds(2))
                            try whole.write(to: URL(filePath: path))
                            try await Task.sleep(for: .milliseconds(5))
                        }
                    }
                    for worker in 0..<4 {
                        group.addTask { for number in 0..<60 { _ = await entropy(100 + worker * 60 + number) } }
                    }
                    try await group.waitForAll()
                }
                #expect(await entropy(40) == nil)
            }
        }
    }

    @Test("a database that was removed or replaced takes no more writes")
    func database() async throws {
        let file = try await syntheticFile(users: 200, items: 100)
        for isReplaced in [false, true] {
            try await withTemporaryFolder { folder in
                _ = try await withDaemon(in: folder) { daemon async throws in
                    _ = try await register(daemon.socket, "books", bytes: file)
                    let path = daemon.state + "/plawd.sqlite"
                    try FileManager.default.moveItem(atPath: path, toPath: path + ".moved")
                    if isReplaced { try FileManager.default.copyItem(atPath: path + ".moved", toPath: path) }
                    let refusal = await #expect(throws: RPCError.self) {
                        _ = try await register(daemon.socket, "more", bytes: file)
                    }
                    #expect(refusal?.reason == "store-failed")
                    #expect(refusal?.message.contains(isReplaced ? "was replaced" : "was removed") == true)
                    // It comes back where it was.
                    try? FileManager.default.removeItem(atPath: path)
                    try FileManager.default.moveItem(atPath: path + ".moved", toPath: path)
                    _ = try await register(daemon.socket, "more", bytes: file)
                }
            }
        }
    }

    @Test("a state directory that was moved goes on with its jobs")
    func moved() async throws {
        let file = try await syntheticFile(users: 300, items: 150)
        try await withTemporaryFolder { folder in
            let job = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "books", bytes: file)
                let job = try await call(
                    daemon.socket, CalibrationStart.self,
                    CalibrationParams(name: "books", budgetSeconds: 60, layers: [1, 2], dims: [16, 32], maxEpochs: 60)
                ).job.id
                #expect(
                    try await waitUntil {
                        try await call(daemon.socket, JobGet.self, JobID(id: job)).trials?.contains {
                            $0.state == .running
                        } == true
                    })
                return job
            }.value
            let other = folder + "/elsewhere"
            try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
            try FileManager.default.moveItem(atPath: folder + "/state", toPath: other + "/state")
            _ = try await withDaemon(in: other) { daemon async throws in
                let ended = try await end(of: job, daemon.socket)
                #expect(ended.state == .finished && ended.finishedTrials >= 4, "\(ended)")
                #expect(!ended.laws.isEmpty)
            }
        }
    }

    @Test(
        "what an upload leaves goes with its connection, and a name that cannot be had is refused before the first byte"
    )
    func uploads() async throws {
        let file = try await syntheticFile(users: 200, items: 100)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await register(daemon.socket, "books", bytes: file)
                let uploads = daemon.state + "/uploads"
                for _ in 0..<40 {
                    try await PlawClient.withConnection(path: daemon.socket) { client in
                        let id = try await client.call(DatasetUpload.self, DatasetUploadParams()).uploadId
                        _ = try await client.call(
                            DatasetUpload.self,
                            DatasetUploadParams(uploadId: id, offset: 0, data: file.prefix(1_000).base64EncodedString())
                        )
                    }
                }
                #expect(
                    await waitUntil { (try? FileManager.default.contentsOfDirectory(atPath: uploads).isEmpty) == true })
                try await PlawClient.withConnection(path: daemon.socket) { client in
                    for (name, reason) in [
                        ("books", "dataset-exists"), ("../x", "invalid-params"), ("", "invalid-params"),
                    ] {
                        let refusal = await #expect(throws: RPCError.self) {
                            try await client.call(DatasetUpload.self, DatasetUploadParams(name: name))
                        }
                        #expect(refusal?.reason == reason, "\(name): \(String(describing: refusal))")
                    }
                    let id = try await client.call(DatasetUpload.self, DatasetUploadParams(name: "new")).uploadId
                    #expect(
                        try await client.call(DatasetUpload.self, DatasetUploadParams(uploadId: id, discard: true))
                            .received
                            == 0)
                    #expect(try FileManager.default.contentsOfDirectory(atPath: uploads).isEmpty)
                }
                // As the command does it.
                let path = folder + "/books.txt"
                try file.write(to: URL(filePath: path))
                let taken = try await runProgram("plaw", ["register", "books", path, "--socket", daemon.socket])
                #expect(taken.code != 0 && taken.errors.contains("already named \"books\""), "\(taken)")
                #expect(!taken.errors.contains("format:"))
            }
        }
    }
}
