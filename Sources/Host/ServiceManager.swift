internal import CSystemd
internal import Glibc

/// What a service says to systemd and hears from it; without systemd everything here does nothing.
package enum ServiceManager {
    /// Tells systemd that peers can connect.
    package static func ready(status: String) { notify("READY=1\nSTATUS=\(line(status))") }

    /// One line on what the service is doing.
    package static func status(_ text: String) { notify("STATUS=\(line(text))") }

    /// Whether somebody listens to what is said here.
    package static var isPresent: Bool { getenv("NOTIFY_SOCKET") != nil }

    /// A start that takes its time: systemd waits this long for the next sign before it gives the service up.
    package static func stillStarting(seconds: Int) { notify("EXTEND_TIMEOUT_USEC=\(seconds * 1_000_000)") }

    package static func stopping() { notify("STOPPING=1") }

    /// A reload has begun; end it with `ready`.
    package static func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        notify("RELOADING=1\nMONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000)")
    }

    package static func watchdogAlive() { notify("WATCHDOG=1") }

    /// Seconds within which systemd expects `watchdogAlive`; nil without a watchdog.
    package static func watchdogSeconds() -> Double? {
        var microseconds: UInt64 = 0
        return sd_watchdog_enabled(0, &microseconds) > 0 ? Double(microseconds) / 1e6 : nil
    }

    /// Listening stream sockets that systemd opened for this process, close-on-exec set, by name. Call once, early: the
    /// variables that announce them are removed so that children do not see them.
    package static func listeningSockets() -> [(name: String, descriptor: Int32)] {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = sd_listen_fds_with_names(1, &names)
        defer { free(names) }
        guard count > 0 else { return [] }
        return (0..<Int(count)).compactMap { index in
            let descriptor = Int32(SD_LISTEN_FDS_START) + Int32(index)
            let name = names?[index].map { String(cString: $0) } ?? ""
            free(names?[index])
            let flags = fcntl(descriptor, F_GETFD)
            _ = fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC)
            guard sd_is_socket(descriptor, AF_UNIX, Int32(SOCK_STREAM.rawValue), 1) > 0 else { return nil }
            return (name, descriptor)
        }
    }

    private static func line(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    private static func notify(_ state: String) { sd_notify(0, state) }
}
