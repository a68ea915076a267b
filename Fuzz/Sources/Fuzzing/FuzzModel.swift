internal import Domain
internal import Kernels
internal import Transformer
internal import Trials

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// What trainings leave: checkpoints and weights of a small model.
enum FuzzModel {
    static let configuration = Configuration(layers: 1, dim: 4, maxLength: 3)
    static let items = 3
    static let identity: UInt64 = 7

    static func model() -> any SequenceModel {
        let parameters = FloatBuffer(ParameterTable(configuration, items: items).count)
        return configuration.model.init(
            configuration, items: items, parameters: parameters, dropout: 0, kernels: .best)
    }

    static func buffers() -> [FloatBuffer] { [FloatBuffer(6), FloatBuffer(6), FloatBuffer(3)] }

    static func readWeights(_ bytes: UnsafeRawBufferPointer) -> Bool {
        Scratch.with(bytes) { path in
            let model = model()
            guard (try? WeightsFile.read(path, into: model)) != nil else { return false }
            for place in 0..<model.parameters.count { precondition(model.parameters.p[place].isFinite, "not finite") }
            return true
        }
    }

    static func readCheckpoint(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // With the checksum made to fit as well: it would keep everything behind it from being reached.
        let repaired = bytes.dropLast(8) + Seeds.bytes(wordChecksum(Array(bytes.dropLast(8))))
        return [Array(bytes), Array(repaired)].contains { content in
            Scratch.with(content) { path in
                (try? Checkpoint.read(path, into: buffers(), identity: identity)) != nil
            }
        }
    }

    /// FNV-1a over words of eight bytes, what is left by bytes: the checkpoint's checksum, written from its description.
    private static func wordChecksum(_ bytes: [UInt8]) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        var place = 0
        while place + 8 <= bytes.count {
            let word = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[place + $1]) << UInt64(8 * $1) }
            hash = (hash ^ word) &* 0x100_0000_01b3
            hash ^= hash >> 29
            place += 8
        }
        for byte in bytes[place...] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }
}
