internal import Glibc
package import Trials

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Where a training stands, beyond its parameters: with them, all that a bit-identical continuation needs.
package struct TrainingPosition: Codable, Sendable, Hashable {
    /// Epochs completed.
    package var epoch = 0
    /// Optimiser steps done in the epoch in progress, and in all.
    package var stepInEpoch = 0
    package var step = 0
    package var bestEpoch = 0
    package var bestValue: Double?
    /// The last value of the stopping metric that counted as an improvement, and validations since.
    package var reference: Double?
    package var stale = 0
    /// The stopping metric at every validation.
    package var curve: [Double] = []
    package var lossSum = 0.0
    package var lossTokens = 0
    /// Loss of the first step of all; later ones far above it mean divergence.
    package var firstLoss: Double?
    /// Active seconds over all runs, and of them in training and in validation.
    package var seconds = 0.0
    package var trainingSeconds = 0.0
    package var validationSeconds = 0.0
    package var validations = 0
    /// Training positions seen, over all runs.
    package var tokensSeen = 0
    package var lastValidation: [String: Double]?

    package init() {}
}

/// A training's state on disk: magic `PLAWCKPT`, a version, the hash of the trial's specification, a length and the position
/// as JSON, then parameters, the best parameters, both moments and the steps of rows as floats, and an FNV-1a checksum over words.
package enum Checkpoint {
    private static let magic: UInt64 = 0x5450_4b43_5741_4c50  // "PLAWCKPT" in memory
    private static let version: UInt64 = 3

    /// What of a specification a checkpoint must agree with: everything but the limits that may change between runs.
    package static func identity(of spec: TrialSpec) throws -> UInt64 {
        var spec = spec
        spec.maxSeconds = nil
        spec.checkpointSeconds = 0
        spec.corpus = ""
        spec.corpusHash = nil
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return checksum(Array(try encoder.encode(spec)))
    }

    /// Replaces the checkpoint atomically.
    ///
    /// - Throws: `TrialFileError`.
    package static func write(
        _ position: TrainingPosition, _ buffers: [FloatBuffer], identity: UInt64, to path: String
    ) throws {
        let json = try JSONEncoder().encode(position)
        var data = Data()
        func add(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { data.append(contentsOf: $0) } }
        add(magic)
        add(version)
        add(identity)
        add(UInt64(buffers.first?.count ?? 0))
        add(UInt64(json.count))
        data.append(json)
        // The buffers are written from where they lie: a copy would be most of what a training takes.
        let floats = buffers.map { UnsafeRawBufferPointer(start: $0.p, count: 4 * $0.count) }
        var checksum = WordChecksum()
        data.withUnsafeBytes { checksum.add($0) }
        floats.forEach { checksum.add($0) }
        try data.withUnsafeBytes { head in
            try withUnsafeBytes(of: checksum.value.littleEndian) {
                try writeFileAtomically([head] + floats + [$0], to: path)
            }
        }
    }

    /// Fills the buffers and returns the position; nil where there is no checkpoint.
    ///
    /// - Throws: `TrialFileError` when it is damaged, cut short, or of another trial; the buffers are then untouched.
    package static func read(_ path: String, into buffers: [FloatBuffer], identity: UInt64) throws -> TrainingPosition?
    {
        guard access(path, F_OK) == 0 else { return nil }
        let data = try readFile(path)
        func refuse(_ message: String) -> TrialFileError { TrialFileError(file: path, message) }
        func word(_ offset: Int) -> UInt64 {
            data.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
        }
        let count = buffers.first?.count ?? 0
        guard data.count >= 48, word(0) == magic else { throw refuse("found no checkpoint") }
        guard word(8) == version else { throw refuse("found checkpoint version \(word(8)), expected \(version)") }
        guard word(16) == identity, word(24) == UInt64(count) else { throw refuse("it belongs to another trial") }
        let jsonLength = word(32)
        let floats = buffers.reduce(0) { $0 + 4 * $1.count }
        guard jsonLength < UInt64(data.count), data.count == 48 + Int(jsonLength) + floats else {
            throw refuse("found \(data.count) bytes: the file is cut short or damaged")
        }
        guard word(data.count - 8) == wordChecksum(data.dropLast(8)) else {
            throw refuse("the checksum does not fit: damaged")
        }
        let start = data.startIndex + 40
        let position = try JSONDecoder().decode(
            TrainingPosition.self, from: data[start..<start + Int(jsonLength)])
        data.withUnsafeBytes { bytes in
            var offset = 40 + Int(jsonLength)
            for buffer in buffers {
                UnsafeMutableRawBufferPointer(start: buffer.p, count: 4 * buffer.count)
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + 4 * buffer.count]))
                offset += 4 * buffer.count
            }
        }
        return position
    }

    private static func wordChecksum(_ data: Data) -> UInt64 {
        var checksum = WordChecksum()
        data.withUnsafeBytes { checksum.add($0) }
        return checksum.value
    }

    /// FNV-1a over 8-byte words, the rest by bytes: eight times as fast as by bytes. Pieces follow each other.
    private struct WordChecksum {
        private var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        /// Bytes of a word that the last piece began.
        private var rest: [UInt8] = []

        mutating func add(_ bytes: UnsafeRawBufferPointer) {
            var offset = 0
            while !rest.isEmpty, offset < bytes.count {
                rest.append(bytes[offset])
                offset += 1
                if rest.count == 8 {
                    add(word: rest.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
                    rest.removeAll()
                }
            }
            while offset + 8 <= bytes.count {
                add(word: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                offset += 8
            }
            while offset < bytes.count {
                rest.append(bytes[offset])
                offset += 1
            }
        }

        private mutating func add(word: UInt64) {
            hash = (hash ^ word) &* 0x100_0000_01b3
            hash ^= hash >> 29
        }

        var value: UInt64 { rest.reduce(hash) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 } }
    }
}
