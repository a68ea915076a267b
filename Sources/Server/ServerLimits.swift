/// What a server gives its peers at most; who asks for more is told so, or waits.
package struct ServerLimits: Sendable {
    /// Connections served at once.
    package var connections = Quota(connections: 16_384)
    /// Requests in progress at once, over all connections.
    package var requests = Quota(4_096)
    /// What peers follow at once, over all connections, and on one.
    package var subscriptions = Quota(1_024)
    package var subscriptionsOfConnection = 64
    /// Bytes of frames that are being received or worked on; more wait in their sockets. Beside them there is room for some users'
    /// first frames.
    package var frameBytes = Quota(48 << 20)
    package var firstFrameBytes = 16 << 20
    /// Largest frame of a peer that only reads: what it may ask fits easily.
    package var readerFrameBytes = 1 << 20
    /// Bytes of answers that peers have not read. Beyond it a connection that leaves much unread is closed.
    package var unreadBytes = Quota(24 << 20)
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
    /// - Throws: `TooFewDescriptors` when hardly anybody could be served.
    package init(descriptors: Int, workers: Int, loops: Int) throws(TooFewDescriptors) {
        // The database, its log and its readers, corpora, uploads and backups that are being read, libdispatch's looks at /proc; more
        // of them where there are many. What is refused waits its turn with a descriptor for a moment.
        let least = 64 + 8 * workers + 4 * loops
        let kept = max(least, min(512, descriptors / 4))
        let left = min(connections.total, descriptors - kept)
        guard left >= Self.fewestConnections else {
            throw TooFewDescriptors(found: descriptors, needed: least + Self.fewestConnections)
        }
        connections = Quota(connections: left)
    }

    /// Of fewer a single busy client may need all.
    private static let fewestConnections = 16
}

extension Quota {
    /// Of connections, which cost little while they say nothing: a user that reads may have the half of them.
    package init(connections total: Int) {
        self.init(total)
        reader = max(1, total / 2)
        readers = max(1, total * 3 / 4)
    }
}

/// The limit of open files leaves no room for connections.
package struct TooFewDescriptors: Error, CustomStringConvertible {
    var found: Int
    var needed: Int

    package var description: String {
        "\(found) files may be open at once, \(needed) are needed at least; raise the limit (LimitNOFILE=, ulimit -n)"
    }
}
