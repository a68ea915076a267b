/// Threads that share the pieces of one kernel call.
///
/// A piece is taken by whichever thread is free, so that a thread the system has put aside holds up one piece and not a half.
/// What a piece computes must not depend on who computes it: every result is the same for any number of threads.
package struct WorkerTeam: Sendable {
    /// The team of the calling thread alone.
    package static let alone = WorkerTeam(threads: 1)

    package let threads: Int
    private let crew: WorkerCrew?

    /// The calling thread and `threads` - 1 others, which end with the last copy of the team.
    package init(threads: Int) {
        self.threads = max(1, threads)
        crew = threads > 1 ? WorkerCrew(helpers: threads - 1) : nil
    }

    /// Runs `body(piece, worker)` for each piece, in any order; `worker` is below `threads` and never two at once. A call
    /// while another is under way runs on its own thread alone.
    package func run(_ pieces: Int, _ body: (_ piece: Int, _ worker: Int) -> Void) {
        guard let crew, pieces > 1, crew.run(pieces, body) else {
            for piece in 0..<pieces { body(piece, 0) }
            return
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
