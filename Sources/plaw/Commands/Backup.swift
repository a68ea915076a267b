import ArgumentParser
import Domain
import Glibc
import Client
import Wire
import Text

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `plaw backup`: writes everything the daemon keeps to a file.
struct Backup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Write everything the daemon keeps to a file, while it works.",
        discussion: """
            The file is a tar archive of a state directory as it is at one moment: the database, the corpora, and what ended \
            trials left. To restore it, unpack it into an empty directory and start plawd there: tar -xf FILE -C DIRECTORY. \
            Calibrations that were under way go on; trials that were running start over.
            """)

    @Argument(
        help: "File to write, or - for standard output; one that is there is replaced when the new one is whole.",
        completion: .file())
    var file: String
    @OptionGroup var common: Common

    func validate() throws {
        guard file == "-" else { return }
        if common.json { throw ValidationError("--json and the archive would both go to standard output") }
        if Console.Stream.output.isTerminal {
            throw ValidationError("standard output is a terminal; name a file or lead it elsewhere")
        }
    }

    func run() async throws {
        let (file, isQuiet) = (file, common.json || file == "-")
        // Everything wrong with the file is said before the daemon makes a snapshot.
        let output = try OutputFile(file, .ownerAlone)
        let made: StoreBackupResult
        do {
            made = try await common.connected { client in
                let made = try await client.call(StoreBackup.self, StoreBackupParams())
                var offset = 0
                while offset < made.bytes {
                    let params = StoreBackupParams(backupId: made.backupId, offset: offset)
                    let piece = try await client.call(StoreBackup.self, params).data ?? ""
                    guard let bytes = Data(base64Encoded: piece), !bytes.isEmpty else {
                        throw CommandFailure("the daemon sent a piece that is not base64")
                    }
                    try output.write(Array(bytes))
                    offset += bytes.count
                    if Terminal.isInteractive, !isQuiet {
                        Console.redraw("\(Format.bytes(Double(offset))) of \(Format.bytes(Double(made.bytes)))")
                    }
                }
                if Terminal.isInteractive, !isQuiet { Console.redraw("") }
                return made
            }
            try output.finish()
        } catch {
            output.discard()
            throw error
        }
        try common.show(made) { made in
            let place = file == "-" ? "standard output" : file
            Terminal.note(
                "backup written to \(place): \(Format.bytes(Double(made.bytes))), schema \(made.schemaVersion)")
        }
    }
}
