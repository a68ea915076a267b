/// The forms a law may take; docs/users/laws.md has their formulas.
package enum LawFamily: String, Codable, Sendable, Hashable, CaseIterable {
    /// One number: what a law has to beat.
    case constant
    /// w1 ln N + w2 ln d + w3 ln D' + b; what arXiv 2412.00430 draws as "scaling law".
    case logLinear = "log-linear"
    /// b - A N^-α - B d^-β - C D'^-γ: monotone, saturating.
    case scalingLaw = "scaling-law"
    /// Second-order response surface in ln N, ln d, ln D'.
    case logQuadratic = "log-quadratic"
    /// arXiv 2412.00430: each axis rises, peaks and decays.
    case performanceLaw = "performance-law"
    /// The performance law with rho (ln N - ln N*)(ln d - ln d*): the best depth depends on the dimension.
    case performanceLawInteraction = "performance-law-interaction"
    /// arXiv 2408.09895: log-linear with a discount for models deep and narrow.
    case instability
    /// What trainings on other datasets let expect of each shape, times the level of this one.
    case otherDatasets = "other-datasets"
}
