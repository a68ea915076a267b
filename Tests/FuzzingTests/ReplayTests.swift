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

    @Test("seeds with bytes changed, moved, doubled and cut are read without harm", arguments: FuzzTarget.allCases)
    func damage(target: FuzzTarget) {
        var generator = Generator(random: SplitMix64(seed: 0x9e37_79b9_7f4a_7c15))
        let seeds = target.seeds
        for _ in 0..<300 {
            var bytes = seeds[Int(generator.next() % UInt64(seeds.count))]
            for _ in 0...generator.next() % 4 { generator.damage(&bytes) }
            _ = Self.read(target, bytes)
        }
    }

    /// Damage as a fuzzer does it.
    private struct Generator: RandomNumberGenerator {
        var random: SplitMix64
        private static let words: [[UInt8]] = [
            [0], [255], [0x7f, 0xff, 0xff, 0xff], Array("-9223372036854775808".utf8), Array("1e999".utf8),
            Array("\"".utf8), Array("{\"a\":[".utf8), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], [0x1f, 0x8b],
            [13, 10],
        ]

        mutating func next() -> UInt64 { random.next() }

        mutating func damage(_ bytes: inout [UInt8]) {
            guard !bytes.isEmpty else { return }
            let place = Int(next() % UInt64(bytes.count))
            let end = min(bytes.count, place + 1 + Int(next() % 16))
            switch next() % 5 {
            case 0: bytes[place] ^= 1 << (next() % 8)
            case 1: bytes[place] = UInt8(truncatingIfNeeded: next())
            case 2:
                bytes.replaceSubrange(
                    place..<min(bytes.count, place + 4), with: Self.words.randomElement(using: &self) ?? [])
            case 3: bytes.insert(contentsOf: bytes[place..<end], at: Int(next() % UInt64(bytes.count)))
            default: bytes.removeSubrange(place..<end)
            }
        }
    }
}
