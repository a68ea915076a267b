internal import Domain
internal import Glibc

/// One axis of a plot.
package struct PlotAxis: Sendable {
    package var label: String
    package var isLogarithmic: Bool

    package init(_ label: String, isLogarithmic: Bool = false) {
        (self.label, self.isLogarithmic) = (label, isLogarithmic)
    }
}

/// Points of one name in a plot.
package struct PlotSeries: Sendable {
    package enum Style: Sendable {
        case line, dots, lineAndDots
        /// Every point, and a line through the means of those that share an x, as repeats of a training do.
        case meansAndDots
    }

    package var name: String
    package var style: Style
    package var points: [(x: Double, y: Double)]

    package init(_ name: String, _ style: Style = .lineAndDots, _ points: [(x: Double, y: Double)]) {
        (self.name, self.style, self.points) = (name, style, points)
    }

    /// The means of the points at each x, in the order of the points.
    var means: [(x: Double, y: Double)] {
        var sums: [(x: Double, sum: Double, count: Double)] = []
        for point in points {
            if let last = sums.last, last.x == point.x {
                sums[sums.count - 1] = (last.x, last.sum + point.y, last.count + 1)
            } else {
                sums.append((point.x, point.y, 1))
            }
        }
        return sums.map { ($0.x, $0.sum / $0.count) }
    }
}

/// Points of a series that a plot shows; of more as many are evenly chosen.
private let mostPoints = 400

/// Series as an inline SVG with axes, ticks and a legend. Points that an axis cannot show are left out: those that are not finite,
/// and those not above 0 on a logarithmic one.
package func plot(_ series: [PlotSeries], x: PlotAxis, y: PlotAxis, zeroLine: Bool = false) -> HTML {
    let shown = series.map { one in
        var one = one
        let all = one.points.filter { x.canShow($0.x) && y.canShow($0.y) }
        one.points =
            all.count <= mostPoints ? all : (0..<mostPoints).map { all[$0 * (all.count - 1) / (mostPoints - 1)] }
        return one
    }
    let points = shown.flatMap(\.points)
    guard !points.isEmpty else { return .element("p", ["class": "note"], "nothing to plot") }
    let columns = Scale(points.map(\.x), x.isLogarithmic, 66, 620)
    let rows = Scale(points.map(\.y) + (zeroLine ? [0] : []), y.isLogarithmic, 262, 14)
    var parts: [HTML] = []
    for tick in columns.ticks {
        let at = coordinate(columns.place(tick))
        parts.append(.element("line", ["class": "grid", "x1": at, "x2": at, "y1": "14", "y2": "262"]))
        parts.append(
            .element("text", ["class": "tick", "x": at, "y": "280", "text-anchor": "middle"], Numbers.tick(tick)))
    }
    for tick in rows.ticks {
        let at = rows.place(tick)
        let line = coordinate(at)
        parts.append(
            .element(
                "line",
                ["class": tick == 0 && zeroLine ? "axis" : "grid", "x1": "66", "x2": "620", "y1": line, "y2": line]))
        parts.append(
            .element(
                "text", ["class": "tick", "x": "60", "y": coordinate(at + 4), "text-anchor": "end"], Numbers.tick(tick))
        )
    }
    parts.append(.element("polyline", ["class": "axis", "points": "66,14 66,262 620,262"]))
    parts.append(.element("text", ["class": "label", "x": "343", "y": "300", "text-anchor": "middle"], x.label))
    parts.append(
        .element(
            "text",
            ["class": "label", "x": "14", "y": "138", "text-anchor": "middle", "transform": "rotate(-90 14 138)"],
            y.label))
    for (number, one) in shown.enumerated() {
        let places = one.points.map { (coordinate(columns.place($0.x)), coordinate(rows.place($0.y))) }
        let style = "s\(number % 5)"
        if one.style != .dots, places.count > 1 {
            let line = one.style == .meansAndDots ? one.means : one.points
            let path = line.map { coordinate(columns.place($0.x)) + "," + coordinate(rows.place($0.y)) }
                .joined(separator: " ")
            parts.append(.element("polyline", ["class": "curve " + style, "points": path]))
        }
        if one.style != .line || places.count == 1 {
            for (place, point) in zip(places, one.points) {
                let words = "\(one.name): \(Numbers.figure(point.x)), \(Numbers.figure(point.y))"
                parts.append(
                    .element(
                        "circle", ["class": "dot " + style, "cx": place.0, "cy": place.1, "r": "3"],
                        [.element("title", [:], words)]))
            }
        }
    }
    let legend = shown.count < 2 ? [] : [legendOf(shown)]
    let svg = HTML.element(
        "svg",
        [
            "xmlns": "http://www.w3.org/2000/svg", "viewBox": "0 0 640 308", "role": "img",
            "aria-label": "\(y.label) against \(x.label)",
        ], parts)
    return .element("figure", [:], [svg] + legend)
}

