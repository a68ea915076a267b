package import Domain

extension Duration {
    package var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}

extension EntropyReport {
    /// The entropy that D' divides by: pooled ApEn with m = 1; where it is 0 the smallest positive number that keeps D' finite.
    package var dataApEn: Double { max(pooled(m: 1)?.value ?? 0, 1e-9) }
}
