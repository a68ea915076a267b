internal import Synchronization

/// Optimiser, schedule, dropout and stopping rule of trainings, by `Members`.
///
/// It is stored and sent as a text of words, those of a column `policy`. Two policies are the same where their texts are.
@dynamicMemberLookup
package struct TrainingPolicy: Sendable, Hashable {
    private let reading: Reading
    /// Whether anybody said it; else there are at most heads and a feed-forward factor.
    package let isSaid: Bool

    /// Reads a text once for all keys that share it: a store holds many observations of few keys.
    package init(_ text: String, isSaid: Bool = true) {
        self.isSaid = isSaid
        reading = Self.known.withLock { known in
            // Texts that are equal to Unicode stay the bytes they are.
            if let reading = known[text], reading.text.utf8.elementsEqual(text.utf8) { return reading }
            if known.count >= Self.remembered { known = [:] }
            let reading = Reading(text)
            known[text] = reading
            return reading
        }
    }

    /// - Parameters:
    ///   - options: how it is trained.
    ///   - configuration: what is trained.
    ///   - mostHeads: heads asked for, where each dimension has the most of at most these that fit it.
    ///   - trainer: whose training it is; nil for the core's.
    package init(_ options: TrainingOptions, _ configuration: Configuration, mostHeads: Int?, trainer: String?) {
        var members = Members(options, configuration, mostHeads: mostHeads)
        members.trainer = trainer
        self.init(members.text)
    }

    package var text: String { reading.text }

    package var words: [Substring] { text.split(separator: " ") }

    package subscript<Value>(dynamicMember member: KeyPath<Members, Value>) -> Value {
        reading.members[keyPath: member]
    }

    /// The loss of a key with it: one of the core, else the name that its words have for another.
    package func loss(core: Loss?) -> Declared<LossName> {
        Declared(core.map(LossName.core) ?? self.otherLoss.map(LossName.elsewhere))
    }

    /// Whether it says a setting, as a value or as a bound.
    package func says(_ name: String) -> Bool {
        words.contains { $0.hasPrefix(name + "=") || $0.hasPrefix(name + "<=") }
    }

    package static func == (a: TrainingPolicy, b: TrainingPolicy) -> Bool { a.text == b.text && a.isSaid == b.isSaid }

    package func hash(into hasher: inout Hasher) { hasher.combine(text) }

    private final class Reading: Sendable {
        let text: String
        let members: Members

        init(_ text: String) { (self.text, members) = (text, Members(text)) }
    }

    private static let known = Mutex<[String: Reading]>([:])
    /// Texts kept beside each other; when there are more, all are dropped and what is still read comes again.
    private static let remembered = 1_024
}

extension TrainingPolicy {
    /// Heads of a training: a number, or the most of at most so many that fit the dimension.
    package enum Heads: Sendable, Hashable {
        case exactly(Int)
        case atMost(Int)
    }

    package struct Betas: Sendable, Hashable {
        package var first: Double
        package var second: Double
    }

