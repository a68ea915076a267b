internal import Files
internal import Glibc

/// The same damaged inputs every time: seeds of a target with bytes changed, moved, doubled and cut.
package struct SeededInputs {
    private let target: FuzzTarget
    private let count: Int

    /// How long one input may take before the program ends, in seconds.
    private static let mostSeconds: UInt32 = 20

    package init(_ target: FuzzTarget, count: Int) {
        self.target = target
        self.count = count
    }

    /// Reads all inputs.
    ///
    /// - Parameter last: a file that holds the input being read, so that one that traps can be found; nil for none. With it
    ///   an input that takes too long ends the program by a signal.
    /// - Returns: how many were accepted.
    package func read(last: String? = nil) -> Int {
        var damage = Damage(seed: 0x9e37_79b9_7f4a_7c15)
        let seeds = target.seeds
        let file = last.map { open($0, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) }
        defer { if let file { close(file) } }
        var accepted = 0
        for _ in 0..<count {
            var bytes = seeds[Int(damage.next() % UInt64(seeds.count))]
            for _ in 0...damage.next() % 4 { damage.damage(&bytes) }
            if let file {
                guard ftruncate(file, 0) == 0, bytes.withUnsafeBytes({ writeAll(file, $0, at: 0) }) else {
                    fatalError("the last input cannot be kept")
                }
                alarm(Self.mostSeconds)
            }
            if bytes.withUnsafeBytes({ target.read($0) }) { accepted += 1 }
        }
        if file != nil { alarm(0) }
        return accepted
    }
}
