/// What a server gives its peers at most; who asks for more is told so, or waits.
package struct ServerLimits: Sendable {
    /// Connections served at once, of everybody and of one user.
    package var connections = 16_384
    package var connectionsOfUser = 12_288
    /// Requests in work at once, over all connections.
    package var requests = 4_096
    /// What peers follow at once, over all connections and on one.
    package var subscriptions = 1_024
    package var subscriptionsOfConnection = 64
    /// Bytes of frames that are being received or worked on, of everybody and of one user; more wait in their sockets.
    package var frameBytes = 48 << 20
    package var frameBytesOfUser = 32 << 20
    /// Bytes of answers that peers have not read. Beyond it a connection that leaves much unread is closed.
    package var unreadBytes = 24 << 20
    package var unreadBytesOfConnection = 64 << 10
    /// Seconds without a request, with a frame unfinished, and with answers unread, after which a connection is closed.
    package var idleSeconds = 900.0
    package var unfinishedSeconds = 30.0
    package var unreadSeconds = 60.0

    package init() {}

    /// As many connections as descriptors allow that the process may open, up to the usual number.
    ///
    /// - Parameter descriptors: what the kernel lets the process open.
    /// - Parameter workers: processes that it may start at once, each with some pipes.
    /// - Parameter loops: event loops, each with some descriptors of its own.
    /// Errors: `TooFewDescriptors` when hardly anybody could be served.
    package init(descriptors: Int, workers: Int, loops: Int) throws(TooFewDescriptors) {
        // The database, its log and its readers, corpora, uploads and backups that are being read, libdispatch's looks at /proc; more
        // of them where there are many. What is refused waits its turn with a descriptor for a moment.
        let least = 64 + 8 * workers + 4 * loops
        let kept = max(least, min(512, descriptors / 4))
        let left = min(connections, descriptors - kept)
        guard left >= Self.fewestConnections else {
            throw TooFewDescriptors(found: descriptors, needed: least + Self.fewestConnections)
        }
        connections = left
        connectionsOfUser = left * 3 / 4
    }

    /// Of fewer a single busy client may need all.
    private static let fewestConnections = 16
}

/// The limit of open files leaves no room for connections.
package struct TooFewDescriptors: Error, CustomStringConvertible {
    var found: Int
    var needed: Int

    package var description: String {
        "\(found) files may be open at once, \(needed) are needed at least; raise the limit (LimitNOFILE=, ulimit -n)"
    }
}
