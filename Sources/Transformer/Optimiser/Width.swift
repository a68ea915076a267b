internal import Domain
internal import Glibc

/// How learning rate, dropout, initial values and scores follow the dimension, relative to d = 64.
///
/// Maximal update parametrisation for Adam (arXiv 2203.03466, table 8): with w = 64 / d, matrices between hidden layers get the
/// rate times w and initial values times √w; scores, which come from tied embeddings, are multiplied by w; embeddings,
/// biases and norms stay.
///
/// `root` multiplies every learning rate by √(64 / d), and below d = 64 dropout by (d / 64)^(2/3): what was best at dimensions of 8 to 128
/// on amazon-beauty and lastfm (docs/contributors/training.md).
struct Width {
    private static let base = 64.0
    private let ratio: Double
    /// Of every learning rate, and of dropout.
    let rate: Double
    let dropout: Double

    init(_ rule: WidthRule, dim: Int) {
        let narrowness = Self.base / Double(dim)
        ratio = rule == .mup ? narrowness : 1
        rate = rule == .root ? narrowness.squareRoot() : 1
        dropout = rule == .root ? pow(max(1, narrowness), -2.0 / 3) : 1
    }

    /// Of the learning rate of hidden matrices.
    var hiddenRate: Double { ratio }
    /// Of their initial values.
    var hiddenScale: Float { Float(ratio.squareRoot()) }
    /// Of the scores that a loss sees; ranks do not depend on it.
    var scores: Float { Float(ratio) }

    static func isHidden(_ entry: ParameterTable.Entry) -> Bool {
        entry.isMatrix
    }
}
