import Domain
import Foundation
import Fuzzing
import PlawTesting
import Testing

/// What the fuzzer runs, on seeds, on what it found once, and on seeded damage: the fuzzer itself needs a build of its own.
@Suite struct ReplayTests {
    private static func read(_ target: FuzzTarget, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { target.read($0) }
    }

    @Test(
        "what each target begins from is accepted, so that it reaches what it is to reach",
        arguments: FuzzTarget.allCases)
    func seeds(target: FuzzTarget) {
        #expect(!target.seeds.isEmpty)
        let accepted = target.seeds.filter { Self.read(target, $0) }.count
        // Of the requests one form of parameters is sent to every method; a third takes it.
        #expect(target == .requests ? accepted >= 8 : accepted == target.seeds.count)
    }

    @Test("inputs that were found once are read without harm", arguments: FuzzTarget.allCases)
    func found(target: FuzzTarget) throws {
        let folder = Paths.root + "/Tests/FuzzingTests/Fixtures/" + target.rawValue
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(!names.isEmpty)
        for name in names {
            let data = try #require(FileManager.default.contents(atPath: folder + "/" + name))
            let start = ContinuousClock.now
            _ = Self.read(target, Array(data))
            #expect(start.duration(to: .now) < .seconds(20 * patience), "\(name) hangs")
        }
    }

    /// Inputs a target; `scripts/fuzz seeded COUNT` asks for more.
    private static let count = ProcessInfo.processInfo.environment["PLAW_FUZZ_COUNT"].flatMap { Int($0) } ?? 300
    /// Where the input that is being read is kept, so that one that traps can be found.
    private static let last = ProcessInfo.processInfo.environment["PLAW_FUZZ_LAST"]
    /// Those named by the script, all unless it names any.
    private static let targets = {
        let named = (ProcessInfo.processInfo.environment["PLAW_FUZZ_TARGETS"] ?? "").split(separator: " ")
        return named.isEmpty ? FuzzTarget.allCases : named.compactMap { FuzzTarget(rawValue: String($0)) }
    }()

    @Test("seeds with bytes changed, moved, doubled and cut are read without harm", arguments: targets)
    func damage(target: FuzzTarget) throws {
        var damage = Damage(seed: 0x9e37_79b9_7f4a_7c15)
        let seeds = target.seeds
        var accepted = 0
        for _ in 0..<Self.count {
            var bytes = seeds[Int(damage.next() % UInt64(seeds.count))]
            for _ in 0...damage.next() % 4 { damage.damage(&bytes) }
            if let last = Self.last {
                try Data(bytes).write(to: URL(fileURLWithPath: last + "/" + target.rawValue))
            }
            if Self.read(target, bytes) { accepted += 1 }
        }
        // Damage that nothing survives would try the first check alone.
        #expect(accepted > 0 && accepted < Self.count, "\(accepted) of \(Self.count) were accepted")
        if Self.last != nil { print("\(target.rawValue): \(Self.count) inputs, \(accepted) of them accepted") }
    }
}
