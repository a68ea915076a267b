import Foundation
import Glibc
import Logging
import Wire
import PlawTesting
import Testing

@testable import Host

@Suite struct LogTests {
    private func line(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata = [:]) -> String {
        ServiceLogHandler.line(
            time: "2026-01-02T03:04:05Z", level: level, label: "plawd", message: message, metadata: metadata)
    }

    @Test("a line has time, level, label, message and metadata by name", arguments: Logger.Level.allCases)
    func lines(level: Logger.Level) {
        #expect(line(level, "ready") == "2026-01-02T03:04:05Z \(level.rawValue) plawd: ready\n")
        #expect(
            line(level, "ready", ["laws": "2", "dataset": "books", "a": ["x", "y"]])
                == "2026-01-02T03:04:05Z \(level.rawValue) plawd: ready a=[\"x\", \"y\"] dataset=books laws=2\n")
    }

    @Test(
        "a message of many lines stays one line, so that nobody can forge another",
        arguments: ["one\ntwo", "one\r\ntwo", "one\n\n\ntwo\n", "one\r\n\r\ntwo\r\n"])
    func manyLines(text: String) {
        for line in [line(.info, text), line(.info, "failed", ["error": "\(text)"])] {
            #expect(line.utf8.count { $0 == 10 } == 1, "\(line.debugDescription)")
            #expect(line.utf8.last == 10)
            #expect(line.contains("one") && line.contains("two"))
        }
    }

    @Test(
        "the journal is told the priority as in syslog",
        arguments: [
            (Logger.Level.trace, 7), (.debug, 7), (.info, 6), (.notice, 5), (.warning, 4), (.error, 3), (.critical, 2),
        ])
    func priorities(level: Logger.Level, priority: Int) {
        #expect(
            ServiceLogHandler.fields(level: level, message: "ready", metadata: [:])
                == ["MESSAGE=ready", "PRIORITY=\(priority)"])
    }

    @Test("dataset, job and trial become fields of the journal, other metadata stands in the message")
    func fields() {
        #expect(
            ServiceLogHandler.fields(
                level: .info, message: "calibration started",
                metadata: ["trial": "7", "job": "3", "dataset": "books", "state": "running", "error": "a=b"])
                == [
                    "MESSAGE=calibration started error=a=b state=running", "PRIORITY=6", "PLAW_DATASET=books",
                    "PLAW_JOB=3", "PLAW_TRIAL=7",
                ])
        #expect(
            ServiceLogHandler.fields(level: .error, message: "", metadata: ["job": "3"])
                == ["MESSAGE=", "PRIORITY=3", "PLAW_JOB=3"])
    }

    @Test("an event has its name and its number in the journal, and neither in a line")
    func events() {
        #expect(
            ServiceLogHandler.fields(
                level: .notice, message: "ready", metadata: ["event": "ready", "job": "3"],
                messageIDs: JournalEvent.messageIDs)
                == [
                    "MESSAGE=ready", "PRIORITY=5", "PLAW_JOB=3", "PLAW_EVENT=ready",
                    "MESSAGE_ID=0df9b9316c704d96a2eef5eae8bf697d",
                ])
        #expect(line(.notice, "ready", ["event": "ready"]) == "2026-01-02T03:04:05Z notice plawd: ready\n")
    }

    @Test("the manual's table has every kind of event with its number, and no two have the same")
    func manual() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let manual = try String(contentsOf: root.appendingPathComponent("docs/users/monitor.md"), encoding: .utf8)
        for event in JournalEvent.allCases {
            #expect(event.messageID.count == 32)
            #expect(manual.contains("| `\(event)` | `\(event.messageID)` |"), "\(event)")
        }
        #expect(Set(JournalEvent.allCases.map(\.messageID)).count == JournalEvent.allCases.count)
    }

    @Test("a level that is changed holds for loggers that are in use, but not for one with a level of its own")
    func levels() {
        let level = LogLevel(.info)
        let shared = Logger(label: "test") { ServiceLogHandler(label: $0, level: level) }
        var own = shared
        own.logLevel = .error
        #expect(shared.logLevel == .info)
        level.value = .debug
        #expect(shared.logLevel == .debug)
        #expect(own.logLevel == .error)
    }

    #if compiler(>=6.2)
    @Test("a logger writes what is at its level or above to standard error, with its own metadata and the event's")
    func handler() async throws {
        let ended = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            // The device and inode of something that is not standard error.
            setenv("JOURNAL_STREAM", "1:1", 1)
            var logger = Logger(label: "test") { ServiceLogHandler(label: $0, level: .notice) }
            logger[metadataKey: "job"] = "3"
            logger[metadataKey: "state"] = "queued"
            logger.info("silence")
            logger.notice("spoken", metadata: ["state": "running"])
            logger.logLevel = .debug
            logger.debug("loud")
            #expect(logger[metadataKey: "job"] == "3")
        }
        let text = String(decoding: try #require(ended).standardErrorContent, as: UTF8.self)
        let lines = text.split(separator: "\n").filter { $0.contains(" test: ") }
        try #require(lines.count == 2)
        #expect(lines[0].hasSuffix(" notice test: spoken job=3 state=running"))
        #expect(lines[1].hasSuffix(" debug test: loud job=3 state=queued"))
        #expect(lines[0].prefix(20).last == "Z")
    }

    @Test("where standard error is the journal, no line is written to it besides")
    func journal() async throws {
        let ended = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            var status = stat()
            #expect(fstat(STDERR_FILENO, &status) == 0)
            setenv("JOURNAL_STREAM", "\(status.st_dev):\(status.st_ino)", 1)
            let logger = Logger(label: "test") { ServiceLogHandler(label: $0) }
            logger.error("to the journal", metadata: ["job": "1", "error": "a\nb"])
        }
        #expect(!String(decoding: try #require(ended).standardErrorContent, as: UTF8.self).contains("to the journal"))
    }
    #endif
}
