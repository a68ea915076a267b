import CZlib
import Domain
import Foundation
import Testing

@testable import Interactions

struct ReaderTests {
    /// Writes a text to a file, reads it, and hands over decision, statistics and corpus.
    func read(
        _ text: String, _ options: ReadOptions = ReadOptions(), bytes: [UInt8]? = nil
    ) throws -> (FormatDecision, DatasetStatistics, Corpus) {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = folder + "/data"
        try Data(bytes ?? Array(text.utf8)).write(to: URL(fileURLWithPath: file))
        let reader = try InteractionReader(path: file, options: options)
        let statistics = try reader.buildCorpus(at: folder + "/c")
        return (reader.decision, statistics, try Corpus(path: folder + "/c"))
    }

    func names(_ corpus: Corpus, _ user: Int) -> [String] {
        corpus.items(of: user).map { corpus.itemName(Int($0)) }
    }

    func reason(_ text: String, bytes: [UInt8]? = nil) -> String? {
        do {
            _ = try read(text, bytes: bytes)
            return nil
        } catch {
            return (error as? InteractionError)?.reason
        }
    }

    @Test("sequences keep the order of the line and may differ in length")
    func sequences() throws {
        let (decision, statistics, corpus) = try read("u1 a b c\nu2 b\n\nu3 a a d e\n")
        #expect(decision.format == "sequences")
        #expect(statistics.users == 3)
        #expect(names(corpus, 2) == ["a", "a", "d", "e"])
        #expect(statistics.repeatedShare == 1.0 / 8)
        #expect(corpus.userName(1) == "u2")
        #expect(statistics.lengthQuartiles == [1, 1, 3, 3, 4])
    }

    @Test("CSV with quotes, commas inside, CRLF, a byte-order mark and another column order")
    func csv() throws {
        let text =
            "\u{feff}when,\"what\",Movie Id,User-ID\r\n2010-12-02 08:26:00,\"a, b\",m2,7\r\n"
            + "2010-12-01 08:26:00,\"say \"\"hi\"\"\",m1,7\r\n2010-12-03,x,m3,7\r\n"
        let (decision, statistics, corpus) = try read(
            text, ReadOptions(columns: ["user": "User-ID", "item": "Movie Id", "time": "when"]))
        #expect(decision.hasHeader)
        #expect(decision.timeUnit == "date")
        #expect(names(corpus, 0) == ["m1", "m2", "m3"])
        #expect(statistics.outOfOrderRows == 1)
        #expect(corpus.times(of: 0).map(Array.init) == [1_291_191_960, 1_291_278_360, 1_291_334_400])
    }

