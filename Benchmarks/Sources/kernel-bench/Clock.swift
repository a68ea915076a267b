import Glibc
import Kernels

/// Seconds of CPU that this thread has used: what others do on the machine does not count.
func threadSeconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) * 1e-9
}

/// Memory for floats, filled with a fixed sequence between -1 and 1.
final class Floats {
    let p: UnsafeMutablePointer<Float>
    let count: Int

    init(_ count: Int, scale: Float = 1) {
        self.count = count
        let raw = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 4, alignment: 64)
        p = raw.bindMemory(to: Float.self, capacity: max(count, 1))
        var state: UInt32 = 12_345
        for i in 0..<count {
            state = state &* 1_664_525 &+ 1_013_904_223
            p[i] = (Float(state >> 8) / 8_388_608 - 1) * scale
        }
    }

    deinit { UnsafeMutableRawPointer(p).deallocate() }
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
}

/// One line of the table: a kernel at a shape, with what one call computes and moves.
struct Case {
    var name: String
    /// Floating-point operations of a call; 0 for what is bound by memory.
    var flops = 0.0
    /// Bytes that a call reads and writes at least.
    var bytes = 0.0
    var run: () -> Void
    /// The same by OpenBLAS.
    var peer: (() -> Void)?
}

/// Rates of a case, in calls a second, each beside the peak of the same moment.
struct Measured {
    var calls: Double
    var peerCalls: Double?
    /// Median of the ratios taken round by round.
    var ratio: Double?
    /// FLOP/s of the peak loop.
    var peak: Double
}

/// Seconds of one call, from as many calls as take `least` seconds.
private func time(_ run: () -> Void, least: Double) -> Double {
    var calls = 1
    while true {
        let start = threadSeconds()
        for _ in 0..<calls { run() }
        let seconds = threadSeconds() - start
        if seconds >= least { return seconds / Double(calls) }
        calls = seconds < least / 20 ? calls * 10 : Int(Double(calls) * least / seconds * 1.1) + 1
    }
}

/// FLOP/s of products that depend on no memory.
func peakSpeed(_ kernels: Kernels) -> Double {
    let rounds = kernels.variant == .naive ? 1_000_000 : 4_000_000
    let start = threadSeconds()
    let flops = kernels.peak(rounds)
    return Double(flops) / (threadSeconds() - start)
}

/// Ours, the peer's and the peak in turn, `rounds` times; medians.
func measure(_ test: Case, _ kernels: Kernels, rounds: Int, least: Double) -> Measured {
    test.run()
    test.peer?()
    var ours: [Double] = []
    var peers: [Double] = []
    var peaks: [Double] = []
    for _ in 0..<rounds {
        ours.append(time(test.run, least: least))
        if let peer = test.peer { peers.append(time(peer, least: least)) }
        peaks.append(peakSpeed(kernels))
    }
    return Measured(
        calls: 1 / median(ours), peerCalls: peers.isEmpty ? nil : 1 / median(peers),
        ratio: peers.isEmpty ? nil : median(zip(ours, peers).map { $1 / $0 }), peak: median(peaks))
}
