/// What laws take in the database and its log: for each metric all families with their figures, and each observation in every one.
enum LawForecast {
    private static let bytesOfLaw = 32_768
    private static let bytesOfPoint = 1_024
    /// As many as a training here measures.
    private static let usualMetrics = 9

    static func bytes(observations: Int, metrics: Int? = nil) -> Int {
        min(metrics ?? usualMetrics, LawService.mostMetrics) * (bytesOfLaw + observations * bytesOfPoint)
    }
}
