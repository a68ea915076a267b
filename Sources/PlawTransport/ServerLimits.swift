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
}
