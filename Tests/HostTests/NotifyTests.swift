import Glibc
import PlawTesting
import Host
import Testing

// The environment belongs to the whole process, where other suites run beside this one and start programs with it: each of
// these tests runs in a process of its own.
#if compiler(>=6.2)
@Suite struct NotifyTests {
    @Test("what a service says arrives word for word, one datagram each")
    func words() async {
        await #expect(processExitsWith: .success) {
            try await withTemporaryFolder { folder in
                let manager = try NotifySocket(path: folder + "/notify")
                setenv("NOTIFY_SOCKET", manager.path, 1)
                ServiceManager.ready(status: "serving 3 laws of 2 datasets")
                #expect(manager.next() == "READY=1\nSTATUS=serving 3 laws of 2 datasets")
                ServiceManager.status("größer: 50 % 🎬")
                #expect(manager.next() == "STATUS=größer: 50 % 🎬")
                ServiceManager.watchdogAlive()
                #expect(manager.next() == "WATCHDOG=1")
                ServiceManager.stillStarting(seconds: 300)
                #expect(manager.next() == "EXTEND_TIMEOUT_USEC=300000000")
                ServiceManager.stopping()
                #expect(manager.next() == "STOPPING=1")
                #expect(manager.next() == nil)
            }
        }
    }

    @Test("a reload is announced with the time it begins, by the clock systemd reads")
    func reloading() async {
        await #expect(processExitsWith: .success) {
            try await withTemporaryFolder { folder in
                func now() -> Int {
                    var now = timespec()
                    clock_gettime(CLOCK_MONOTONIC, &now)
                    return now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
                }
                let manager = try NotifySocket(path: folder + "/notify")
                setenv("NOTIFY_SOCKET", manager.path, 1)
                let before = now()
                ServiceManager.reloading()
                let after = now()
                let parts = try #require(manager.next()).split(separator: "\nMONOTONIC_USEC=")
                #expect(parts.first == "RELOADING=1")
                let time = try #require(parts.last.flatMap { Int($0) })
                #expect(time >= before && time <= after)
            }
        }
    }

    @Test("a status of many lines becomes one line, so that it says nothing else to systemd")
    func linesOfStatus() async {
        await #expect(processExitsWith: .success) {
            try await withTemporaryFolder { folder in
                let manager = try NotifySocket(path: folder + "/notify")
                setenv("NOTIFY_SOCKET", manager.path, 1)
                for text in ["a\nSTOPPING=1", "a\r\nSTOPPING=1", "\na\n\nSTOPPING=1\n"] {
                    ServiceManager.status(text)
                    let status = try #require(manager.next())
                    #expect(!status.utf8.contains(10), "of \(text.debugDescription)")
                    #expect(status.hasPrefix("STATUS=a"))
                    #expect(status.hasSuffix("STOPPING=1"))
                    ServiceManager.ready(status: text)
                    let ready = try #require(manager.next())
                    #expect(ready.utf8.count { $0 == 10 } == 1, "of \(text.debugDescription)")
                    #expect(ready.hasPrefix("READY=1\nSTATUS=a"))
                }
            }
        }
    }

    @Test("without systemd, or with one that is gone, nothing is said and nothing breaks")
    func nobody() async {
        await #expect(processExitsWith: .success) {
            try await withTemporaryFolder { folder in
                let manager = try NotifySocket(path: folder + "/notify")
                for value in [nil, "", "/nowhere/at/all", "relative", folder, "@plaw-nobody"] {
                    if let value { setenv("NOTIFY_SOCKET", value, 1) } else { unsetenv("NOTIFY_SOCKET") }
                    ServiceManager.ready(status: "a")
                    ServiceManager.status("b")
                    ServiceManager.reloading()
                    ServiceManager.watchdogAlive()
                    ServiceManager.stopping()
                }
                #expect(manager.next() == nil)
            }
        }
    }

    @Test("the watchdog's time is read where it is meant for this process")
    func watchdogSeconds() async {
        await #expect(processExitsWith: .success) {
            unsetenv("WATCHDOG_PID")
            unsetenv("WATCHDOG_USEC")
            #expect(ServiceManager.watchdogSeconds() == nil)
            setenv("WATCHDOG_USEC", "400000", 1)
            #expect(ServiceManager.watchdogSeconds() == 0.4)
            setenv("WATCHDOG_PID", "\(getpid())", 1)
            #expect(ServiceManager.watchdogSeconds() == 0.4)
            setenv("WATCHDOG_PID", "1", 1)
            #expect(ServiceManager.watchdogSeconds() == nil)
            unsetenv("WATCHDOG_PID")
            for value in ["", "0", "soon", "-1"] {
                setenv("WATCHDOG_USEC", value, 1)
                #expect(ServiceManager.watchdogSeconds() == nil, "\(value)")
            }
        }
    }

    @Test("a process that systemd gave no sockets has none")
    func noSockets() async {
        await #expect(processExitsWith: .success) {
            for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) }
            #expect(ServiceManager.listeningSockets().isEmpty)
            // Sockets of another process are not this one's.
            setenv("LISTEN_PID", "1", 1)
            setenv("LISTEN_FDS", "2", 1)
            #expect(ServiceManager.listeningSockets().isEmpty)
        }
    }
}
#endif
