internal import Calibration
internal import Domain
internal import Logging
internal import Wire
internal import Store

/// What is prepared before anybody asks.
extension LawService {
    /// Prepares the advisors of usual questions (any loss, any backbone) until its task is cancelled: of each dataset whose laws have been
    /// fitted, and after the start of those that there are, the newest laws first.
    ///
    /// One at a time, so that a core at least is left to requests. After the start it pauses after each as long as that took, and
    /// ends with half of what may be kept: which datasets will be asked for is not known, what their owners fitted last is the best
    /// guess, and the others are prepared when they are asked for.
    func prepareAhead() async {
        do {
            ahead += try await store.datasetsByNewestLaw().map { (dataset: $0, isFitted: false) }
        } catch {
            logger.warning("cannot look for laws to prepare", metadata: ["error": "\(error)"])
        }
        wake.yield()
        for await _ in wakes {
            while let next = takeNext() {
                let began = ContinuousClock.now
                await prepareUsual(next.dataset)
                if Task.isCancelled { return }
                if !next.isFitted { try? await Task.sleep(for: began.duration(to: .now)) }
            }
        }
    }

    /// Those whose laws were just fitted come first.
    private func takeNext() -> (dataset: String, isFitted: Bool)? {
        guard let place = ahead.firstIndex(where: \.isFitted) ?? ahead.indices.first else { return nil }
        let next = ahead.remove(at: place)
        if !next.isFitted, ready.bytes > AdvisorCache.mostBytes / 2 {
            ahead.removeAll { !$0.isFitted }
            return nil
        }
        return next
    }

    /// Lets the advisor of a dataset be prepared whose laws have changed.
    func prepareSoon(_ dataset: String) {
        ahead.removeAll { $0.dataset == dataset }
        ahead.append((dataset, true))
        wake.yield()
    }

    private func prepareUsual(_ dataset: String) async {
        do {
            let prepared = try await advisor(dataset, loss: nil, backbone: nil)
            // The first answer brings most of what others name.
            _ = try await offload.run {
                var params = AdvisorRecommendParams(name: dataset)
                params.metric = prepared.metric
                return try? prepared.recommend(params)
            }
        } catch {
            // Who asks is told why.
            logger.debug("no advisor was prepared", metadata: ["dataset": "\(dataset)", "error": "\(error)"])
        }
    }
}
