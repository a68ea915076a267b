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

/// Called once by libFuzzer: writes the seeds into the folder that `PLAW_FUZZ_SEEDS` names.
@_cdecl("LLVMFuzzerInitialize")
public func fuzzInitialize(_ count: UnsafeMutableRawPointer?, _ arguments: UnsafeMutableRawPointer?) -> CInt {
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
