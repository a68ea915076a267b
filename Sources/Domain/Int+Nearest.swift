extension Int {
    /// The nearest whole number that there is: the largest or smallest where a number is beyond them, 0 where it is none.
    package init(nearest value: Double) {
        self = value.isNaN ? 0 : value >= 0x1p63 ? .max : value <= -0x1p63 ? .min : Int(value.rounded())
    }
}
