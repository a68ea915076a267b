/// The name of a model: one of the core's backbones, or that of any model that somebody trained elsewhere (`gru4rec`).
///
/// Names are compared without regard to case. Only `core` models are checked against what plawd can train.
package struct Model: Codable, Sendable, Hashable, Comparable, CustomStringConvertible {
    package let rawValue: String

    package static let sasrec = Model(.sasrec)
    package static let gpt = Model(.gpt)
    package static let llama = Model(.llama)
    package static let hstu = Model(.hstu)

    /// Most bytes of a name.
    package static let longest = 80

    /// What is expected where a text is no name.
    package static let expected = "a model's name, 1 to \(longest) bytes of text without control characters"

    /// The models that plawd trains itself, and their names.
    package static let trainable = Backbone.allCases.map { Model($0) }
    package static let trained = trainable.map(\.rawValue).joined(separator: ", ")

    package init(_ backbone: Backbone) { rawValue = backbone.rawValue }

    /// Nil for a text that is empty or too long, begins or ends with a space, or holds a control character.
    package init?(_ text: String) {
        let isClean = text.unicodeScalars.allSatisfy {
            switch $0.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
            default: true
            }
        }
        guard !text.isEmpty, text.utf8.count <= Self.longest, isClean, text.first != " ", text.last != " " else {
            return nil
        }
        rawValue = text.lowercased()
    }

    /// The backbone of the core that this names; nil for a model trained elsewhere.
    package var core: Backbone? { Backbone(rawValue: rawValue) }

    package var description: String { rawValue }

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let model = Model(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "found \"\(text)\", expected \(Self.expected)")
        }
        self = model
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}
