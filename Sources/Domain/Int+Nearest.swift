extension Int {
    /// Rounds to the nearest whole number. A number beyond `Int` gives the largest or smallest `Int`, NaN gives 0.
    @inlinable package init(nearest value: Double) { self.init(towardZero: value.rounded()) }

    /// Rounds up. A number beyond `Int` gives the largest or smallest `Int`, NaN gives 0.
    @inlinable package init(up value: Double) { self.init(towardZero: value.rounded(.up)) }

    /// Drops the fraction. A number beyond `Int` gives the largest or smallest `Int`, NaN gives 0.
    @inlinable package init(towardZero value: Double) {
        // Every comparison with NaN is false.
        self = value < 0x1p63 && value >= -0x1p63 ? Int(Int64(value)) : value >= 0x1p63 ? .max : value < 0 ? .min : 0
    }

    #if PLAW_CHECK_CONVERSIONS
    /// Stands before the standard library's conversion, which traps at NaN and beyond 2^63. A build with this defined finds every use
    /// in what imports `Domain`, as an error: `swift build --scratch-path .build-check -Xswiftc -DPLAW_CHECK_CONVERSIONS`.
    @available(*, deprecated, message: "traps at NaN and beyond 2^63: use Int(nearest:), Int(towardZero:) or Int(up:)")
    package init(_ value: Double) { self.init(towardZero: value) }
    #endif
}
