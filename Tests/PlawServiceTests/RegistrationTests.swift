import Domain
import Foundation
import Client
import PlawTesting
import StrictJSON
import Testing

@testable import Wire

@Suite struct RegistrationTests {
    static let bad: [(name: String, bytes: Data)] = [
        ("empty", Data()),
        ("binary", Data((0..<4_000).map { UInt8(truncatingIfNeeded: $0 &* 7_919 >> 3) })),
        ("ambiguous", Data("1 10 3\n1 11 4\n2 10 5\n2 12 3\n3 11 1\n".utf8)),
        ("cut gzip", Data([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3])),
    ]

    @Test("a file that cannot be read gets one clear error and leaves nothing behind", arguments: bad.indices)
    func refusal(index: Int) async throws {
        let (name, bytes) = Self.bad[index]
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let error = await #expect(throws: RPCError.self) {
                    _ = try await register(daemon.socket, "demo", bytes: bytes, fileName: "my-file.bin")
                }
                #expect(error?.reason == "invalid-input", "\(name): \(String(describing: error))")
                #expect(error?.message.contains("my-file.bin") == true, "\(error?.message ?? "")")
                #expect(try await call(daemon.socket, DatasetList.self, DatasetListParams()).datasets.isEmpty)
                for folder in ["corpora", "uploads"] {
                    #expect(try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/" + folder) == [])
                }
            }
        }
    }

    @Test("a small file that holds more than fits into memory is refused on the way, and takes nothing from the next")
    func bomb() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/rows"
            let rows = String(repeating: "user-1234 item-5678\n", count: 200_000)
            try Data(rows.utf8).write(to: URL(filePath: path))
            #expect(try await runProgram(path: "/usr/bin/gzip", [path]).code == 0)
            let member = try Data(contentsOf: URL(filePath: path + ".gz"))
            // Members in a row are one file: 1.6 GB in all.
            let bomb = (0..<400).reduce(into: Data()) { whole, _ in whole += member }
            #expect(bomb.count < 8 << 20)
            let good = try await syntheticFile(users: 2_000, items: 200)
            try Data("{\"registerMemoryBytes\": 67108864}".utf8).write(to: URL(filePath: folder + "/plawd.json"))
            _ = try await withDaemon(in: folder, arguments: ["--config", folder + "/plawd.json"]) {
                daemon async throws in
                for _ in 0..<2 {
                    let error = await #expect(throws: RPCError.self) {
                        _ = try await register(daemon.socket, "bomb", bytes: bomb, fileName: "bomb.gz")
                    }
                    #expect(error?.reason == "too-large", "\(String(describing: error))")
                    #expect(error?.message.hasPrefix("bomb.gz:") == true)
                    #expect(error?.message.contains("fits into memory") == true, "\(error?.message ?? "")")
                    #expect(error?.data?["cause"] == .string("memory"))
                }
                _ = try await register(daemon.socket, "good", bytes: good)
                // Some of it is the daemon itself.
                let status = try String(contentsOfFile: "/proc/\(daemon.pid)/status", encoding: .utf8)
                let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }?.filter(\.isNumber)
                #expect(try #require(peak.flatMap { Int($0) }) < 200 << 10 || isSanitized)
                for folder in ["corpora", "uploads"] {
                    let left = try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/" + folder)
                    #expect(left.filter { !$0.hasPrefix("good.") } == [])
                }
            }
        }
    }

    @Test("entropy comes with its movement, agrees with it, and is not remembered for another dataset of the same name")
    func entropy() async throws {
        let files = [try await syntheticFile(users: 300, items: 100), try await syntheticFile(users: 200, items: 60)]
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                var answers: [DatasetEntropyResult] = []
                for file in files {
                    _ = try await register(daemon.socket, "demo", bytes: file)
                    let params = DatasetEntropyParams(name: "demo", m: 1, maxLength: 15)
                    let first = try await call(daemon.socket, DatasetEntropy.self, params)
                    let again = try await call(daemon.socket, DatasetEntropy.self, params)
                    #expect(first == again)
                    let all = try #require(first.movement.byUserFraction.last)
                    #expect(all.userFraction == 1)
                    #expect(all.tokens == first.entropy.tokens)
                    #expect(all.pooledApEn == first.entropy.pooled(m: 1)?.value)
                    #expect(all.perUserApEn == first.entropy.perUserApEn.mean)
                    #expect(all.effectiveTokens == first.entropy.effectiveTokens)
                    #expect(first.movement.byMaxLength.contains { $0.maxLength == 15 })
                    answers.append(first)
                    _ = try await call(daemon.socket, DatasetRemove.self, DatasetName(name: "demo"))
                }
                #expect(answers[0].movement != answers[1].movement)
            }
        }
    }

    @Test("of two registrations under one name at once one is stored and one is refused")
    func race() async throws {
        let file = try await syntheticFile(users: 500, items: 300)
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let outcomes = await withTaskGroup(of: String?.self) { group in
                    for _ in 0..<4 {
                        group.addTask {
                            do {
                                _ = try await register(daemon.socket, "demo", bytes: file)
                                return nil
                            } catch {
                                return (error as? RPCError)?.reason ?? "\(error)"
                            }
                        }
                    }
                    var outcomes: [String?] = []
                    for await outcome in group { outcomes.append(outcome) }
                    return outcomes
                }
                #expect(outcomes.filter { $0 == nil }.count == 1)
                #expect(outcomes.compactMap { $0 } == Array(repeating: "dataset-exists", count: 3))
                #expect(try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/corpora").count == 1)
            }
        }
    }

    @Test("names that could be paths, gaps in an upload and wrong members are refused")
    func parameters() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                for name in ["", "../x", "a/b", ".hidden", "a b", String(repeating: "x", count: 65), "é"] {
                    let error = await #expect(throws: RPCError.self) {
                        _ = try await register(daemon.socket, name, bytes: Data("1 2\n1 3\n1 4\n1 5\n".utf8))
                    }
                    #expect(error?.reason == "invalid-params", "\(name)")
                }
                try await withUpload(daemon.socket) { id in
                    let gap = await #expect(throws: RPCError.self) {
                        _ = try await call(
                            daemon.socket, DatasetUpload.self,
                            DatasetUploadParams(uploadId: id, offset: 5, data: "QUJD"))
                    }
                    #expect(gap?.data?["received"] == .integer(0))
                    let nested = await #expect(throws: RPCError.self) {
                        _ = try await raw(
                            daemon.socket, "dataset.register",
                            .object([
                                "name": .string("a"), "uploadId": .string(id),
                                "options": .object(["kcore": .integer(5)]),
                            ]))
                    }
                    #expect(nested?.message.contains("options.kcore") == true)
                }
                let relative = await #expect(throws: RPCError.self) {
                    _ = try await call(
                        daemon.socket, DatasetRegister.self, DatasetRegisterParams(name: "a", path: "etc/passwd"))
                }
                #expect(relative?.reason == "invalid-params")
                // The kernel would open what stands before the NUL.
                let cut = await #expect(throws: RPCError.self) {
                    _ = try await call(
                        daemon.socket, DatasetRegister.self,
                        DatasetRegisterParams(name: "a", path: "/etc/passwd\u{0}.csv"))
                }
                #expect(cut?.reason == "invalid-params" && cut?.message.contains("NUL") == true)
            }
        }
    }

    @Test(
        "a million rows register within 100 MB, and the idle daemon stays under 60 MB",
        .enabled(if: Paths.realData("ml-1m-pairs.txt.gz") != nil, "PLAW_DATA holds no ml-1m-pairs.txt.gz"))
    func memory() async throws {
        let path = try #require(Paths.realData("ml-1m-pairs.txt.gz"))
        let bytes = try Data(contentsOf: URL(filePath: path))
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                _ = try await call(daemon.socket, ServerInfo.self, NoParams())
                let idle = try #require(daemon.memory("VmRSS"))
                #expect(idle < 60_000 || isSanitized, "\(idle) kB")
                let info = try #require(try await register(daemon.socket, "ml-1m", bytes: bytes).dataset)
                #expect(info.interactions == 1_000_209)
                let peak = try #require(daemon.memory("VmHWM"))
                #expect(peak < 100_000 || isSanitized, "\(peak) kB")
            }
        }
    }
}
