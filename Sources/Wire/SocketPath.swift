internal import Glibc

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Where the daemon's socket is.
package enum SocketPath {
    package static let system = "/run/plawd/plawd.sock"

    /// The given path, else `$PLAW_SOCKET`, else the system one where it exists, else the user's own.
    package static func resolve(explicit: String?) -> String {
        if let explicit { return explicit }
        let environment = ProcessInfo.processInfo.environment
        if let path = environment["PLAW_SOCKET"], !path.isEmpty { return path }
        if access(system, F_OK) == 0 { return system }
        return user(environment)
    }

    /// The socket of a daemon that a user runs without systemd.
    package static func user(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> String {
        if let runtime = environment["XDG_RUNTIME_DIR"], !runtime.isEmpty { return runtime + "/plawd/plawd.sock" }
        return (environment["HOME"] ?? "/root") + "/.local/state/plawd/plawd.sock"
    }
}
