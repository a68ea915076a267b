internal import Calibration
internal import Glibc
internal import StrictJSON
internal import Wire
internal import Synchronization

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// What the state directory may still take: the quota of the configuration, and what the disk has left.
///
/// There is one quota over everything in the directory. Whoever is about to write reserves room first, so that many who write at
/// once do not take the same room, beside what calibrations that wait or run are still to write. What the directory holds is counted anew
/// now and then, since workers and the database write too, and always before anybody is refused.
final class DiskSpace: Sendable {
    private struct State {
        /// Bytes found when the directory was last counted, what reservations had written when that count began, and until when it
        /// is believed.
        var used = 0
        var writtenBefore = 0
        var isFreshUntil: ContinuousClock.Instant?
        /// Bytes that reservations ever wrote.
        var written = 0
        /// Bytes that are reserved and not written yet.
        var reserved = 0

        /// Bytes that are left where nothing is reserved, and what limits them.
        func room(_ free: Int, _ maximum: Int?) -> (bytes: Int, limit: String) {
            guard let maximum else { return (free, "the disk") }
            let quota = maximum - used - written + writtenBefore
            return quota < free ? (quota, "maxStateBytes, \(maximum) bytes,") : (free, "the disk")
        }
    }

    private let root: String
    /// Most bytes of the state directory; nil for as many as the disk has.
    private let maximum: @Sendable () -> Int?
    /// Bytes that calibrations are still to write.
    let expected: @Sendable () async throws -> Int
    private let offload = Offload()
    private let state = Mutex(State())

    /// Counting takes at most so much of the time.
    private static let countingShare = 0.05

    init(
        root: String, maximum: @escaping @Sendable () -> Int?,
        expected: @escaping @Sendable () async throws -> Int = { 0 }
    ) {
        self.root = root
        self.maximum = maximum
        self.expected = expected
    }

    /// Room that is kept for one who writes; given back when it goes.
    final class Reservation: Sendable {
        private let bytes: Int
        private let space: DiskSpace
        private let isWritten = Atomic(false)

        fileprivate init(_ bytes: Int, _ space: DiskSpace) {
            self.bytes = bytes
            self.space = space
        }

        /// The bytes lie in the directory now.
        func wrote() { isWritten.store(true, ordering: .relaxed) }

        deinit {
            let written = isWritten.load(ordering: .relaxed) ? bytes : 0
            space.state.withLock { state in
                state.reserved -= bytes
                state.written += written
            }
        }
    }

    /// - Throws: `noSpace` when `bytes` more would not fit, with how much there is and what it is for.
    func check(_ bytes: Int, for purpose: String) async throws { _ = try await reserve(bytes, for: purpose) }

    /// - Throws: as `check`.
    func reserve(_ bytes: Int, for purpose: String) async throws -> Reservation {
        let expected = try await expected()
        if isFresh, let reservation = try take(bytes, beside: expected) { return reservation }
        // Not the reservation itself: the thread that made it might hold it for a moment longer than its owner.
        try await offload.run { self.count() }
        return try takeOrRefuse(bytes, for: purpose, beside: expected)
    }

    /// Keeps room while `body` writes about so much.
    ///
    /// - Throws: as `check`, and what `body` throws.
    func writing<T>(
        _ bytes: Int, for purpose: String, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> T
    ) async throws -> T {
        let room = try await reserve(bytes, for: purpose)
        defer { withExtendedLifetime(room) {} }
        let result = try await body()
        room.wrote()
        return result
    }

    /// The same as `reserve` for callers that may block.
    ///
    /// - Parameter expected: what `expected()` says.
    func reserveNow(_ bytes: Int, for purpose: String, beside expected: Int) throws -> Reservation {
        if isFresh, let reservation = try take(bytes, beside: expected) { return reservation }
        count()
        return try takeOrRefuse(bytes, for: purpose, beside: expected)
    }

    /// To be asked after a count.
    private func takeOrRefuse(_ bytes: Int, for purpose: String, beside expected: Int) throws -> Reservation {
        if let reservation = try take(bytes, beside: expected) { return reservation }
        let (free, maximum) = (try free(), maximum())
        let (room, reserved) = state.withLock { ($0.room(free, maximum), $0.reserved) }
        let left = max(0, room.bytes - reserved - expected)
        throw RPCError(
            .noSpace,
            "\(purpose) needs about \(bytes) bytes; \(room.limit) has \(left) left"
                + (expected > 0 ? " beside the \(expected) that calibrations are still to write" : ""),
            ["neededBytes": .integer(Int64(bytes)), "leftBytes": .integer(Int64(left))])
    }

    private var isFresh: Bool {
        // Without a quota nothing has to be counted.
        maximum() == nil || state.withLock { $0.isFreshUntil.map { ContinuousClock.now < $0 } ?? false }
    }

    private func take(_ bytes: Int, beside expected: Int) throws -> Reservation? {
        let (free, maximum) = (try free(), maximum())
        // All of the state at once: what is reserved becomes what was written at any time.
        let isThere = state.withLock { state in
            guard bytes <= state.room(free, maximum).bytes - state.reserved - expected else { return false }
            state.reserved += bytes
            return true
        }
        return isThere ? Reservation(bytes, self) : nil
    }

    /// Bytes that are free on the disk.
    private func free() throws -> Int {
        var status = statvfs()
        guard statvfs(root, &status) == 0 else {
            throw RPCError(.storeFailed, "\(root): \(String(cString: strerror(errno)))")
        }
        return Int(status.f_bavail) * Int(status.f_frsize)
    }

    private func count() {
        guard maximum() != nil else { return }
        let before = state.withLock { $0.written }
        let start = ContinuousClock.now
        let used = Self.used(root)
        let taken = start.duration(to: .now)
        state.withLock { state in
            // Of two counts at once either may end first: each is right with what was written before it.
            (state.used, state.writtenBefore) = (used, before)
            state.isFreshUntil = .now + max(.seconds(1), taken / Self.countingShare)
        }
    }

    /// Bytes of all files under a folder as the disk counts them, each file once however many names it has.
    static func used(_ root: String) -> Int {
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: root)) ?? []
        var seen: Set<UInt> = []
        var bytes = 0
        for name in names {
            var status = stat()
            guard lstat(root + "/" + name, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            if status.st_nlink > 1, !seen.insert(UInt(status.st_ino)).inserted { continue }
            bytes += Int(status.st_blocks) * 512
        }
        return bytes
    }
}
