internal import Glibc

/// A running mean of a model's parameters over the steps of its training: what is ranked and kept in their place.
///
/// Weights grow as a power of the step (arXiv 2312.02696, section 3.1), so that the mean age of what is averaged is a constant share of
/// the training so far, and nothing has to be known of its length. A mean at a constant learning rate stands where a training ends
/// whose rate falls.
struct ParameterAverage {
    let mean: FloatBuffer
    /// Steps from one to the next that the mean takes in.
    let interval: Int
    private let exponent: Double

    /// - Parameters:
    ///   - age: mean age as a share of the steps so far; 0 averages nothing and takes no memory.
    ///   - stepsPerEpoch: where rows are updated on their own, all must be brought up to date before they are taken in, which is
    ///     done eight times an epoch.
    init(_ parameters: Int, age: Double, stepsPerEpoch: Int, isSparse: Bool) {
        mean = FloatBuffer(age > 0 ? parameters : 0)
        interval = isSparse ? max(4, stepsPerEpoch / 8) : 4
        exponent = age > 0 ? 1 / age - 1 : 0
    }

    var isOn: Bool { mean.count > 0 }

    /// Whether the parameters of a step, counted from 1, are taken in.
    func takes(step: Int) -> Bool { isOn && step % interval == 0 }

    /// Whether there is a mean after a step.
    func stands(after step: Int) -> Bool { isOn && step >= interval }

    /// Takes in the parameters of a step that `takes` names.
    func add(_ parameters: FloatBuffer, step: Int) {
        let weight = Float(1 - pow(1 - Double(interval) / Double(step), exponent))
        let (m, p) = (mean.p, parameters.p)
        for i in 0..<mean.count { m[i] += weight * (p[i] - m[i]) }
    }
}
