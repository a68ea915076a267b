import Domain
import Foundation
import Client
import PlawTesting
import StrictJSON
import Testing

@testable import Wire

/// Files of several parts, what was read of them, and looks at files that register nothing.
@Suite struct ReadingTests {
    private static let header = "user_id,item_id,kind,timestamp\n"

    private static func rows(_ range: Range<Int>) -> String {
        range.map { "u\($0 % 17),i\($0 % 5),\($0 % 3 == 0 ? "buy" : "view"),\(1_600_000_000 + $0)\n" }.joined()
    }

    /// What `dataset.sequences` must say of rows: users by their bytes.
    private static func expected(_ range: Range<Int>) -> [DatasetSequencesResult.Sequence] {
        Dictionary(grouping: range, by: { "u\($0 % 17)" }).sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            .map { DatasetSequencesResult.Sequence(user: $0.key, items: $0.value.map { "i\($0 % 5)" }) }
    }

    private static func upload(_ texts: [String], _ client: PlawClient) async throws -> String {
        let id = try await client.call(DatasetUpload.self, DatasetUploadParams()).uploadId
        for (number, text) in texts.enumerated() {
            _ = try await client.call(
                DatasetUpload.self,
                DatasetUploadParams(
                    uploadId: id, file: number == 0 ? nil : number, offset: 0,
                    data: Data(text.utf8).base64EncodedString()))
        }
        return id
    }

