import ArgumentParser
import Domain
import Client
import Wire
import Text

/// `plaw sequences`: writes what was read of a dataset's files.
struct Sequences: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write what was read: each user with its items in order of time.",
        discussion: """
            A line is `user TAB item item ...`; users are sorted by their bytes. Names are written as they are, but for \
            control characters. With --json a line is {"items": [...], "user": "..."}, which also tells blanks inside \
            names from those between them.
            """)

    @Argument(help: "Name of the dataset.") var name: String
    @Option(help: "One user alone.") var user: String?
    @Option(name: .shortAndLong, help: "File to write. Default: standard output.", completion: .file())
    var output: String?
    @OptionGroup var common: Common

    func run() async throws {
        let file = try OutputFile(output ?? "-")
        do {
            let users = try await common.connected { client in try await write(client, to: file) }
            try file.finish()
            if let output, output != "-" {
                Terminal.note(
                    "sequences of \(Format.count(users)) \(users == 1 ? "user" : "users") written to \(output)")
            }
        } catch {
            file.discard()
            throw error
        }
    }

    /// Writes page after page; the number of users.
    private func write(_ client: PlawClient, to file: OutputFile) async throws -> Int {
        var params = DatasetSequencesParams(name: name, user: user)
        var version: String?
        var users = 0
        // A user whose items go on in the next page waits for it.
        var open: DatasetSequencesResult.Sequence?
        repeat {
            let page = try await client.call(DatasetSequences.self, params)
            guard version == nil || version == page.version else {
                throw CommandFailure("\"\(name)\" was removed and registered again meanwhile; run it again")
            }
            version = page.version
            var bytes: [UInt8] = []
            for sequence in page.sequences {
                if var before = open, before.user == sequence.user {
                    before.items += sequence.items
                    open = before
                    continue
                }
                if let open { try bytes.append(contentsOf: line(open)) }
                users += 1
                open = sequence
            }
            try file.write(bytes)
            params.after = page.next
        } while params.after != nil
        if let open { try file.write(line(open)) }
        return users
    }

    private func line(_ sequence: DatasetSequencesResult.Sequence) throws -> [UInt8] {
        if common.json { return Array((Foreign.json(try jsonLine(sequence)) + "\n").utf8) }
        let items = sequence.items.map(Foreign.line).joined(separator: " ")
        return Array("\(Foreign.line(sequence.user))\t\(items)\n".utf8)
    }
}
