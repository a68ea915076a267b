internal import Dispatch
internal import Synchronization

/// Threads that share the pieces of one kernel call.
///
/// A piece is taken by whichever thread is free, so that a thread the system has put aside holds up one piece and not a half.
/// What a piece computes must not depend on who computes it: every result is the same for any number of threads.
package struct WorkerTeam: Sendable {
    /// The team of the calling thread alone.
    package static let alone = WorkerTeam(threads: 1)

    package let threads: Int

    package init(threads: Int) { self.threads = max(1, threads) }

    /// Runs `body(piece, worker)` for each piece, in any order; `worker` is below `threads` and never two at once.
    package func run(_ pieces: Int, _ body: (_ piece: Int, _ worker: Int) -> Void) {
        guard threads > 1, pieces > 1 else {
            for piece in 0..<pieces { body(piece, 0) }
            return
        }
        let next = Atomic<Int>(0)
        withoutActuallyEscaping(body) { body in
            // Safe to share: it outlives the call below, and pieces touch nothing in common but what they only read.
            nonisolated(unsafe) let body = body
            DispatchQueue.concurrentPerform(iterations: min(threads, pieces)) { worker in
                while true {
                    let piece = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    if piece >= pieces { return }
                    body(piece, worker)
                }
            }
        }
    }

    /// Cuts 0..<count into ranges of whole `unit`s, a few for each thread, none smaller than `least`, and runs them.
    package func ranges(
        _ count: Int, unit: Int, least: Int, _ body: (_ range: Range<Int>, _ worker: Int) -> Void
    ) {
        guard threads > 1, count > least else {
            if count > 0 { body(0..<count, 0) }
            return
        }
        let wanted = max(least, (count + Self.piecesPerThread * threads - 1) / (Self.piecesPerThread * threads))
        let size = (wanted + unit - 1) / unit * unit
        run((count + size - 1) / size) { piece, worker in
            body(piece * size..<min(count, (piece + 1) * size), worker)
        }
    }

    /// Enough that a busy core does not stall the others, few enough that handing out costs nothing.
    private static let piecesPerThread = 4
}
