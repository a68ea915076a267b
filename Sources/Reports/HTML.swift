/// Markup that is well-formed XML and HTML at once. Text goes in escaped, and in no other way.
package struct HTML: Sendable, Hashable {
    package private(set) var text: String

    private init(markup: String) { text = markup }

    /// Text as it is read.
    package init(_ words: String) { text = Self.escaped(words) }

    package static let nothing = HTML(markup: "")

    /// An element; names of elements and attributes are constants of this program, values are escaped.
    package static func element(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:], _ children: [HTML] = []
    ) -> HTML {
        let attributes = attributes.map { " \($0.key)=\"\(escaped($0.value))\"" }.joined()
        // Elements without an end tag in HTML are exactly those written as empty ones here, and the shapes of SVG.
        let isEmpty = children.isEmpty && ["meta", "line", "rect", "circle", "polyline"].contains("\(name)")
        if isEmpty { return HTML(markup: "<\(name)\(attributes)/>") }
        return HTML(markup: "<\(name)\(attributes)>" + children.map(\.text).joined() + "</\(name)>")
    }

    package static func element(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:], _ words: String
    ) -> HTML { element(name, attributes, [HTML(words)]) }

    /// A whole page; the style is a constant of this program.
    static func page(title: String, style: StaticString, _ body: [HTML]) -> HTML {
        let head = element(
            "head",
            [
                element("meta", ["charset": "utf-8"]),
                element("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
                element("title", title), HTML(markup: "<style>\(style)</style>"),
            ])
        let html = element(
            "html", ["xmlns": "http://www.w3.org/1999/xhtml", "lang": "en"],
            [head, element("body", [element("main", body)])])
        return HTML(markup: "<!DOCTYPE html>\n" + html.text + "\n")
    }

    private static func element(_ name: StaticString, _ children: [HTML]) -> HTML { element(name, [:], children) }
    private static func element(_ name: StaticString, _ words: String) -> HTML { element(name, [:], words) }

    /// XML has no place for control characters, however they are written.
    private static func escaped(_ words: String) -> String {
        var text = ""
        for scalar in words.unicodeScalars {
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            case "'": text += "&#39;"
            case "\t", "\n", "\r": text += " "
            case "\u{0}"..<"\u{20}", "\u{7F}"..<"\u{A0}", "\u{FFFE}", "\u{FFFF}": text += "\u{FFFD}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

/// A table with a header, columns from `firstRight` on aligned right, those from `textFrom` on text that may be broken.
func table(_ header: [String], firstRight: Int = 1, textFrom: Int = .max, _ rows: [[String]]) -> HTML {
    func row(_ cells: [String], _ name: StaticString) -> HTML {
        .element(
            "tr", [:],
            cells.enumerated().map { place, cell in
                if place >= firstRight, place < textFrom { return .element(name, ["class": "n"], cell) }
                // A word, such as the name of a family, stays whole.
                let isWord = cell.count <= 32 && !cell.contains(" ")
                return isWord ? .element(name, ["class": "w"], cell) : .element(name, [:], cell)
            })
    }
    let head = header.isEmpty ? [] : [HTML.element("thead", [:], [row(header, "th")])]
    return .element(
        "div", ["class": "scroll"],
        [.element("table", [:], head + [.element("tbody", [:], rows.map { row($0, "td") })])])
}

/// Facts, a line each.
func facts(_ pairs: [(String, String)]) -> HTML {
    .element(
        "div", ["class": "scroll"],
        [
            .element(
                "table", [:],
                [
                    .element(
                        "tbody", [:],
                        pairs.map { name, value in
                            .element("tr", [:], [.element("th", ["scope": "row"], name), .element("td", [:], value)])
                        })
                ])
        ])
}
