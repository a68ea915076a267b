internal import Domain
internal import Glibc

/// How learning rate, initial values and scores follow the dimension, relative to d = 64.
///
/// Maximal update parametrisation for Adam (arXiv 2203.03466, table 8): with w = 64 / d, matrices between hidden layers get the
/// rate times w and initial values times √w; scores, which come from tied embeddings, are multiplied by w; embeddings,
/// biases and norms stay.
struct Width {
    private static let base = 64.0
    private let ratio: Double

    init(_ rule: WidthRule, dim: Int) { ratio = rule == .mup ? Self.base / Double(dim) : 1 }

    /// Of the learning rate of hidden matrices.
    var hiddenRate: Double { ratio }
    /// Of their initial values.
    var hiddenScale: Float { Float(ratio.squareRoot()) }
    /// Of the scores that a loss sees; ranks do not depend on it.
    var scores: Float { Float(ratio) }

    static func isHidden(_ entry: ParameterTable.Entry) -> Bool {
        entry.kind == .linear
    }
}
