import ArgumentParser
import Domain
import Wire
import Text

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Options that say how files are read.
struct ReadingOptions: ParsableArguments {
    @Flag(help: "Let the daemon open the paths itself instead of sending the bytes.") var serverPath = false
    @Option(
        help: ArgumentHelp(
            "Which column holds what: user=uid,item=sku,time=ts. "
                + "Names, or numbers from 0. A column that holds lists of items is items=.", valueName: "columns"),
        transform: Columns.parse)
    var columns: Columns?
    @Option(help: "Column that says what kind of interaction a row is. Default: one of a known name.")
    var behavior: String?
    @Option(help: "Column of a number, such as a rating. Default: one of a known name.") var value: String?
    @Option(help: "Column that says which domain a row is of. Default: one of a known name.") var domain: String?
    @Option(
        name: .customLong("where"),
        help: ArgumentHelp(
            "Read only rows that meet a condition: behavior=buy, 'rating>=4', 'date<2014-07-01'. "
                + "One of = != >= <= > <. Several options, or 'and' between conditions: all must hold.",
            valueName: "condition"), transform: Condition.parse)
    var conditions: [Condition] = []
    @Option(help: "file: leave times unread and take interactions in the order of the file. Default: by time.")
    var order: ReadOptions.Order?
    @Option(help: "What comes first in dates such as 01/12/2010: dmy or mdy. Default: as some date of the file tells.")
    var dates: ReadOptions.DayOrder?
    @Option(help: "Keep users and items with at least this many interactions, until stable. Default: keep all.")
    var kCore: Int?
    @Option(help: "Keep the first of equal (user, item) pairs, or of equal rows: pairs or rows. Default: keep all.")
    var deduplicate: ReadOptions.Deduplication?

    var options: ReadOptions {
        let texts = conditions.flatMap(\.all).map(\.description)
        return ReadOptions(
            columns: roles.isEmpty ? nil : roles, kCore: kCore, deduplicate: deduplicate, order: order, dates: dates,
            where: texts.isEmpty ? nil : texts)
    }

    /// Columns by what they hold.
    private var roles: [String: String] {
        let named = ["behavior": behavior, "value": value, "domain": domain].compactMapValues { $0 }
        return (columns?.values ?? [:]).merging(named) { $1 }
    }

    /// The options as they are typed.
    private var words: [(option: String, value: String)] {
        var words: [(String, String)] = []
        if !roles.isEmpty {
            let pairs = roles.sorted { $0.key > $1.key }.map { "\($0.key)=\($0.value)" }
            words.append(("--columns", pairs.joined(separator: ",")))
        }
        words += (options.where ?? []).map { ("--where", $0) }
        words += [
            ("--order", order?.rawValue), ("--dates", dates?.rawValue), ("--k-core", kCore.map(String.init)),
            ("--deduplicate", deduplicate?.rawValue),
        ].compactMap { option, value in value.map { (option, $0) } }
        return words
    }

    /// A refusal whose command lines can be pasted: with the files as they were typed, and the options that were given.
    ///
    /// - Parameters:
    ///   - command: what stands before the files, such as `plaw register shop`.
    ///   - names: the files as the daemon calls them.
    func pasteable(_ message: String, _ command: String, _ names: [String], _ files: [String]) -> String {
        let sent = "\(command) \(names.map(\.shellWord).joined(separator: " "))"
        let typed = "\(command) \(files.map(\.shellWord).joined(separator: " "))"
        var text = ""
        var rest = message[...]
        while let place = rest.firstRange(of: sent) {
            text += rest[..<place.lowerBound] + typed
            rest = rest[place.upperBound...]
            let line = rest[..<(rest.firstRange(of: "  ")?.lowerBound ?? rest.endIndex)]
            for (option, value) in words where option == "--where" || !line.contains(" \(option) ") {
                text += " \(option) \(value.shellWord)"
            }
        }
        text += rest
        // Commands that convert a file read the one that was typed.
        for (name, file) in zip(names.map(\.shellWord), files.map(\.shellWord)) where file != "-" {
            text = text.replacing("< \(name) ", with: "< \(file) ").replacing(
                " \(name) > data.", with: " \(file) > data.")
        }
        return text
    }

    static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    }
}

/// `behavior=buy`, or several joined by `and`.
struct Condition: OptionValue {
    var all: [RowCondition]

    static let expected = "conditions such as behavior=buy or 'rating>=4 and rating<5'"

    init?(argument: String) {
        guard let all = try? RowCondition.all(in: argument) else { return nil }
        self.all = all
    }
}
