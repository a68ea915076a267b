#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The rank of every evaluated user's target, for validation and test: 12 bytes a user.
///
/// File, little endian: magic `PLAWRANK`, version UInt32, count UInt32, then the three arrays as UInt32 (user numbers of the
/// corpus, validation ranks, test ranks; a rank counts from 1), then an FNV-1a checksum of all of it as UInt64.
package struct Ranks: Sendable, Hashable {
    package var users: [UInt32]
    package var validation: [UInt32]
    package var test: [UInt32]

    package init(users: [UInt32], validation: [UInt32], test: [UInt32]) {
        (self.users, self.validation, self.test) = (users, validation, test)
    }

    private static let magic = Array("PLAWRANK".utf8)
    private static let version: UInt32 = 1

    /// - Throws: `TrialFileError`.
    package func write(to path: String) throws {
        var bytes = Self.magic
        func add<T: FixedWidthInteger>(_ value: T) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        add(Self.version)
        add(UInt32(users.count))
        for array in [users, validation, test] { array.forEach { add($0) } }
        add(checksum(bytes))
        try writeFileAtomically(Data(bytes), to: path)
    }

    /// - Throws: `TrialFileError` for a foreign, damaged or cut file.
    package init(contentsOf path: String) throws {
        let bytes = Array(try readFile(path))
        func refuse(_ message: String) -> TrialFileError { TrialFileError(file: path, message) }
        func word(_ offset: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
        }
        guard bytes.count >= 24, Array(bytes[0..<8]) == Self.magic else { throw refuse("found no ranks file") }
        guard word(8) == Self.version else { throw refuse("found version \(word(8)), expected \(Self.version)") }
        let count = Int(word(12))
        guard bytes.count == 24 + 12 * count else {
            throw refuse("found \(bytes.count) bytes, expected \(24 + 12 * count) for \(count) users")
        }
        let stored = UInt64(word(bytes.count - 8)) | UInt64(word(bytes.count - 4)) << 32
        guard stored == checksum(Array(bytes.dropLast(8))) else { throw refuse("the checksum does not fit: damaged") }
        func array(_ index: Int) -> [UInt32] { (0..<count).map { word(16 + 4 * (index * count + $0)) } }
        self.init(users: array(0), validation: array(1), test: array(2))
    }
}

/// FNV-1a over bytes, 64 bits.
package func checksum(_ bytes: [UInt8]) -> UInt64 {
    bytes.withUnsafeBufferPointer { buffer in
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in buffer { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }
}