    @Test("rows are dropped with reason and line numbers, the rest stays")
    func drops() throws {
        let (_, statistics, _) = try read(
            "userId,itemId,ts\n1,a,1262304000\n,b,1262304001\n1,,1262304002\n1,c\n1,d,x\n2,e,1262304003\n")
        let reasons = Dictionary(uniqueKeysWithValues: statistics.dropped.map { ($0.reason, $0.firstLines) })
        #expect(
            reasons == [
                "missing user": [3], "missing item": [4], "wrong number of fields (expected 3)": [5],
                "unreadable time": [6],
            ])
        #expect(statistics.rows == 6)
        #expect(statistics.interactions == 2)
    }

    @Test("times sort, ties keep the order of the file, units are told by magnitude")
    func order() throws {
        let (decision, _, corpus) = try read("u::x::1::1262304005000\nu::y::1::1262304001000\nu::z::1::1262304001000\n")
        #expect(decision.timeUnit == "milliseconds")
        #expect(names(corpus, 0) == ["y", "z", "x"])
    }

    @Test("offsets of times are followed, and what is no time zone is no time")
    func offsets() throws {
        let (_, _, corpus) = try read(
            "user,item,time\n1,a,2020-01-01T00:00:00+05:30\n1,b,2020-01-01 00:00:00.25Z\n1,c,2019-12-31T20:00:00-0400\n"
                + "1,d,2020-01-01 00:00 UTC\n")
        // The fraction of b decides its place and is not kept.
        #expect(corpus.times(of: 0).map(Array.init) == [1_577_817_000, 1_577_836_800, 1_577_836_800, 1_577_836_800])
        #expect(names(corpus, 0) == ["a", "c", "d", "b"])
    }

    @Test("a header above pairs is no interaction, and named columns leave the others to the header")
    func headers() throws {
        let (decision, statistics, corpus) = try read("user item\n1 10\n1 11\n2 10\n")
        #expect(decision.hasHeader && decision.format == "pairs")
        #expect(statistics.interactions == 3 && statistics.users == 2)
        #expect(names(corpus, 0) == ["10", "11"])
        let (named, _, _) = try read(
            "ts,user,item\n1600000000,7,a\n1600000001,7,b\n", ReadOptions(columns: ["time": "ts"]))
        #expect(named.columns == ["user": "user", "item": "item", "time": "ts"])
        #expect(throws: InteractionError.self) {
            try self.read("ts,who,item\n1600000000,7,a\n1600000001,7,b\n", ReadOptions(columns: ["time": "ts"]))
        }
        #expect(reason("1 1600000001 1600000002 1600000003\n2 1600000004 1600000005 1600000006\n") == "ambiguous")
    }

    @Test("a constant third column is no time")
    func constant() throws {
        let (decision, _, _) = try read("0\t5\t1\n0\t6\t1\n1\t5\t1\n")
        #expect(decision.timeUnit == "file order")
        #expect(decision.columns["time"] == nil)
    }

    @Test("deduplication keeps the first of equal pairs or rows")
    func deduplicate() throws {
        let text = "u,i,1262304000\nu,i,1262304000\nu,i,1262304009\nu,j,1262304001\n"
        #expect(try read(text, ReadOptions(deduplicate: .pairs)).1.interactions == 2)
        #expect(try read(text, ReadOptions(deduplicate: .rows)).1.interactions == 3)
    }

    @Test("k-core repeats until stable and refuses to leave nothing")
    func core() throws {
        // u3 falls first, which takes item c below 2, which takes u2 below 2.
        let text = "u1 a\nu1 b\nu4 a\nu4 b\nu2 a\nu2 c\nu3 c\n"
        let (_, statistics, _) = try read(text, ReadOptions(kCore: 2))
        #expect((statistics.users, statistics.items, statistics.interactions) == (2, 2, 4))
        #expect(throws: InteractionError.self) { try read(text, ReadOptions(kCore: 9)) }
    }

    @Test("the same content has the same hash, any change another")
    func hash() throws {
        let first = try read("u a b\nv a c d\n").1.contentHash
        #expect(try read("u a\nu b\nv a\nv c\nv d\n").1.contentHash == first)
        #expect(try read("u b a\nv a c d\n").1.contentHash != first)
        #expect(try read("u a b\nv a c e\n").1.contentHash != first)
    }

    @Test("a line of very many fields is a sequence, and nothing else")
    func wide() throws {
        let items = (0..<5_000).map(String.init)
        let (decision, statistics, _) = try read((["u"] + items).joined(separator: " ") + "\n")
        #expect(decision.format == "sequences" && statistics.interactions == 5_000)
        #expect(reason(items.joined(separator: ",") + "\n") == "ambiguous")
        #expect(reason(items.joined(separator: "::") + "\n") == "ambiguous")
    }

    @Test("unusable files are refused for their own reason and leave nothing behind")
    func refusals() throws {
        #expect(reason("") == "empty")
        #expect(reason("\n \n") == "empty")
        #expect(reason("one\ntwo\n") == "ambiguous")
        #expect(reason("u 1 5\nu 2 4\nv 1 3\n") == "ambiguous")
        #expect(reason("colour,size\nred,5\nblue,6\n") == "ambiguous")
        #expect(reason("", bytes: [0x7f, 0x45, 0x4c, 0x46, 0, 0, 1]) == "binary")
        #expect(reason("", bytes: [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3]) == "gzip")
        #expect(reason("userId,itemId\n,a\n,b\n") == "no-rows")
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func refusal(_ path: String) -> String? {
            do {
                _ = try InteractionReader(path: path, options: ReadOptions())
                return nil
            } catch { return (error as? InteractionError)?.reason }
        }
        #expect(refusal(folder) == "unreadable")
        #expect(refusal(folder + "/none") == "unreadable")
        try Data("userId,itemId\n,a\n".utf8).write(to: URL(fileURLWithPath: folder + "/f"))
        let reader = try InteractionReader(path: folder + "/f", options: ReadOptions())
        #expect(throws: InteractionError.self) { try reader.buildCorpus(at: folder + "/c") }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["f"])
    }

    @Test("a column that does not exist is named with the columns that do")
    func unknownColumn() {
        #expect {
            try read("a,b\n1,2\n", ReadOptions(columns: ["user": "a", "item": "c"]))
        } throws: { error in
            "\(error)".contains("item=c") && "\(error)".contains("\"b\"")
        }
    }

    @Test("gzip in several members, and gzip cut short")
    func gzip() throws {
        func compress(_ text: String) -> [UInt8] {
            var stream = z_stream()
            var input = Array(text.utf8)
            var output = [UInt8](repeating: 0, count: 1_000)
            let size = output.count
            let length = input.withUnsafeMutableBufferPointer { source in
                output.withUnsafeMutableBufferPointer { target in
                    deflateInit2_(
                        &stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                        Int32(MemoryLayout<z_stream>.size))
                    stream.next_in = source.baseAddress
                    stream.avail_in = uInt(source.count)
                    stream.next_out = target.baseAddress
                    stream.avail_out = uInt(size)
                    deflate(&stream, Z_FINISH)
                    deflateEnd(&stream)
                    return size - Int(stream.avail_out)
                }
            }
            return Array(output.prefix(length))
        }
        let whole = compress("u a\nu b\n") + compress("v a\nv c\n")
        let (decision, statistics, _) = try read("", bytes: whole)
        #expect(decision.compression == "gzip")
        #expect(statistics.interactions == 4)
        #expect(reason("", bytes: Array(whole.dropLast(12))) == "gzip")
    }

    @Test("a damaged corpus file is refused, whatever byte is missing or changed in its frame")
    func damagedCorpus() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data("u a b c\nv a d\n".utf8).write(to: URL(fileURLWithPath: folder + "/f"))
        let path = folder + "/c"
        _ = try InteractionReader(path: folder + "/f", options: ReadOptions()).buildCorpus(at: path)
        let good = try Data(contentsOf: URL(fileURLWithPath: path))
        for length in stride(from: 0, to: good.count, by: 7) {
            try good.prefix(length).write(to: URL(fileURLWithPath: path))
            #expect(throws: InteractionError.self) { try Corpus(path: path) }
        }
        for position in 0..<56 where good[position] != 0xff {
            var bad = good
            bad[position] = 0xff
            try bad.write(to: URL(fileURLWithPath: path))
            // A flag bit of no meaning may be set; anything else must be refused, never crash.
            if position < 12 || position >= 16 { #expect(throws: InteractionError.self) { try Corpus(path: path) } }
        }
    }

    @Test(
        "a corpus with any byte of its body changed is refused, or read to its end within the file",
        arguments: [0, 1, 0x80, 0xff])
    func damagedBody(change: UInt8) throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let rows = (0..<60).map { "user\($0 % 7),item\($0 * $0 % 11),\(1_000_000 + $0)" }
        let text = "user_id,item_id,timestamp\n" + rows.joined(separator: "\n") + "\n"
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/f"))
        let path = folder + "/c"
        let statistics = try InteractionReader(path: folder + "/f", options: ReadOptions()).buildCorpus(at: path)
        let good = try Data(contentsOf: URL(fileURLWithPath: path))
        var refused = 0
        var positions = 0
        for position in 120..<good.count {
            var bad = good
            bad[position] = change == 0 ? 0 : good[position] ^ change
            guard bad != good else { continue }
            positions += 1
            try bad.write(to: URL(fileURLWithPath: path))
            let corpus: Corpus
            do {
                corpus = try Corpus(path: path)
            } catch is InteractionError {
                refused += 1
                continue
            }
            var seen = 0
            for user in 0..<corpus.userCount {
                _ = corpus.userName(user)
                seen += corpus.items(of: user).count
                #expect(corpus.items(of: user).allSatisfy { (0..<Int32(corpus.itemCount)).contains($0) })
                #expect(corpus.times(of: user)?.count == corpus.items(of: user).count)
            }
            for item in 0..<corpus.itemCount { _ = corpus.itemName(item) }
            #expect(seen == statistics.interactions)
        }
        // Some of the offsets, ends of names and numbers of items are found out whatever they become.
        #expect(positions > 100 && refused > 10, "\(refused) of \(positions)")
    }

    @Test("SHA-256 equals the published vectors")
    func sha256() {
        func digest(_ text: String) -> String {
            var hash = SHA256()
            hash.update(text)
            return hash.finish()
        }
        #expect(digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        var millions = SHA256()
        for _ in 0..<1_000 { millions.update(String(repeating: "a", count: 1_000)) }
        #expect(millions.finish() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }
}
