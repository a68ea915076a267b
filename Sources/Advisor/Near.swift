/// How close shapes say the same as each other.
enum Near {
    /// In ln N and in ln d.
    static let layers = 0.1
    static let dim = 0.2
}
