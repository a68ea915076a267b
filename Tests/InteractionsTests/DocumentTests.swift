import Foundation
import Testing

/// What docs/users/formats.md lists is what the reader says, and nothing else.
@Suite struct DocumentTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func manual() throws -> String {
        try String(contentsOf: root.appending(path: "docs/users/formats.md"), encoding: .utf8)
    }

    /// The words between backquotes in the first cells of a section's tables.
    private static func words(_ section: String, _ text: String) throws -> [String] {
        let start = try #require(text.range(of: "\n## \(section)\n"))
        let rest = text[start.upperBound...]
        return rest[..<(rest.range(of: "\n## ")?.lowerBound ?? rest.endIndex)].split(separator: "\n")
            .filter { $0.hasPrefix("| `") }
            .flatMap { $0.split(separator: "|")[0].matches(of: /`([^`]+)`/).map { String($0.output.1) } }
    }

    private static func source() throws -> String {
        let folder = root.appending(path: "Sources/Interactions")
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "swift" }.map { try String(contentsOf: $0, encoding: .utf8) }.joined()
    }

    @Test("the reasons of refusals")
    func refusals() throws {
        let source = try Self.source()
        var given = Set(source.matches(of: /reason: "([a-z-]+)"/).map { String($0.output.1) })
        // A full disk has an error of its own on the wire.
        for match in source.matches(of: /reason: [^"\n]+ \? "no-space" : "([a-z-]+)"/) {
            given.insert(String(match.output.1))
        }
        let listed = try Self.words("Refusals", Self.manual())
        #expect(Set(listed) == given && Set(listed).count == listed.count)
        #expect(given.contains("write") && given.count >= 10)
    }

    @Test("why rows are dropped")
    func dropped() throws {
        let source = try Self.source()
        let listed = try Self.words("Dropped rows", Self.manual())
        #expect(listed.count >= 9)
        // What varies in a reason stands behind these words.
        let stems = listed.map { word in
            ["wrong number of fields", "nothing to compare with in"].first { word.hasPrefix($0) } ?? word
        }
        for stem in stems { #expect(source.contains("\"\(stem)"), "\(stem)") }
        let plain = source.matches(of: /(?:drop\(|return )"([a-z][a-zA-Z ]+[a-z])(?:"| \()/).map { String($0.output.1) }
        #expect(plain.count >= 5)
        for reason in plain { #expect(stems.contains(reason), "\(reason)") }
    }
}
