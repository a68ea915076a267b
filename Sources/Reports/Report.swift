package import Domain
package import Wire

/// Everything a report shows, gathered by the daemon; `html` makes the page of it.
package struct Report: Sendable {
    /// What the laws expect over a grid of shapes.
    package struct Grid: Sendable {
        package var metric: String
        package var layers: [Int]
        package var dims: [Int]
        /// By layers, then by dim; infinite where the laws say nothing.
        package var values: [[Double]]

        package init(metric: String, layers: [Int], dims: [Int], values: [[Double]]) {
            (self.metric, self.layers, self.dims, self.values) = (metric, layers, dims, values)
        }

        /// A map of more levels than this on a side shows nothing any more.
        private static let mostLevels = 16
        /// As many are left of more, evenly chosen among them, the least and the greatest too.
        private static let keptLevels = 12

        /// The levels that a map shows, ascending: those observed, thinned where they are many, and the chosen one.
        package static func levels(_ observed: [Int], chosen: Int) -> [Int] {
            let all = Set(observed).sorted()
            let kept = all.count <= mostLevels ? all : spread(all, over: keptLevels)
            return Set(kept).union([chosen]).sorted()
        }

        /// At most as many of ascending values, evenly chosen among them, the first and the last too.
        static func spread(_ all: [Int], over count: Int) -> [Int] {
            all.count <= count ? all : (0..<count).map { all[$0 * (all.count - 1) / (count - 1)] }
        }
    }

    package var dataset: DatasetInfo
    /// When it was made, ISO 8601.
    package var createdAt: String
    package var observations: [Observation]
    /// Newest first, each with its trials.
    package var jobs: [Job]
    /// Newest first.
    package var laws: [Law]
    /// How many there are of both, where these are not all.
    package var observationCount: Int
    package var lawCount: Int
    package var recommendation: Recommendation?
    /// Why nothing is recommended.
    package var refusal: String?
    package var grid: Grid?
    package var front: AdvisorParetoResult?
    /// How entropy and D' move with the length of the histories and with shares of the users.
    package var movement: EntropyMovement?

    package init(
        dataset: DatasetInfo, createdAt: String, observations: [Observation], jobs: [Job] = [], laws: [Law],
        recommendation: Recommendation? = nil, refusal: String? = nil, grid: Grid? = nil,
        front: AdvisorParetoResult? = nil, movement: EntropyMovement? = nil
    ) {
        self.dataset = dataset
        self.createdAt = createdAt
        self.observations = observations
        self.jobs = jobs
        self.laws = laws
        (observationCount, lawCount) = (observations.count, laws.count)
        self.recommendation = recommendation
        self.refusal = refusal
        self.grid = grid
        self.front = front
        self.movement = movement
    }

    /// One self-contained page, well-formed as XML too.
    package var html: String {
        let sections =
            [heading, answer, frontSection, facts, entropy, movements] + laws.map(section) + lawsLeft
            + [trainings, table(of: observations)]
        return HTML.page(title: "\(dataset.name): performance law report", style: style, sections).text
    }

    // MARK: - Sections

    /// Laws that a page still shows well.
    package static let mostLaws = 24

    private var lawsLeft: [HTML] {
        let left = lawCount - laws.count
        return left > 0 ? [note("\(Format.count(left)) more laws are left out; plaw law shows all")] : []
    }

    private var heading: HTML {
        .element(
            "header", [:],
            [
                .element("h1", [:], dataset.name),
                .element("p", ["class": "note"], "Report of plawd \(plawVersion), \(createdAt)"),
            ])
    }

    func section(_ title: String, _ parts: [HTML]) -> HTML {
        .element("section", [:], [.element("h2", [:], title)] + parts)
    }

    func note(_ words: String) -> HTML { .element("p", ["class": "note"], words) }

    private var answer: HTML {
        guard let answer = recommendation else { return section("Recommendation", [note(refusal ?? "none")]) }
        let c = answer.configuration
        let shape = "\(Format.words(c)) (\(c.words))"
        let expected = answer.predicted.sorted { $0.key < $1.key }.map { metric, value in
            (
                metric,
                Format.quality(value)
                    + (answer.interval[metric].map {
                        ", 90 % interval \(Format.quality($0.low)) to \(Format.quality($0.high))"
                    } ?? "")
            )
        }
        let lists = answer.alternatives
        let several = lists.flatMap(\.candidates).contains { $0.configuration.backbone != c.backbone }
        let table = { Self.table($0, showsBackbones: several) }
        return section(
            "Recommendation",
            [
                .element("p", ["class": "answer"], shape), Reports.facts(expected + costs(answer.cost)),
                .element("h3", [:], "Why"), .element("ul", [:], answer.reasons.map { .element("li", [:], $0) }),
            ]
                + lists.flatMap { list -> [HTML] in
                    [
                        .element("h3", [:], list.title.prefix(1).uppercased() + list.title.dropFirst()),
                        table(list.candidates),
                    ]
                        + (list.more > 0 ? [note("and \(list.more) more")] : [])
                } + warnings(answer.warnings))
    }

    private func costs(_ cost: Cost) -> [(String, String)] {
        Currency.allCases.map { ($0.words, Format.known(cost[$0], $0.text)) }
    }

    /// Those that change what to do, each with the command that helps; the others folded.
    private func warnings(_ warnings: [Warning]) -> [HTML] {
        let ranked = Warning.ranked(warnings)
        func list(_ warnings: [Warning]) -> HTML {
            .element(
                "ul", ["class": "warnings"],
                warnings.map { warning in
                    let command = warning.command.map { [HTML(" "), HTML.element("code", [:], $0)] } ?? []
                    return .element(
                        "li", [:], [.element("b", [:], warning.code), HTML(": " + warning.message)] + command)
                })
        }
        let shown = Array(ranked.filter(\.isConsequential).prefix(3))
        let others = ranked.filter { !shown.contains($0) }
        return (shown.isEmpty ? [] : [list(shown)])
            + (others.isEmpty
                ? []
                : [.element("details", [:], [.element("summary", [:], "\(others.count) more to know"), list(others)])])
    }

    private static func table(_ candidates: [Candidate], showsBackbones: Bool) -> HTML {
        let metrics = Set(candidates.flatMap(\.predicted.keys)).sorted()
        let costs = Currency.allCases.filter { currency in candidates.contains { $0.cost[currency].isFinite } }
        return Reports.table(
            (showsBackbones ? ["backbone"] : []) + ["layers", "dim"] + metrics + costs.map(\.words),
            firstRight: showsBackbones ? 1 : 0,
            candidates.map { candidate in
                let c = candidate.configuration
                let backbone = c.backbone.words
                return (showsBackbones ? [backbone] : []) + ["\(c.layers)", "\(c.dim)"]
                    + metrics.map { candidate.predicted[$0].map(Format.quality) ?? "" }
                    + costs.map { Format.known(candidate.cost[$0], $0.text) }
            })
    }

    private var frontSection: HTML {
        guard let front, let grid, !front.points.isEmpty else { return .nothing }
        guard let currency = Currency(rawValue: front.currency) else { return .nothing }
        let words =
            switch currency {
            case .parameters, .trainingFlops: currency.words
            case .memoryBytes: currency.words + ", bytes"
            case .latencySeconds, .trainingSeconds: currency.words + ", s"
            }
        func points(_ candidates: [Candidate]) -> [(x: Double, y: Double)] {
            candidates.map { ($0.cost[currency], $0.predicted[grid.metric] ?? .nan) }
        }
        var series = [PlotSeries("nothing is better and cheaper", .line, points(front.points))]
        if let recommendation { series.append(PlotSeries("recommended", .dots, points([Candidate(recommendation)]))) }
        return section(
            "Quality against \(words)",
            [plot(series, x: PlotAxis(words, isLogarithmic: true), y: PlotAxis(grid.metric))])
    }

    private var facts: HTML {
        var pairs = [
            ("users", Format.known(dataset.users)), ("items", Format.known(dataset.items)),
            ("interactions", Format.known(dataset.interactions)), ("file", dataset.fileName),
            ("registered", dataset.createdAt),
        ]
        if let s = dataset.statistics {
            pairs.append(("evaluated users", Format.count(s.evaluatedUsers)))
            pairs.append(("sequence lengths", Format.quartiles(s.lengthQuartiles)))
            pairs.append(("repeated interactions", Format.share(s.repeatedShare)))
        }
        if let mask = dataset.mask { pairs.append(("mask of the ranking", mask.rawValue)) }
        if let t = dataset.targets, t.candidates.count == 5 {
            pairs.append(("items that a target is ranked among", Format.count(t.candidates[2]) + " (median)"))
            pairs.append(("targets in no training history", Format.share(t.unseen)))
        }
        pairs.append(("filter", dataset.options.filter))
        if !dataset.version.isEmpty { pairs.append(("version", dataset.version)) }
        let alone =
            dataset.entropy == nil
            ? [
                note(
                    "Made of imported observations alone: nothing is known of its interactions but what came with them."
                )
            ]
            : []
        let doubts = dataset.targets?.warnings(Metric(.ndcg, 10), dataset: dataset.name) ?? []
        return section("Dataset", alone + [Reports.facts(pairs)] + (recommendation == nil ? warnings(doubts) : []))
    }

    private var entropy: HTML {
        guard let e = dataset.entropy else { return .nothing }
        let rows = e.pooledApEn.map {
            [
                "\($0.m)", Numbers.figure($0.value), Numbers.figure($0.biasCorrected),
                Format.share($0.singletonShare),
            ]
        }
        let curves = [
            PlotSeries("pooled ApEn", .lineAndDots, e.pooledApEn.map { (Double($0.m), $0.value) }),
            PlotSeries("bias corrected", .lineAndDots, e.pooledApEn.map { (Double($0.m), $0.biasCorrected) }),
        ]
        let p = e.perUserApEn
        return section(
            "Entropy",
            [
                Reports.table(
                    ["m", "pooled ApEn, nats", "bias corrected", "contexts that occur once"], firstRight: 0, rows),
                plot(curves, x: PlotAxis("m, items of context"), y: PlotAxis("nats")),
                Reports.facts([
                    (
                        "per-user ApEn",
                        "\(Numbers.figure(p.mean)) nats (m = \(p.m), r = \(Numbers.figure(p.r)), L = \(p.maxLength); "
                            + "\(Format.count(p.users)) users, \(Format.count(p.tooShort)) too short)"
                    ), ("Shannon", "\(Numbers.figure(e.shannonBits)) bits"),
                    ("Lempel-Ziv", "\(Numbers.figure(e.lempelZiv)) nats"),
                    ("compression ratio", Numbers.figure(e.compressionRatio)), ("tokens", Format.count(e.tokens)),
                    ("D' = tokens / ApEn", Format.dataSize(e.effectiveTokens)),
                ]),
            ] + e.notes.map(note))
    }

    private var movements: HTML {
        guard let movement else { return .nothing }
        func part(
            _ title: String, _ points: [EntropyPoint], _ axis: PlotAxis, _ x: (EntropyPoint) -> Double,
            _ shown: (EntropyPoint) -> String
        )
            -> [HTML]
        {
            let rows = points.map {
                [
                    shown($0), Format.count($0.users), Format.count($0.tokens), Numbers.figure($0.pooledApEn),
                    Numbers.figure($0.biasCorrected), Numbers.figure($0.perUserApEn),
                    Format.dataSize($0.effectiveTokens),
                ]
            }
            return [
                .element("h3", [:], title),
                Reports.table(
                    [axis.label, "users", "tokens", "pooled ApEn", "bias corrected", "per-user ApEn", "D'"],
                    firstRight: 0,
                    rows),
                plot(
                    [
                        PlotSeries("pooled ApEn", .lineAndDots, points.map { (x($0), $0.pooledApEn) }),
                        PlotSeries("bias corrected", .lineAndDots, points.map { (x($0), $0.biasCorrected) }),
                    ], x: axis, y: PlotAxis("nats")),
                plot(
                    [PlotSeries("D'", .lineAndDots, points.map { (x($0), $0.effectiveTokens) })], x: axis,
                    y: PlotAxis("D' = tokens / ApEn", isLogarithmic: true)),
            ]
        }
        let byLength = part(
            "With the length of the histories", movement.byMaxLength, PlotAxis("L", isLogarithmic: true),
            { Double($0.maxLength) }, { Format.count($0.maxLength) })
        let byShare = part(
            "With shares of the users", movement.byUserFraction, PlotAxis("share of the users", isLogarithmic: true),
            { $0.userFraction }, { Format.share($0.userFraction) })
        let other = note(
            "D' here is tokens / pooled ApEn of the same row. Histories that are cut have another entropy than whole ones, which the "
                + "D' of the laws, above, is made of.")
        return section("How entropy and data size move", [other] + byLength + byShare)
    }

    private func section(_ law: Law) -> HTML {
        let (fit, key) = (law.fit, law.key)
        var parts = [
            Reports.facts([
                ("answers from", fit.family == "weighted" ? "all families, weighted" : fit.family),
                ("observations", "\(fit.points.count) of \(fit.places.count) configurations"),
                (
                    "one training varies by",
                    fit.noise.source == .unknown ? LawFit.Noise.unknownWords : Numbers.figure(fit.noise.training)
                ),
                ("split", key.split.words), ("mask", key.mask.words),
                ("candidates", key.candidates.words), ("filter", key.filter.words),
                ("policy", key.policy.isSaid ? key.policy.text : "undeclared"),
                ("training code", key.codeVersion.words),
            ])
        ]
        if !key.undeclared.isEmpty {
            parts += warnings([
                Warning(
                    code: "undeclared",
                    message: key.undeclared.joined(separator: ", ")
                        + "; that these observations agree in them is assumed, and they are fitted among themselves only"
                )
            ])
        }
        parts += families(fit)
        parts += plots(fit)
        let metric = fit.metric.description
        if let grid, recommendation?.laws[metric] == law.id, grid.metric == metric {
            let best = recommendation.flatMap { answer -> (Int, Int)? in
                guard let row = grid.layers.firstIndex(of: answer.configuration.layers),
                    let column = grid.dims.firstIndex(of: answer.configuration.dim)
                else { return nil }
                return (row, column)
            }
            parts.append(.element("h3", [:], "Expected \(metric)"))
            parts.append(
                heatMap(
                    rows: grid.layers.map(String.init), columns: grid.dims.map(String.init), rowLabel: "layers",
                    columnLabel: "dim", grid.values, marked: best))
        }
        let who = "\(key.model), L = " + key.maxLength.words
        return section("\(metric), law \(law.id): \(who)", parts)
    }

    /// What each family makes of the observations, and how well it predicts those left out.
    private func families(_ fit: LawFit) -> [HTML] {
        var rows = fit.fits.map { family -> [String] in
            let parameters = family.orderedParameters.map { "\($0.name) = \(Numbers.figure($0.value))" }
            let optimum = [("N*", family.optimum.layers), ("d*", family.optimum.dim)].compactMap { name, value in
                value.map { "\(name) = \(Numbers.figure($0))" }
            }
            let scores = family.crossValidation
            let formula = [family.form, parameters.joined(separator: ", "), optimum.joined(separator: ", ")]
            return [
                family.family.rawValue, formula.filter { !$0.isEmpty }.joined(separator: "; "),
                Format.share(scores.weight, decimals: 0), Format.fixed(family.r2, 4),
                Format.error(scores.leaveOneOut), Format.error(scores.leaveLargestOut),
                Format.error(scores.leaveLargestOutAlone),
            ]
        }
        if let nearest = fit.nearestNeighbour {
            rows.append(["nearest observation", "", "", "", "", Format.error(nearest), ""])
        }
        return [
            .element("h3", [:], "Families"),
            Reports.table(
                ["family", "formula", "weight", "R²", "one left out", "largest left out", "formula alone"],
                firstRight: 2,
                rows),
            note(
                "Mean relative error on observations left out: each in turn, and the largest N, the largest d and the most expensive "
                    + "quarter in turn."),
        ]
    }
}

extension Candidate {
    fileprivate init(_ answer: Recommendation) {
        self.init(
            configuration: answer.configuration, predicted: answer.predicted, interval: answer.interval,
            cost: answer.cost)
    }
}
