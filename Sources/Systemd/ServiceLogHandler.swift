internal import CSystemd
internal import Glibc
package import Logging

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Logs to the journal with queryable fields where standard error is the journal, else as plain lines to standard error.
///
/// Metadata `dataset`, `job` and `trial` become the journal fields PLAW_DATASET, PLAW_JOB and PLAW_TRIAL.
package struct ServiceLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level
    private let label: String
    private let isJournal: Bool

    package init(label: String, level: Logger.Level = .info) {
        self.label = label
        logLevel = level
        isJournal = Self.standardErrorIsJournal()
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        if isJournal {
            send(Self.fields(level: event.level, message: "\(event.message)", metadata: all))
        } else {
            let line = Self.line(
                time: Date().formatted(.iso8601), level: event.level, label: label, message: "\(event.message)",
                metadata: all)
            _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        }
    }

    static func line(
        time: String, level: Logger.Level, label: String, message: String, metadata: Logger.Metadata
    ) -> String {
        let pairs = metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        return "\(time) \(level) \(label): \(message)\(pairs)".split(whereSeparator: \.isNewline).joined(
            separator: " | ") + "\n"
    }

    /// Journal fields of an event; priorities as in syslog.
    static func fields(level: Logger.Level, message: String, metadata: Logger.Metadata) -> [String] {
        let priority =
            switch level {
            case .trace, .debug: 7
            case .info: 6
            case .notice: 5
            case .warning: 4
            case .error: 3
            case .critical: 2
            }
        let rest = metadata.filter { !["dataset", "job", "trial"].contains($0.key) }.sorted { $0.key < $1.key }
        var fields = [
            "MESSAGE=" + message + rest.map { " \($0.key)=\($0.value)" }.joined(), "PRIORITY=\(priority)",
        ]
        for name in ["dataset", "job", "trial"] {
            if let value = metadata[name] { fields.append("PLAW_\(name.uppercased())=\(value)") }
        }
        return fields
    }

    private func send(_ fields: [String]) {
        let copies = fields.map { strdup($0) }
        defer { copies.forEach { free($0) } }
        let parts = copies.map { iovec(iov_base: $0, iov_len: $0.map { strlen($0) } ?? 0) }
        sd_journal_sendv(parts, Int32(parts.count))
    }

    /// systemd names the device and inode of the journal's stream in JOURNAL_STREAM.
    private static func standardErrorIsJournal() -> Bool {
        guard let stream = getenv("JOURNAL_STREAM").map({ String(cString: $0) }) else { return false }
        var status = stat()
        guard fstat(STDERR_FILENO, &status) == 0 else { return false }
        return stream == "\(status.st_dev):\(status.st_ino)"
    }
}
