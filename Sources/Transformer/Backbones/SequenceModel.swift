package import Domain
package import Kernels

/// A causal model over jagged batches whose scores are inner products with its item embeddings: what training, ranking and
/// probes know of a backbone.
package protocol SequenceModel: AnyObject {
    init(_ configuration: Configuration, items: Int, parameters: FloatBuffer, dropout: Double, kernels: Kernels)

    var configuration: Configuration { get }
    var items: Int { get }
    /// Where each parameter lies in `parameters`.
    var table: ParameterTable { get }
    var parameters: FloatBuffer { get }

    /// Hidden states [T, d] of a batch, valid until the next call. With `dropoutKey`, training mode: the key names the
    /// step's dropout decisions.
    func forward(_ batch: JaggedBatch, dropoutKey: UInt64?) -> UnsafeMutablePointer<Float>

    /// Hidden states [sequences, d] of each sequence's newest position without dropout, valid until the next call: those of
    /// `forward` up to rounding. The last block computes what these need.
    func newest(_ batch: JaggedBatch) -> UnsafeMutablePointer<Float>

    /// Adds the parameters' gradients to `gradient`, given `dHidden` [T, d], which is overwritten. The batch and key must be
    /// those of the last `forward`.
    func backward(
        _ batch: JaggedBatch, dropoutKey: UInt64?, _ dHidden: UnsafeMutablePointer<Float>, gradient: FloatBuffer)

    /// What a batch needs of memory beside the parameters.
    static func workspace(_ configuration: Configuration) -> WorkspaceShape
}

extension Backbone {
    /// The model of this family.
    package var model: any SequenceModel.Type {
        switch self {
        case .sasrec: SASRec.self
        case .gpt, .llama: PreNormTransformer.self
        case .hstu: HSTU.self
        }
    }
}

extension Configuration {
    /// The core's model of this configuration.
    package var model: any SequenceModel.Type { core.model }
}