    /// What a policy says; a member is nil where nobody said it.
    package struct Members: Sendable {
        /// Of plawd's words, where they are the whole text; nil for one from elsewhere, of which members are only what was recognised.
        package private(set) var version: Int?
        package private(set) var learningRate, weightDecay: Double?
        package private(set) var betas: Betas?
        package private(set) var clipNorm: Double?
        /// Users of a batch.
        package private(set) var batchUsers: Int?
        package private(set) var dropout: Double?
        package private(set) var heads: Heads?
        package private(set) var stopMetric: Metric?
        package private(set) var patience: Int?
        /// Epochs after which a training ends in any case.
        package private(set) var mostEpochs: Int?
        package private(set) var schedule: RateSchedule?
        package private(set) var warmup: Double?
        package private(set) var scheduleEpochs: Int?
        /// Of trainings by plawd, of any version; words of before there were recipes say `published`.
        package private(set) var recipe: Recipe?
        package private(set) var recipeVersion: Int?
        package private(set) var itemRate: Double?
        /// Decay of the average of the parameters that is kept; 0 where none is.
        package private(set) var averaging: Double?
        package private(set) var warmupSteps: Int?
        package private(set) var initialisation: Initialisation?
        package private(set) var patienceSteps: Int?
        package private(set) var patienceShare, leastGain: Double?
        package private(set) var widthRule: WidthRule?
        package private(set) var calibration: Double?
        package private(set) var sampling: NegativeSampling?
        /// Whose trainings they are; nil for plawd's own.
        package fileprivate(set) var trainer: String?
        fileprivate var otherLoss: String?

        fileprivate init(_ o: TrainingOptions, _ c: Configuration, mostHeads: Int?) {
            (learningRate, weightDecay, betas) = (o.learningRate, o.weightDecay, Betas(first: o.beta1, second: o.beta2))
            (clipNorm, batchUsers, dropout) = (o.clipNorm, o.batchUsers, o.dropout)
            heads = mostHeads.map(Heads.atMost) ?? .exactly(c.heads)
            (stopMetric, patience, mostEpochs, recipe) = (o.stopMetric, o.patience, o.maxEpochs, o.recipe)
            // Only where they differ from what training did before there was a choice, so that older observations stay comparable.
            if o.warmup > 0 || o.schedule != .constant {
                (schedule, warmup) = (o.schedule, o.warmup)
                scheduleEpochs = o.scheduleEpochs > 0 ? o.scheduleEpochs : o.maxEpochs
            }
            if o.differsFromPublished {
                recipeVersion = o.recipe == .published ? nil : Recipe.version
                (itemRate, averaging, warmupSteps) = (o.itemRate, o.averaging, o.warmupSteps)
                (initialisation, patienceSteps) = (o.initialisation, o.patienceSteps)
                (patienceShare, leastGain) = (o.patienceShare, o.leastGain)
            }
            if o.widthRule != .plain { widthRule = o.widthRule }
            if c.loss == .gbce { calibration = o.calibration }
            if c.loss == .sampledSoftmax { sampling = o.sampling }
        }

        fileprivate init(_ text: String) {
            let words = text.split(separator: " ")
            let values = Dictionary(
                words.compactMap { word in word.firstIndex(of: "=").map { (word[...$0], word[$0...].dropFirst()) } }
            ) { first, _ in first }
            if words.first == Self.begin { recipe = .published }
            for word in Self.grammar {
                if let value = values[word.name[...]] { word.read(&self, String(value)) }
            }
            version = self.text == text ? 1 : nil
        }

        /// The members in plawd's words.
        fileprivate var text: String {
            Self.grammar.reduce(into: String(Self.begin)) { text, word in
                if let value = word.write(self) { text += " " + word.name + value }
            }
        }

        private static let begin: Substring = "adamw"

        /// Recipe and version as one word, which stands before what recipes brought.
        private var namedRecipe: String? {
            get { itemRate == nil ? nil : recipe.map { $0.rawValue + (recipeVersion.map { "-\($0)" } ?? "") } }
            set {
                recipe = newValue.flatMap { named in Recipe.allCases.first { named.hasPrefix($0.rawValue) } }
                recipeVersion = recipe.flatMap { known in
                    newValue.flatMap { Int($0.dropFirst(known.rawValue.count + 1)) }
                }
            }
        }

        private typealias Member<Value> = any WritableKeyPath<Members, Value?> & Sendable

        /// A word: a name up to `=`, and a value.
        private struct Word: Sendable {
            let name: String
            let read: @Sendable (inout Members, String) -> Void
            let write: @Sendable (Members) -> String?

            init<Value>(
                _ name: String, _ member: Member<Value>,
                _ read: @escaping @Sendable (String) -> Value?,
                _ write: @escaping @Sendable (Value) -> String? = { "\($0)" }
            ) {
                self.name = name
                self.read = { $0[keyPath: member] = read($1) }
                self.write = { $0[keyPath: member].flatMap(write) }
            }

            init<Value: LosslessStringConvertible & SendableMetatype>(_ name: String, _ member: Member<Value>) {
                self.init(name, member) { Value($0) }
            }

            init<Value: RawRepresentable<String> & SendableMetatype>(_ name: String, _ member: Member<Value>) {
                self.init(name, member, { Value(rawValue: $0) }, { $0.rawValue })
            }
        }

        /// In the order in which plawd writes them.
        private static let grammar: [Word] = [
            Word("lr=", \.learningRate), Word("wd=", \.weightDecay),
            Word(
                "betas=", \.betas,
                {
                    let parts = $0.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
                    guard parts.count == 2, let first = parts[0], let second = parts[1] else { return nil }
                    return Betas(first: first, second: second)
                }, { "\($0.first),\($0.second)" }),
            Word("clip=", \.clipNorm), Word("batch=", \.batchUsers), Word("dropout=", \.dropout),
            Word(
                "heads=", \.heads, { Int($0).map(Heads.exactly) },
                { if case .exactly(let n) = $0 { "\(n)" } else { nil } }),
            Word(
                "heads<=", \.heads, { Int($0).map(Heads.atMost) },
                { if case .atMost(let n) = $0 { "\(n)" } else { nil } }),
            Word("stop=", \.stopMetric), Word("patience=", \.patience), Word("epochs<=", \.mostEpochs),
            Word("schedule=", \.schedule), Word("warmup=", \.warmup), Word("over=", \.scheduleEpochs),
            Word("recipe=", \.namedRecipe, { $0 }, { $0 }), Word("item-rate=", \.itemRate),
            Word("average=", \.averaging),
            Word("warmup-steps=", \.warmupSteps), Word("begin=", \.initialisation),
            Word("patience-steps=", \.patienceSteps), Word("patience-share=", \.patienceShare),
            Word("gain=", \.leastGain),
            Word("width=", \.widthRule), Word("t=", \.calibration), Word("sampling=", \.sampling),
            Word("trainer=", \.trainer, { $0 }, { $0 }),
            Word("loss=", \.otherLoss, { $0 }, { _ in nil }),
        ]
    }
}
