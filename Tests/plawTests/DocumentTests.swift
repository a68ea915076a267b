import Domain
import Foundation
import Testing

@testable import plaw

/// What the documents list of the program is what it knows, and nothing else; and their links lead somewhere.
@Suite struct DocumentTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().standardizedFileURL

    private static func section(_ name: String, of file: String) throws -> [Substring] {
        let text = try String(contentsOf: root.appending(path: "docs/users/\(file)"), encoding: .utf8)
        let start = try #require(text.range(of: "\n## \(name)\n"))
        let rest = text[start.upperBound...]
        return rest[..<(rest.range(of: "\n## ")?.lowerBound ?? rest.endIndex)].split(separator: "\n")
    }

    /// Every document of the tree: hidden folders, where builds and tools lie, are passed over.
    private static func documents() throws -> [URL] {
        let found = try #require(
            FileManager.default.enumerator(
                at: root, includingPropertiesForKeys: nil, options: [.skipsHiddenFiles, .skipsPackageDescendants]))
        return found.compactMap { $0 as? URL }.filter { $0.pathExtension == "md" }
    }

    /// Lines outside of fences, with what stands between backquotes left out.
    private static func prose(_ text: String) -> [String] {
        var isFenced = false
        return text.split(separator: "\n", omittingEmptySubsequences: false).compactMap { line in
            if line.trimmingPrefix(while: \.isWhitespace).hasPrefix("```") { isFenced.toggle() }
            return isFenced ? nil : String(line.replacing(/`[^`]*`/, with: ""))
        }
    }

    /// The anchors of headings, as GitHub makes them: the second of two equal ones ends with `-1`.
    private static func anchors(_ text: String) -> Set<String> {
        var anchors: Set<String> = []
        var isFenced = false
        for line in text.split(separator: "\n") {
            if line.hasPrefix("```") { isFenced.toggle() }
            guard !isFenced, line.hasPrefix("#") else { continue }
            let words = line.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
            let kept = words.filter { $0.isLetter || $0.isNumber || "-_ ".contains($0) }
            let slug = kept.replacingOccurrences(of: " ", with: "-")
            anchors.insert(anchors.contains(slug) ? slug + "-1" : slug)
        }
        return anchors
    }

    @Test("every relative link of every document leads to a file, and to a heading where it names one")
    func links() throws {
        let documents = try Self.documents()
        var checked = 0
        for document in documents {
            let text = try String(contentsOf: document, encoding: .utf8)
            for match in Self.prose(text).joined(separator: "\n").matches(of: /\]\(([^)\s]+)\)/) {
                let link = String(match.output.1)
                if link.contains(":") { continue }
                let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                let folder = document.deletingLastPathComponent()
                let file = parts[0].isEmpty ? document : folder.appending(path: parts[0]).standardizedFileURL
                let place = "\(document.path.dropFirst(Self.root.path.count + 1)): \(link)"
                checked += 1
                guard FileManager.default.fileExists(atPath: file.path) else {
                    Issue.record("\(place) leads to no file")
                    continue
                }
                if parts.count == 2, file.pathExtension == "md" {
                    let found = Self.anchors(try String(contentsOf: file, encoding: .utf8))
                    #expect(found.contains(parts[1]), "\(place) leads to no heading")
                }
            }
        }
        #expect(documents.count >= 20 && checked >= 150, "\(documents.count) documents, \(checked) links")
    }

    @Test("every file of the tree that a document names is there")
    func paths() throws {
        let path = /`((?:Sources|Tests|scripts|protos|docs|Benchmarks|systemd)\/[A-Za-z0-9_.\/+-]+)[^`<]*`/
        var checked = 0
        for document in try Self.documents() {
            // A record and the list of changes tell of the tree as it was.
            if document.path.contains("/records/") || document.lastPathComponent == "CHANGELOG.md" { continue }
            var isFenced = false
            for line in try String(contentsOf: document, encoding: .utf8).split(separator: "\n") {
                if line.hasPrefix("```") { isFenced.toggle() }
                for match in isFenced ? [] : line.matches(of: path) {
                    let named = Self.root.appending(path: String(match.output.1))
                    checked += 1
                    #expect(
                        FileManager.default.fileExists(atPath: named.path),
                        "\(document.lastPathComponent): \(match.output.1) is not there")
                }
            }
        }
        #expect(checked >= 60, "\(checked) paths")
    }

    @Test("no line of the documents is wider than 130 columns, but for what a program printed and what cannot be cut")
    func width() throws {
        for document in try Self.documents() {
            if document.path.contains("/records/") || document.lastPathComponent == "CHANGELOG.md" { continue }
            for line in Self.prose(try String(contentsOf: document, encoding: .utf8)) {
                // A row of a table is one line, and so is a long link.
                if line.hasPrefix("|") || line.contains("](") || line.hasPrefix("<!--") { continue }
                #expect(line.count <= 130, "\(document.lastPathComponent): \(line)")
            }
        }
    }

    @Test("the table of warnings has every code, in the order of consequence")
    func warnings() throws {
        let rows = try Self.section("Warnings", of: "answers.md").filter { $0.hasPrefix("| `") }
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