/// Values over a grid, the darker the larger, each with its number.
package func heatMap(
    rows: [String], columns: [String], rowLabel: String, columnLabel: String, _ values: [[Double]], marked: (Int, Int)?
) -> HTML {
    let all = values.joined().filter(\.isFinite)
    guard let low = all.min(), let high = all.max(), !columns.isEmpty else {
        return .element("p", ["class": "note"], "nothing to plot")
    }
    let width = min(64.0, 570 / Double(columns.count))
    let height = 24.0
    var parts: [HTML] = []
    for (r, row) in values.enumerated() {
        let y = Double(r) * height + 4
        parts.append(
            .element("text", ["class": "tick", "x": "60", "y": coordinate(y + 16), "text-anchor": "end"], rows[r]))
        for (c, value) in row.enumerated() where value.isFinite {
            let share = high > low ? (value - low) / (high - low) : 0.5
            let x = 66 + Double(c) * width
            let isMarked = marked.map { $0 == (r, c) } ?? false
            parts.append(
                .element(
                    "rect",
                    [
                        "class": isMarked ? "cell marked" : "cell", "x": coordinate(x + 1), "y": coordinate(y + 1),
                        "width": coordinate(width - 2), "height": coordinate(height - 2),
                        "fill-opacity": Format.fixed(0.08 + 0.82 * share, 3),
                    ],
                    [
                        .element(
                            "title", [:],
                            "\(rowLabel) \(rows[r]), \(columnLabel) \(columns[c]): \(Numbers.figure(value))")
                    ]))
            let text = width < 40 ? "" : Format.quality(value)
            parts.append(
                .element(
                    "text",
                    [
                        "class": share > 0.55 ? "value strong" : "value", "x": coordinate(x + width / 2),
                        "y": coordinate(y + 16), "text-anchor": "middle",
                    ], text))
        }
    }
    let bottom = Double(values.count) * height + 4
    for (c, name) in columns.enumerated() {
        parts.append(
            .element(
                "text",
                [
                    "class": "tick", "x": coordinate(66 + (Double(c) + 0.5) * width), "y": coordinate(bottom + 16),
                    "text-anchor": "middle",
                ], name))
    }
    parts.append(
        .element(
            "text", ["class": "label", "x": "343", "y": coordinate(bottom + 36), "text-anchor": "middle"], columnLabel))
    parts.append(
        .element(
            "text",
            [
                "class": "label", "x": "14", "y": coordinate(bottom / 2), "text-anchor": "middle",
                "transform": "rotate(-90 14 \(coordinate(bottom / 2)))",
            ], rowLabel))
    let svg = HTML.element(
        "svg",
        [
            "xmlns": "http://www.w3.org/2000/svg", "viewBox": "0 0 640 \(coordinate(bottom + 42))", "role": "img",
            "aria-label": "values over \(rowLabel) and \(columnLabel)",
        ], parts)
    return .element("figure", [:], [svg])
}

private func legendOf(_ series: [PlotSeries]) -> HTML {
    .element(
        "figcaption", [:],
        series.enumerated().flatMap { number, one in
            [.element("span", ["class": "key k\(number % 5)"], "■"), HTML(" \(one.name)  ")]
        })
}

private func coordinate(_ value: Double) -> String { Format.fixed(value, 1) }

extension PlotAxis {
    fileprivate func canShow(_ value: Double) -> Bool { value.isFinite && (!isLogarithmic || value > 0) }
}

/// From values to places on the page.
private struct Scale {
    private let low: Double
    private let high: Double
    private let isLogarithmic: Bool
    private let start: Double
    private let end: Double
    let ticks: [Double]

    /// - Parameter values: not empty; above 0 where logarithmic.
    init(_ values: [Double], _ isLogarithmic: Bool, _ start: Double, _ end: Double) {
        let places = isLogarithmic ? values.map { log10($0) } : values
        var (low, high) = (places.min() ?? 0, places.max() ?? 1)
        if high - low < 1e-12 * max(1, abs(high)) {
            let room = isLogarithmic ? 0.3 : max(abs(high) * 0.1, 1e-6)
            (low, high) = (low - room, high + room)
        }
        let margin = (high - low) * 0.05
        (self.low, self.high) = (low - margin, high + margin)
        self.isLogarithmic = isLogarithmic
        (self.start, self.end) = (start, end)
        ticks = isLogarithmic ? Self.powers(self.low, self.high) : Self.steps(self.low, self.high)
    }

    func place(_ value: Double) -> Double {
        let share = ((isLogarithmic ? log10(value) : value) - low) / (high - low)
        return start + share * (end - start)
    }

    /// Multiples of 1, 2 or 5 times a power of ten, about five of them.
    private static func steps(_ low: Double, _ high: Double) -> [Double] {
        let rough = (high - low) / 5
        let power = pow(10, floor(log10(rough)))
        let step = [1, 2, 5, 10].map { $0 * power }.first { $0 >= rough } ?? rough
        return stride(from: (low / step).rounded(.up), through: (high / step).rounded(.down), by: 1).map {
            // Minus zero would be written with its sign.
            $0 == 0 ? 0 : $0 * step
        }
    }

    /// Powers of two or ten, with as many between as there is room for.
    private static func powers(_ low: Double, _ high: Double) -> [Double] {
        let decades = Int(floor(low))...Int(ceil(high))
        let factors: [Double] = high - low > 3 ? [1] : high - low > 1.2 ? [1, 3] : [1, 1.5, 2, 3, 5, 7]
        return decades.flatMap { decade in factors.map { $0 * pow(10, Double(decade)) } }
            .filter { (low...high).contains(log10($0)) }
    }
}