    @Test("an upload of several files is one dataset, which keeps their names and goes with its files")
    func severalFiles() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let info = try await PlawClient.withConnection(path: daemon.socket) { client in
                    let id = try await Self.upload(
                        [Self.header + Self.rows(0..<100), Self.rows(100..<180), Self.header + Self.rows(180..<300)],
                        client)
                    #expect(try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/uploads").count == 3)
                    return try await client.call(
                        DatasetRegister.self,
                        DatasetRegisterParams(
                            name: "parts", uploadId: id, fileNames: ["a.csv", "b.csv", "c.csv"],
                            options: ReadOptions(where: ["kind=buy"]))
                    ).dataset
                }
                #expect(info?.fileNames == ["a.csv", "b.csv", "c.csv"] && info?.fileName == "a.csv")
                #expect(info?.interactions == 100 && info?.statistics?.rows == 300)
                #expect(info?.options.where == ["kind=buy"] && info?.options.filter == "where(kind=buy)")
                #expect(
                    info?.statistics?.reading?.removedByConditions == [RemovedRows(condition: "kind=buy", count: 200)])
                #expect(try await call(daemon.socket, DatasetGet.self, DatasetName(name: "parts")) == info)
                #expect(try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/uploads").isEmpty)
            }
        }
    }

    @Test("files that differ are refused by their names, and pieces in the wrong place by what was expected")
    func wrongFiles() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                try await PlawClient.withConnection(path: daemon.socket) { client in
                    let id = try await Self.upload([Self.header + Self.rows(0..<90), "item_id,user_id\n1,2\n"], client)
                    let piece = Data("x".utf8).base64EncodedString()
                    for (file, offset, field) in [(0, 5, "file"), (3, 0, "file"), (1, 7, "offset"), (2, 1, "offset")] {
                        let error = await #expect(throws: RPCError.self) {
                            _ = try await client.call(
                                DatasetUpload.self,
                                DatasetUploadParams(uploadId: id, file: file, offset: offset, data: piece))
                        }
                        #expect(error?.message.hasPrefix(field + ":") == true, "\(String(describing: error))")
                    }
                    let few = await #expect(throws: RPCError.self) {
                        _ = try await client.call(
                            DatasetRegister.self, DatasetRegisterParams(name: "x", uploadId: id, fileName: "a.csv"))
                    }
                    #expect(few?.reason == "invalid-params")
                    let error = await #expect(throws: RPCError.self) {
                        _ = try await client.call(
                            DatasetRegister.self,
                            DatasetRegisterParams(name: "x", uploadId: id, fileNames: ["one.csv", "two.csv"]))
                    }
                    #expect(error?.reason == "invalid-input" && error?.data?["file"] == .string("two.csv"))
                    #expect(
                        error?.message.contains("expected the 4 of one.csv") == true, "\(String(describing: error))")
                    #expect(error?.message.contains(daemon.state) == false)
                }
                #expect(try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/uploads").isEmpty)
                #expect(try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/corpora").isEmpty)
            }
        }
    }

    @Test("a look at files says what registering them says, and leaves the upload and nothing else")
    func inspection() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                try await PlawClient.withConnection(path: daemon.socket) { client in
                    let text = Self.header + Self.rows(0..<200) + "u1,,buy,1600000500\n"
                    let id = try await Self.upload([text], client)
                    let seen = try await client.call(
                        DatasetInspect.self,
                        DatasetInspectParams(uploadId: id, options: ReadOptions(where: ["kind=buy"]), events: 2))
                    #expect(seen.columns.map(\.role) == ["user", "item", "behavior", "time"])
                    #expect(
                        seen.columns[2] == InspectedColumn(name: "kind", values: ["buy", "view"], role: "behavior"))
                    #expect(
                        seen.events == [
                            InspectedEvent(user: "u0", item: "i0", time: "2020-09-13 12:26:40 UTC"),
                            InspectedEvent(user: "u3", item: "i3", time: "2020-09-13 12:26:43 UTC"),
                        ])
                    #expect(seen.statistics.dropped.map(\.reason) == ["missing item"])
                    #expect(try FileManager.default.contentsOfDirectory(atPath: daemon.state + "/corpora").isEmpty)
                    #expect(try await client.call(DatasetList.self, DatasetListParams()).datasets.isEmpty)
                    let registered = try await client.call(
                        DatasetRegister.self,
                        DatasetRegisterParams(
                            name: "x", uploadId: id, fileName: "x.csv", options: ReadOptions(where: ["kind=buy"])))
                    #expect(registered.dataset?.statistics == seen.statistics)
                }
                let error = await #expect(throws: RPCError.self) {
                    _ = try await call(daemon.socket, DatasetInspect.self, DatasetInspectParams(path: "/nowhere/x.csv"))
                }
                #expect(error?.reason == "invalid-input")
            }
        }
    }

    @Test("sequences come in pages of any size, users by their bytes, one alone, and nobody who is not there")
    func sequences() async throws {
        try await withTemporaryFolder { folder in
            _ = try await withDaemon(in: folder) { daemon async throws in
                let bytes = Data((Self.header + Self.rows(0..<300)).utf8)
                let info = try await register(daemon.socket, "x", bytes: bytes).dataset
                for limit in [1, 7, 299, 300, 200_000] {
                    var read: [DatasetSequencesResult.Sequence] = []
                    var params = DatasetSequencesParams(name: "x", limit: limit)
                    repeat {
                        let page = try await call(daemon.socket, DatasetSequences.self, params)
                        #expect(page.version == info?.version)
                        #expect(page.sequences.reduce(0) { $0 + $1.items.count } <= limit)
                        for sequence in page.sequences {
                            if read.last?.user == sequence.user {
                                read[read.count - 1].items += sequence.items
                            } else {
                                read.append(sequence)
                            }
                        }
                        params.after = page.next
                    } while params.after != nil
                    #expect(read == Self.expected(0..<300), "\(limit)")
                }
                let one = try await call(
                    daemon.socket, DatasetSequences.self, DatasetSequencesParams(name: "x", user: "u3"))
                #expect(one.sequences == Self.expected(0..<300).filter { $0.user == "u3" } && one.next == nil)
                for params in [
                    DatasetSequencesParams(name: "x", user: "u99"), DatasetSequencesParams(name: "x", after: 300),
                    DatasetSequencesParams(name: "x", after: -1), DatasetSequencesParams(name: "x", limit: 0),
                ] {
                    let error = await #expect(throws: RPCError.self) {
                        _ = try await call(daemon.socket, DatasetSequences.self, params)
                    }
                    #expect(error?.reason == "invalid-params")
                }
            }
        }
    }
}
