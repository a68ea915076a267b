import ArgumentParser
import Domain
import Glibc
import PlawClient
import PlawProtocol

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
            Calibrations that were under way go on; trials in work begin anew.
            """)

    @Argument(help: "File to write; one that is there is replaced when the new one is whole.", completion: .file())
    var file: String
    @OptionGroup var common: Common

    func run() async throws {
        let (file, isQuiet) = (file, common.json)
        let made = try await common.connected { client in
            let made = try await client.call(StoreBackup.self, StoreBackupParams())
            let output = try BackupFile(file)
            do {
                var offset = 0
                while offset < made.bytes {
                    let params = StoreBackupParams(backupId: made.backupId, offset: offset)
                    let piece = try await client.call(StoreBackup.self, params).data ?? ""
                    guard let bytes = Data(base64Encoded: piece), !bytes.isEmpty else {
                        throw CommandFailure("the daemon sent a piece that is not base64")
                    }
                    try output.write(bytes)
                    offset += bytes.count
                    if Terminal.isInteractive, !isQuiet {
                        Terminal.draw(
                            "\r\(Format.bytes(Double(offset))) of \(Format.bytes(Double(made.bytes)))\u{1B}[K")
                    }
                }
                if Terminal.isInteractive, !isQuiet { Terminal.draw("\r\u{1B}[K") }
                try output.finish()
            } catch {
                output.discard()
                throw error
            }
            return made
        }
        try common.show(made) { made in
            Terminal.note(
                "backup written to \(file): \(Format.bytes(Double(made.bytes))), schema \(made.schemaVersion)")
        }
    }
}

/// A file that takes the place of another when it is whole and on the disk; only its owner may read it.
private struct BackupFile: Sendable {
    private let path: String
    private let descriptor: Int32

    private var part: String { path + ".part" }

    init(_ path: String) throws {
        self.path = path
        descriptor = open(path + ".part", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        if descriptor < 0 { throw failure() }
    }

    func write(_ bytes: Data) throws {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: done), bytes.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure() }
            done += count
        }
    }

    func finish() throws {
        guard fsync(descriptor) == 0, close(descriptor) == 0, rename(part, path) == 0 else { throw failure() }
    }

    /// After an error; the descriptor ends with the program.
    func discard() { unlink(part) }

    private func failure() -> CommandFailure {
        CommandFailure("\(path): cannot be written: \(String(cString: strerror(errno)))")
    }
}
