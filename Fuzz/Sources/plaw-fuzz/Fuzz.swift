internal import Fuzzing
internal import Glibc

/// The target that `PLAW_FUZZ_TARGET` names.
private let target: FuzzTarget = {
    guard let name = getenv("PLAW_FUZZ_TARGET"), let target = FuzzTarget(rawValue: String(cString: name)) else {
        let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
        fatalError("PLAW_FUZZ_TARGET: expected one of \(names)")
    }
    return target
}()

/// Reads as many seeded inputs as `PLAW_FUZZ_COUNT` says, without libFuzzer, and ends the program.
private func readSeeded(_ count: Int) -> Never {
    guard let last = getenv("PLAW_FUZZ_LAST") else { fatalError("PLAW_FUZZ_LAST: expected a file") }
    let accepted = SeededInputs(target, count: count).read(last: String(cString: last))
    print("\(target.rawValue): \(count) inputs, \(accepted) of them accepted")
    exit(0)
}

/// Called once by libFuzzer: writes the seeds into the folder that `PLAW_FUZZ_SEEDS` names.
@_cdecl("LLVMFuzzerInitialize")
public func fuzzInitialize(_ count: UnsafeMutableRawPointer?, _ arguments: UnsafeMutableRawPointer?) -> CInt {
    if let text = getenv("PLAW_FUZZ_COUNT") {
        guard let count = Int(String(cString: text)), count > 0 else {
            fatalError("PLAW_FUZZ_COUNT: expected a number of inputs")
        }
        readSeeded(count)
    }
    guard let folder = getenv("PLAW_FUZZ_SEEDS") else { return 0 }
    for (number, seed) in target.seeds.enumerated() {
        guard let file = fopen(String(cString: folder) + "/seed-\(number)", "w") else { continue }
        fwrite(seed, 1, seed.count, file)
        fclose(file)
    }
    return 0
}

/// Called by libFuzzer for each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    _ = target.read(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}
