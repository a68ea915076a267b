import Files
import Foundation
import Glibc
import PlawTesting
import Synchronization
import Testing

/// Interruptions that reached a thread.
private let interruptions = Atomic<Int>(0)

/// Runs a body on a thread that can be interrupted until the body has ended.
// Safe to share: what both threads touch is atomic, or written before the semaphore that the other waits for.
private final class Worker: @unchecked Sendable {
    private let begun = DispatchSemaphore(value: 0)
    private let mayEnd = DispatchSemaphore(value: 0)
    private let isOver = Atomic(false)
    private var thread = pthread_t()
    private(set) var result = 0

    init(_ body: @escaping @Sendable () -> Int) {
        Thread.detachNewThread { [self] in
            // Threads of tasks block signals, and those that they start with them.
            var signals = sigset_t()
            sigemptyset(&signals)
            sigaddset(&signals, SIGUSR2)
            pthread_sigmask(SIG_UNBLOCK, &signals, nil)
            thread = pthread_self()
            begun.signal()
            result = body()
            isOver.store(true, ordering: .releasing)
            mayEnd.wait()
        }
        begun.wait()
    }

    /// False when the body has ended; the thread is there until `end`.
    func interrupt() -> Bool {
        if isOver.load(ordering: .acquiring) { return false }
        pthread_kill(thread, SIGUSR2)
        return true
    }

    func end() { mayEnd.signal() }
}

@Suite(.serialized) struct DescriptorTests {
    @Test("a call that a signal interrupts is made again; another error ends it")
    func again() {
        var calls = 0
        let result = uninterrupted { () -> Int in
            calls += 1
            errno = calls < 4 ? EINTR : EIO
            return -1
        }
        #expect(result == -1 && errno == EIO && calls == 4)
        #expect(uninterrupted { () -> Int32 in 0 } == 0)
    }

    @Test("a pipe is written and read whole while signals interrupt both ends")
    func pipe() throws {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in interruptions.wrappingAdd(1, ordering: .relaxed) }
        // Without SA_RESTART: a call in progress fails with EINTR, or ends short.
        action.sa_flags = 0
        try #require(sigaction(SIGUSR2, &action, nil) == 0)
        defer { signal(SIGUSR2, SIG_DFL) }
        var ends: [Int32] = [0, 0]
        try #require(Glibc.pipe(&ends) == 0)
        let (output, input) = (ends[0], ends[1])
        let bytes = (0..<8 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let received = Mutex<[UInt8]>([])
        let writer = Worker {
            defer { close(input) }
            return bytes.withUnsafeBytes { writeAll(input, $0) } ? bytes.count : -1
        }
        let gate = DispatchSemaphore(value: 0)
        let reader = Worker {
            gate.wait()
            // Late, so that the writer waits, and is interrupted while it does.
            usleep(100_000)
            var buffer = [UInt8](repeating: 0, count: bytes.count + 1)
            let count = buffer.withUnsafeMutableBytes { readAll(output, into: $0) }
            received.withLock { $0 = Array(buffer.prefix(max(0, count))) }
            return count
        }
        // Until the pipe is full the writer is not held up, and then it must be interrupted.
        gate.signal()
        var isOver = false
        while !isOver {
            let (writes, reads) = (writer.interrupt(), reader.interrupt())
            isOver = !writes && !reads
            usleep(50)
        }
        let count = interruptions.load(ordering: .relaxed)
        #expect(count > 0)
        #expect(writer.result == bytes.count && reader.result == bytes.count)
        #expect(received.withLock { $0 } == bytes)
        writer.end()
        reader.end()
        close(output)
    }

    @Test("places of a file are written and read, short where it ends, and errors are told")
    func places() throws {
        let path = NSTemporaryDirectory() + "plaw-files-\(UInt64.random(in: 0...UInt64.max))"
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0)
        defer {
            close(descriptor)
            unlink(path)
        }
        #expect(writeAll(descriptor, "abc"))
        #expect(Array("def".utf8).withUnsafeBytes { writeAll(descriptor, $0, at: 2) })
        var found = [UInt8](repeating: 0, count: 10)
        #expect(found.withUnsafeMutableBytes { readAll(descriptor, into: $0, at: 1) } == 4)
        #expect(Array(found[..<4]) == Array("bdef".utf8))
        #expect(found.withUnsafeMutableBytes { readAll(-1, into: $0) } == -1 && errno == EBADF)
        #expect(!writeAll(-1, "x") && errno == EBADF)
    }

    @Test("no program reads or writes a descriptor but through these")
    func oneWay() throws {
        let calls = try Regex(
            #"(^|[^.\w])(Glibc\.)?(pread|pwrite|readv|writev|(read|write)\([A-Za-z]*([dD]escriptor|_FILENO|fd)\b)"#)
        var seen = 0
        let root = Paths.root + "/Sources"
        for file in try FileManager.default.subpathsOfDirectory(atPath: root) where file.hasSuffix(".swift") {
            let module = String(file.prefix { $0 != "/" })
            if module == "Files" { continue }
            seen += 1
            let text = try String(contentsOfFile: root + "/" + file, encoding: .utf8)
            for line in text.split(separator: "\n") where !line.drop(while: { $0 == " " }).hasPrefix("//") {
                #expect(line.firstMatch(of: calls) == nil, "\(file): \(line)")
            }
        }
        #expect(seen > 150)
    }
}
