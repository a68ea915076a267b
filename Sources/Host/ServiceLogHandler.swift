internal import CSystemd
internal import Glibc
package import Logging
internal import Synchronization
internal import Text

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// A level of logging that can be changed while loggers use it.
package final class LogLevel: Sendable {
    private let level: Mutex<Logger.Level>

    package init(_ value: Logger.Level) { level = Mutex(value) }

    package var value: Logger.Level {
        get { level.withLock { $0 } }
        set { level.withLock { $0 = newValue } }
    }
}

/// Logs to the journal with queryable fields where standard error is the journal, else as plain lines to standard error.
///
/// Metadata `dataset`, `job` and `trial` become the journal fields PLAW_DATASET, PLAW_JOB and PLAW_TRIAL. Metadata `event`, the
/// name of a kind of event, becomes PLAW_EVENT and the MESSAGE_ID that belongs to it; plain lines leave it out.
package struct ServiceLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    private let label: String
    private let isJournal: Bool
    private let sharedLevel: LogLevel
    private var ownLevel: Logger.Level?
    private let messageIDs: [String: String]

    /// - Parameters:
    ///   - label: name of the logger.
    ///   - level: shared by all copies of the handler that were given no level of their own.
    ///   - messageIDs: journal message numbers, 32 hexadecimal digits, by name of the event.
    package init(label: String, level: LogLevel, messageIDs: [String: String] = [:]) {
        self.label = label
        sharedLevel = level
        self.messageIDs = messageIDs
        isJournal = Self.standardErrorIsJournal()
    }

    package init(label: String, level: Logger.Level = .info) {
        self.init(label: label, level: LogLevel(level))
    }

    package var logLevel: Logger.Level {
        get { ownLevel ?? sharedLevel.value }
        set { ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        if isJournal {
            send(
                Self.fields(
                    level: event.level, message: "\(event.message)", metadata: all, messageIDs: messageIDs))
        } else {
            let line = Self.line(
                time: Date().formatted(.iso8601), level: event.level, label: label, message: "\(event.message)",
                metadata: all)
            Console.line(String(line.dropLast()), to: .errors)
        }
    }

    static func line(
        time: String, level: Logger.Level, label: String, message: String, metadata: Logger.Metadata
    ) -> String {
        let pairs = metadata.filter { $0.key != "event" }.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
            .joined()
        let parts = "\(time) \(level) \(label): \(message)\(pairs)".split(whereSeparator: \.isNewline)
        return Foreign.line(parts.joined(separator: " | ")) + "\n"
    }

    /// Journal fields of an event; priorities as in syslog.
    static func fields(
        level: Logger.Level, message: String, metadata: Logger.Metadata, messageIDs: [String: String] = [:]
    ) -> [String] {
        let priority =
            switch level {
            case .trace, .debug: 7
            case .info: 6
            case .notice: 5
            case .warning: 4
            case .error: 3
            case .critical: 2
            }
        let rest = metadata.filter { !["dataset", "event", "job", "trial"].contains($0.key) }.sorted { $0.key < $1.key }
        var fields = [
            // What others wrote in it reaches a terminal by way of journalctl.
            "MESSAGE=" + Foreign.lines(message + rest.map { " \($0.key)=\($0.value)" }.joined()),
            "PRIORITY=\(priority)",
        ]
        for name in ["dataset", "job", "trial", "event"] {
            if let value = metadata[name] { fields.append("PLAW_\(name.uppercased())=\(value)") }
        }
        if let event = metadata["event"], let number = messageIDs["\(event)"] { fields.append("MESSAGE_ID=\(number)") }
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
