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
        // `scripts/fuzz seeded` reads more, in a release build.
        let accepted = SeededInputs(target, count: 300).read()
        // Damage that nothing survives would try the first check alone.
        #expect((1..<300).contains(accepted), "\(accepted) were accepted")
    }
}
