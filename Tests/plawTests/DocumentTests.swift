import Domain
import Foundation
import Testing

@testable import plaw

/// What the documents list of the program is what it knows, and nothing else.
@Suite struct DocumentTests {
    private static func section(_ name: String, of file: String) throws -> [Substring] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/users/\(file)"), encoding: .utf8)
        let start = try #require(text.range(of: "\n## \(name)\n"))
        let rest = text[start.upperBound...]
        return rest[..<(rest.range(of: "\n## ")?.lowerBound ?? rest.endIndex)].split(separator: "\n")
    }

    @Test("the table of warnings has every code, in the order of consequence")
    func warnings() throws {
        let rows = try Self.section("Warnings", of: "advisor.md").filter { $0.hasPrefix("| `") }
        let codes = rows.map { String($0.dropFirst(3).prefix { $0 != "`" }) }
        #expect(codes == Warning.consequential + Warning.explanatory)
    }

    @Test("the table of containers has every kind that is unpacked, and every table that a program reads")
    func containers() throws {
        let rows = try Self.section("Containers and Parquet", of: "formats.md").filter { $0.hasPrefix("| ") }
        let cells = rows.map { $0.split(separator: "|")[0].trimmingCharacters(in: .whitespaces) }
        func names(_ first: String) throws -> Set<String> {
            let cell = try #require(cells.first { $0.hasPrefix(first) })
            return Set(cell.replacingOccurrences(of: " with one table", with: "").components(separatedBy: ", "))
        }
        let unpacked = try names("bzip2").union(names("zip"))
        #expect(unpacked == Set(Archive.kinds.map(\.name)).subtracting(["gzip"]))
        #expect(try names("Parquet") == Set(TableProgram.Format.allCases.map(\.rawValue)))
        for (name, begins) in Archive.kinds {
            let head = [UInt8](repeating: 0x41, count: name == "tar" ? 257 : 0) + begins + [1, 2, 3]
            #expect(Archive.isContainer(head), "\(name)")
        }
        #expect(!Archive.isContainer(Array("user_id,item_id\n".utf8)) && !Archive.isContainer([]))
    }
}
