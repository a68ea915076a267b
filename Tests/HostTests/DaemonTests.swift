import Foundation
import Glibc
import PlawTesting
import Testing

/// systemd's own tool that passes a listening socket to a program.
private let activator = "/usr/bin/systemd-socket-activate"

@Suite struct DaemonTests {
    @Test("plawd is ready when its socket answers and not before, feeds its watchdog, and says when it stops")
    func lifetime() async throws {
        try await withTemporaryFolder { folder in
            let manager = try NotifySocket(path: folder + "/notify")
            let socket = folder + "/plawd.sock"
            // Listens from before the daemon starts, so that it asks the socket in the moment it is told.
            let ready = Task {
                var said = await manager.receive(seconds: 30)
                // It may live before it is ready.
                while said == "WATCHDOG=1" { said = await manager.receive(seconds: 30) }
                return (said, try RawConnection(path: socket))
            }
            let (_, status) = try await withDaemon(
                in: folder, environment: ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"]
            ) { daemon in
                let (said, peer) = try await ready.value
                defer { peer.close() }
                #expect(said == "READY=1\nSTATUS=serving 0 laws of 0 datasets")
                let info = try await Info(from: peer)
                #expect(info.pid == daemon.pid)
                for _ in 0..<4 { #expect(await manager.receive(seconds: 5) == "WATCHDOG=1") }
                daemon.signal(SIGTERM)
                var last = await manager.receive()
                while last == "WATCHDOG=1" { last = await manager.receive() }
                #expect(last == "STOPPING=1")
            }
            #expect(status == .exited(0))
            var rest: [String] = []
            while let said = manager.next() { rest.append(said) }
            #expect(rest.allSatisfy { $0 == "WATCHDOG=1" }, "\(rest)")
        }
    }

    @Test(
        "the watchdog is fed also when the wall clock is set back by a day",
        .enabled(if: WallClock.canBeSet, "clang is not installed"))
    func clockSetBack() async throws {
        try await withTemporaryFolder { folder in
            let (manager, clock) = (try NotifySocket(path: folder + "/notify"), try await WallClock(in: folder))
            let settings = ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"]
            _ = try await withDaemon(in: folder, environment: settings.merging(clock.environment) { $1 }) { daemon in
                var said = await manager.receive(seconds: 30)
                while said == "WATCHDOG=1" { said = await manager.receive(seconds: 30) }
                #expect(said?.hasPrefix("READY=1\n") == true)
                try clock.set(-86_400)
                for _ in 0..<4 { #expect(await manager.receive(seconds: 5) == "WATCHDOG=1") }
                daemon.signal(SIGTERM)
            }
        }
    }

    @Test("a plawd without a watchdog sends no signs of life")
    func noWatchdog() async throws {
        try await withTemporaryFolder { folder in
            let manager = try NotifySocket(path: folder + "/notify")
            _ = try await withDaemon(in: folder, environment: ["NOTIFY_SOCKET": manager.path]) { daemon in
                #expect(await manager.receive()?.hasPrefix("READY=1\n") == true)
                #expect(await manager.receive(seconds: 1) == nil)
                daemon.signal(SIGINT)
                #expect(await manager.receive() == "STOPPING=1")
            }
        }
    }

    @Test("SIGHUP takes a good configuration, keeps the former one beside a bad one, and says which")
    func reload() async throws {
        try await withTemporaryFolder { folder in
            let manager = try NotifySocket(path: folder + "/notify")
            let file = folder + "/plawd.json"
            @Sendable func configure(_ text: String) throws {
                try text.write(toFile: file, atomically: true, encoding: .utf8)
            }
            /// What is said at a reload, without the moment it began.
            @Sendable func reloaded(_ daemon: DaemonProcess) async -> String? {
                daemon.signal(SIGHUP)
                #expect(await manager.receive()?.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") == true)
                return await manager.receive()
            }
            try configure(#"{ "logLevel": "info" }"#)
            let (_, status) = try await withDaemon(
                in: folder, arguments: ["--config", file], environment: ["NOTIFY_SOCKET": manager.path]
            ) { daemon in
                let serving = "READY=1\nSTATUS=serving 0 laws of 0 datasets"
                #expect(await manager.receive() == serving)
                try configure(#"{ "workers": 0 }"#)
                #expect(
                    await reloaded(daemon)
                        == serving + "; configuration refused, the former one stays: "
                        + "\(file): workers: found 0, expected a whole number from 1 to 256")
                #expect(daemon.logged.contains(" error plawd: configuration refused, the former one stays error="))
                let peer = try RawConnection(path: daemon.socket)
                defer { peer.close() }
                #expect(try await Info(from: peer).pid == daemon.pid)
                #expect(!daemon.logged.contains("peer connected"))
                try configure(#"{ "logLevel": "debug" }"#)
                #expect(await reloaded(daemon) == serving)
                let second = try RawConnection(path: daemon.socket)
                defer { second.close() }
                #expect(try await Info(from: second).pid == daemon.pid)
                #expect(daemon.logged.contains("peer connected"))
            }
            #expect(status == .exited(0))
        }
    }

    @Test("--check-config says whether a file can be used, and starts nothing")
    func checkConfiguration() async throws {
        try await withTemporaryFolder { folder in
            let file = folder + "/plawd.json"
            let arguments = ["--state-directory", folder + "/state", "--config", file, "--check-config"]
            try #"{ "trialMemoryBytes": 1048576, "trialCgroups": true }"#.write(
                toFile: file, atomically: true, encoding: .utf8)
            #expect(try await runProgram("plawd", arguments).code == 0)
            for (text, words) in [
                (#"{ "trialMemoryBytes": 1000 }"#, "trialMemoryBytes: found 1000, expected"),
                (#"{ "trialCgroups": "yes" }"#, "trialCgroups: found \"yes\", expected true or false"),
            ] {
                try text.write(toFile: file, atomically: true, encoding: .utf8)
                let outcome = try await runProgram("plawd", arguments)
                #expect(outcome.code == 1)
                #expect(outcome.errors.contains(words), "\(outcome.errors)")
            }
            #expect(access(folder + "/state", F_OK) != 0)
        }
    }

    @Test("a plawd that cannot start never says that it is ready, and says why")
    func failedStart() async throws {
        try await withTemporaryFolder { folder in
            let manager = try NotifySocket(path: folder + "/notify")
            let tooLong = folder + "/" + String(repeating: "x", count: 120)
            let outcome = try await runProgram(
                "plawd", ["--state-directory", folder + "/state", "--socket", tooLong],
                environment: ["NOTIFY_SOCKET": manager.path])
            #expect(outcome.code == 1)
            #expect(outcome.errors.hasPrefix("plawd: ") || outcome.errors.contains("\nplawd: "))
            while let said = manager.next() { #expect(!said.contains("READY=1")) }
        }
    }

    @Test(
        "plawd serves on the socket systemd holds, answers who came before it ran, and leaves the socket when it ends",
        .enabled(if: access(activator, X_OK) == 0, "systemd-socket-activate is not installed"))
    func socketActivation() async throws {
        try await withTemporaryFolder { folder in
            let socket = folder + "/a.sock"
            let manager = try NotifySocket(path: folder + "/notify")
            async let outcome = runProgram(
                path: activator,
                [
                    "--listen", socket, "--fdname", "plawd.socket", "--setenv", "NOTIFY_SOCKET=\(manager.path)",
                    Paths.program("plawd"), "--state-directory", folder + "/state", "--socket",
                    folder + "/other.sock",
                ])
            // The daemon is started by the first connection that is made.
            var connection: RawConnection?
            #expect(
                await waitUntil {
                    connection = try? RawConnection(path: socket)
                    return connection != nil
                })
            let first = try #require(connection)
            defer { first.close() }
            let info = try await Info(from: first)
            #expect(info.name == "plawd")
            #expect(info.stateDirectory == folder + "/state")
            #expect(await manager.receive() == "READY=1\nSTATUS=serving 0 laws of 0 datasets")
            let second = try RawConnection(path: socket)
            defer { second.close() }
            let again = try await Info(from: second)
            #expect(again.pid == info.pid)
            #expect(access(folder + "/other.sock", F_OK) != 0)
            #expect(kill(info.pid, SIGTERM) == 0)
            let ended = try await outcome
            #expect(ended.code == 0, "\(ended.errors)")
            // It belongs to systemd, which goes on listening for the next start.
            #expect(access(socket, F_OK) == 0)
        }
    }
}
