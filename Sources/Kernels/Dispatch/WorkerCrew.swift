internal import CKernels
internal import Glibc
internal import Synchronization

/// Threads that wait for the pieces of kernel calls.
///
/// A kernel call lasts some microseconds and a training makes a hundred thousand of them a minute: waking a sleeping thread for each
/// would cost more than its share of the work. So a helper looks for the next call for a moment before it sleeps, and the
/// caller does not wait for helpers, only for pieces that were taken: it never waits for one who is not running.
final class WorkerCrew: Sendable {
    private let state: State
    private let threads: Threads

    init(helpers: Int) {
        state = State(spins: helpers < State.processors)
        threads = Threads(helpers, state)
    }

    deinit {
        state.stop()
        threads.join()
    }

    /// Runs the pieces; false when another call is under way and nothing was run.
    func run(_ pieces: Int, _ body: (_ piece: Int, _ worker: Int) -> Void) -> Bool {
        guard !state.busy.exchange(true, ordering: .acquiring) else { return false }
        defer { state.busy.store(false, ordering: .releasing) }
        withoutActuallyEscaping(body) { body in
            state.open(Job(pieces: pieces, body: body))
            state.work(as: 0)
            state.close()
        }
        return true
    }

    /// What a call asks for.
    fileprivate struct Job {
        var pieces: Int
        var body: (_ piece: Int, _ worker: Int) -> Void
    }

    /// The threads' handles.
    // Safe to hand between threads: written once, when they start, and read once, when the last holder has gone.
    private final class Threads: @unchecked Sendable {
        private var handles: [pthread_t] = []

        init(_ count: Int, _ state: State) {
            for worker in 1...count {
                let start = Unmanaged.passRetained(Start(state: state, worker: worker))
                var handle = pthread_t()
                let result = pthread_create(
                    &handle, nil,
                    { raw in
                        guard let raw else { return nil }
                        let start = Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
                        start.state.serve(as: start.worker)
                        return nil
                    }, start.toOpaque())
                // A thread that cannot start is one that never takes a piece.
                if result == 0 { handles.append(handle) } else { start.release() }
            }
        }

        func join() { for handle in handles { pthread_join(handle, nil) } }
    }

    private final class Start: Sendable {
        let state: State
        let worker: Int

        init(state: State, worker: Int) {
            self.state = state
            self.worker = worker
        }
    }
}

extension WorkerCrew {
    /// What caller and helpers share.
    // Safe to share: `job` is written only by the caller between two calls, when no piece is left to take, and read only by
    // who holds a piece of it; everything else is atomic or guarded by the mutex.
    fileprivate final class State: @unchecked Sendable {
        static let processors = sysconf(Int32(_SC_NPROCESSORS_ONLN))

        let busy = Atomic<Bool>(false)
        /// Number of the call in the upper half, pieces that nobody has taken yet in the lower.
        private let open = Atomic<UInt64>(0)
        private let finished = Atomic<Int>(0)
        private let stopped = Atomic<Bool>(false)
        private let sleepers = Atomic<Int>(0)
        private let mutex: UnsafeMutablePointer<pthread_mutex_t>
        private let wake: UnsafeMutablePointer<pthread_cond_t>
        private let spins: Int
        private var job = Job(pieces: 0, body: { _, _ in })

        /// - Parameter spins: whether there is a processor for every thread, so that to look costs nobody anything.
        init(spins: Bool) {
            self.spins = spins ? Self.longestSpin : 0
            mutex = .allocate(capacity: 1)
            wake = .allocate(capacity: 1)
            pthread_mutex_init(mutex, nil)
            pthread_cond_init(wake, nil)
        }

        deinit {
            pthread_cond_destroy(wake)
            pthread_mutex_destroy(mutex)
            wake.deallocate()
            mutex.deallocate()
        }

        /// Looks of a thread before it sleeps: about 50 microseconds.
        private static let longestSpin = 4_000
        /// Looks of the caller between two times that it lets others run.
        private static let patience = 4_000

        func open(_ next: Job) {
            job = next
            finished.store(0, ordering: .relaxed)
            let call = (open.load(ordering: .relaxed) >> 32) &+ 1
            open.store(call << 32 | UInt64(next.pieces), ordering: .sequentiallyConsistent)
            if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wakeAll() }
        }

        /// Waits until every piece that was taken has ended.
        func close() {
            var looks = 0
            while finished.load(ordering: .acquiring) < job.pieces {
                looks += 1
                k_pause()
                if looks % Self.patience == 0 || spins == 0 { sched_yield() }
            }
            job = Job(pieces: 0, body: { _, _ in })
        }

        /// Takes pieces until none is left.
        func work(as worker: Int) {
            var seen = open.load(ordering: .acquiring)
            while seen & 0xffff_ffff > 0 {
                let (taken, now) = open.compareExchange(
                    expected: seen, desired: seen - 1, ordering: .acquiringAndReleasing)
                guard taken else {
                    seen = now
                    continue
                }
                let left = Int(seen & 0xffff_ffff)
                job.body(job.pieces - left, worker)
                finished.wrappingAdd(1, ordering: .releasing)
                seen = open.load(ordering: .acquiring)
            }
        }

        func serve(as worker: Int) {
            while !stopped.load(ordering: .acquiring) {
                work(as: worker)
                if !look() { sleep() }
            }
        }

        private var hasWork: Bool {
            open.load(ordering: .sequentiallyConsistent) & 0xffff_ffff > 0 || stopped.load(ordering: .acquiring)
        }

        private func look() -> Bool {
            for _ in 0..<spins {
                if hasWork { return true }
                k_pause()
            }
            return false
        }

        private func sleep() {
            pthread_mutex_lock(mutex)
            // Counted before the last look: a caller that is not seen here sees a sleeper.
            sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
            while !hasWork { pthread_cond_wait(wake, mutex) }
            sleepers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
            pthread_mutex_unlock(mutex)
        }

        private func wakeAll() {
            pthread_mutex_lock(mutex)
            pthread_cond_broadcast(wake)
            pthread_mutex_unlock(mutex)
        }

        func stop() {
            stopped.store(true, ordering: .sequentiallyConsistent)
            wakeAll()
        }
    }
}
