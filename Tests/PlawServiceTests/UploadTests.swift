import Domain
import Foundation
import Interactions
import Client
import PlawTesting
import Server
import Testing

@testable import PlawService
@testable import Wire

@Suite struct UploadTests {
    private static let owner = Standing(uid: 0, rank: .owner)

    private static func refusal(_ body: () async throws -> Void) async -> ErrorCode? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? RPCError).flatMap { ErrorCode(rawValue: $0.code) }
        }
    }

    @Test(
        "an upload without a piece for too long is given up with its file; one that goes on is not, until it takes too long"
    )
    func time() async throws {
        try await withTemporaryFolder { folder in
            let uploads = Uploads(
                folder: folder, maximumBytes: { 1 << 20 }, space: DiskSpace(root: folder, maximum: { nil }),
                patience: .seconds(2), longest: .seconds(6))
            let piece = Data("1 2 3\n".utf8).base64EncodedString()
            let (left, kept) = (
                try await uploads.begin(by: Self.owner, on: 1).uploadId,
                try await uploads.begin(by: Self.owner, on: 1).uploadId
            )
            let begun = ContinuousClock.now
            _ = try await uploads.append(left, offset: 0, data: piece)
            var received = 0
            while begun.duration(to: .now) < .seconds(4) {
                received = try await uploads.append(kept, offset: received, data: piece).received
                try await Task.sleep(for: .milliseconds(20))
                await uploads.discardOverdue()
            }
            #expect(await Self.refusal { _ = try await uploads.append(left, offset: 6, data: piece) } == .uploadUnknown)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [kept])
            // Pieces keep it, but not for ever.
            var ended: ErrorCode?
            while ended == nil, begun.duration(to: .now) < .seconds(20) {
                await uploads.discardOverdue()
                ended = await Self.refusal {
                    received = try await uploads.append(kept, offset: received, data: piece).received
                }
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(ended == .uploadUnknown)
            #expect(begun.duration(to: .now) > .seconds(6))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
        }
    }

    @Test(
        "a file that is read while it is sent makes the dataset that it makes when it is whole",
        arguments: [false, true])
    func uploading(isCompressed: Bool) async throws {
        var text = "user_id,item_id,timestamp\n"
        var random = SplitMix64(seed: 5)
        for row in 0..<6_000 {
            text += "u\(row / 12),i\(Int(random.next() % 300)),\(1_600_000_000 + Int(random.next() % 1_000_000))\n"
        }
        try await withTemporaryFolder { folder in
            let file = folder + "/whole.csv"
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            if isCompressed { _ = try await runProgram(path: "/usr/bin/gzip", [file]) }
            let bytes = try Data(contentsOf: URL(filePath: isCompressed ? file + ".gz" : file))
            _ = try await withDaemon(in: folder) { daemon async throws in
                try await PlawClient.withConnection(path: daemon.socket) { sender in
                    try await PlawClient.withConnection(path: daemon.socket) { reader in
                        @Sendable func send(_ id: String, upTo end: Int) async throws {
                            for start in stride(from: 0, to: end, by: 4_096) {
                                let piece = bytes[start..<min(start + 4_096, end)].base64EncodedString()
                                _ = try await sender.call(
                                    DatasetUpload.self, DatasetUploadParams(uploadId: id, offset: start, data: piece))
                                try await Task.sleep(for: .milliseconds(5))
                            }
                        }
                        @Sendable func begin() async throws -> String {
                            try await sender.call(DatasetUpload.self, DatasetUploadParams()).uploadId
                        }
                        @Sendable func register(_ name: String, _ id: String, columns: [String: String]? = nil)
                            async throws
                            -> DatasetInfo?
                        {
                            try await reader.call(
                                DatasetRegister.self,
                                DatasetRegisterParams(
                                    name: name, uploadId: id, uploading: true, fileName: "whole.csv",
                                    options: ReadOptions(columns: columns))
                            ).dataset
                        }
                        @Sendable func failure(_ body: @Sendable () async throws -> DatasetInfo?) async -> RPCError? {
                            do {
                                _ = try await body()
                                return nil
                            } catch {
                                return error as? RPCError
                            }
                        }
                        let whole = try await begin()
                        try await send(whole, upTo: bytes.count)
                        let expected = try await reader.call(
                            DatasetRegister.self, DatasetRegisterParams(name: "whole", uploadId: whole)
                        ).dataset
                        // Begun before the first byte is there.
                        let growing = try await begin()
                        async let registered = register("growing", growing)
                        try await send(growing, upTo: bytes.count)
                        _ = try await sender.call(
                            DatasetUpload.self, DatasetUploadParams(uploadId: growing, last: true))
                        let found = try await registered
                        #expect(found?.version == expected?.version && found?.interactions == 6_000)
                        #expect(found?.entropy == expected?.entropy)
                        // One that is given up half-way leaves nothing behind.
                        let abandoned = try await begin()
                        async let refused = failure { try await register("abandoned", abandoned) }
                        try await send(abandoned, upTo: bytes.count / 2)
                        _ = try await sender.call(
                            DatasetUpload.self, DatasetUploadParams(uploadId: abandoned, discard: true))
                        let error = await refused
                        #expect(error?.message.contains("given up before its end") == true, "\(error?.message ?? "")")
                        // What is refused is not sent to its end.
                        let wrong = try await begin()
                        async let unread = failure { try await register("wrong", wrong, columns: ["user": "nobody"]) }
                        await #expect(throws: RPCError.self) {
                            try await send(wrong, upTo: bytes.count)
                            try await Task.sleep(for: .seconds(1))
                            try await send(wrong, upTo: 0)
                            _ = try await sender.call(
                                DatasetUpload.self, DatasetUploadParams(uploadId: wrong, last: true))
                        }
                        let reason = await unread
                        #expect(reason?.message.contains("nobody") == true)
                        let names = try await reader.call(DatasetList.self, DatasetListParams()).datasets.map(\.name)
                        #expect(names == ["growing", "whole"])
                    }
                }
            }
        }
    }

    @Test("a file of which nothing more comes is given up by who reads it")
    func stalled() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/stalled.csv"
            try "user_id,item_id\nu1,i1\nu1,i2\n".write(toFile: file, atomically: true, encoding: .utf8)
            let growing = GrowingFile(patience: .milliseconds(200))
            growing.grew(to: 27)
            let error = #expect(throws: InteractionError.self) {
                _ = try InteractionReader(paths: [file], options: ReadOptions(), growing: growing)
            }
            #expect(error?.reason == "unreadable" && error?.description.contains("nothing more of it came") == true)
        }
    }

    @Test("uploads that are open together take no more than the quota, whatever room there was when each began")
    func quota() async throws {
        try await withTemporaryFolder { folder in
            try FileManager.default.createDirectory(atPath: folder + "/uploads", withIntermediateDirectories: true)
            try Data(repeating: 1, count: 1 << 20).write(to: URL(filePath: folder + "/other"))
            let uploads = Uploads(
                folder: folder + "/uploads", maximumBytes: { 1 << 30 },
                space: DiskSpace(root: folder, maximum: { 5 << 20 }))
            let piece = Data(repeating: 65, count: 1 << 20).base64EncodedString()
            var ids: [String] = []
            for _ in 0..<Uploads.maximumOpen.total {
                ids.append(try await uploads.begin(by: Self.owner, on: 1).uploadId)
            }
            let refusals = await withTaskGroup(of: RPCError?.self) { group in
                for id in ids {
                    group.addTask {
                        do {
                            _ = try await uploads.append(id, offset: 0, data: piece)
                            return nil
                        } catch {
                            return error as? RPCError
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            // Four of a megabyte fit beside what is there.
            #expect(refusals.count { $0 == nil } == 4)
            #expect(refusals.compactMap { $0 }.allSatisfy { $0.reason == "no-space" })
            #expect(
                refusals.compactMap { $0 }.first?.message
                    == "the next piece of the upload needs about 1048576 bytes; maxStateBytes, 5242880 bytes, has 0 left"
            )
            #expect(DiskSpace.used(folder) <= 5 << 20)
            // What was refused is gone, and room that is given back is there again.
            let kept = try FileManager.default.contentsOfDirectory(atPath: folder + "/uploads")
            #expect(kept.count == 4)
            await uploads.discard(kept[0])
            let next = try await uploads.begin(by: Self.owner, on: 1).uploadId
            #expect(try await uploads.append(next, offset: 0, data: piece).received == 1 << 20)
        }
    }

    @Test("uploads that were left are no obstacle to new ones once their time is over")
    func places() async throws {
        try await withTemporaryFolder { folder in
            let uploads = Uploads(
                folder: folder, maximumBytes: { 1 << 20 }, space: DiskSpace(root: folder, maximum: { nil }),
                patience: .seconds(3), longest: .seconds(60))
            for _ in 0..<Uploads.maximumOpen.total { _ = try await uploads.begin(by: Self.owner, on: 1) }
            #expect(await Self.refusal { _ = try await uploads.begin(by: Self.owner, on: 1) } == .busy)
            try await Task.sleep(for: .seconds(3.5))
            #expect(await Self.refusal { _ = try await uploads.begin(by: Self.owner, on: 1) } == nil)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 1)
        }
    }

    @Test("one user's uploads leave room for another's, and those of a connection go with it")
    func shares() async throws {
        try await withTemporaryFolder { folder in
            let uploads = Uploads(
                folder: folder, maximumBytes: { 1 << 20 }, space: DiskSpace(root: folder, maximum: { nil }))
            let (one, other) = (Standing(uid: 1, rank: .writer), Standing(uid: 2, rank: .writer))
            var taken = 0
            while await Self.refusal({ _ = try await uploads.begin(by: one, on: UInt64(taken % 2)) }) == nil {
                taken += 1
            }
            #expect(taken == 12)
            for _ in 0..<3 { _ = try await uploads.begin(by: other, on: 7) }
            #expect(await Self.refusal { _ = try await uploads.begin(by: other, on: 7) } == .busy)
            // Root always finds one.
            let own = try await uploads.begin(by: Self.owner, on: 8).uploadId
            await uploads.discard(of: 0)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 10)
            for _ in 0..<6 { _ = try await uploads.begin(by: one, on: 9) }
            #expect(try await uploads.giveUp(own) == 0)
            #expect(await Self.refusal { _ = try await uploads.giveUp(own) } == .uploadUnknown)
        }
    }
}
