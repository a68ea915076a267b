/// The command line as it was typed, where the parser alone would say little of what is wrong with it.
enum Arguments {
    /// Arguments as the parser wants them: options of every command may stand before it, and a value may begin with a minus sign, which
    /// its option then refuses in its own words.
    static func normalized(_ arguments: [String]) -> [String] {
        var leading: [String] = []
        var rest = arguments[...]
        while let first = rest.first, first == "--json" || first == "--socket" || first.hasPrefix("--socket=") {
            let count = first == "--socket" ? 2 : 1
            leading += rest.prefix(count)
            rest = rest.dropFirst(count)
        }
        // Without a command there is nothing for them to follow.
        guard let command = rest.first, !command.hasPrefix("-") else { return arguments }
        var result: [String] = []
        var isOver = false
        for argument in [command] + leading + rest.dropFirst() {
            if argument == "--" { isOver = true }
            let isNegative =
                argument.first == "-" && argument.dropFirst().first.map { $0.isNumber || $0 == "." } == true
            if !isOver, isNegative, let option = result.last, option.hasPrefix("--"), !option.contains("=") {
                result[result.count - 1] = option + "=" + argument
            } else {
                result.append(argument)
            }
        }
        return result
    }

    /// What is wrong where the first argument of normalized ones is the name of no command; nil where nothing is.
    static func unknownCommand(_ arguments: [String], among commands: [String]) -> String? {
        guard let name = arguments.first, !name.hasPrefix("-"), name != "help", !commands.contains(name) else {
            return nil
        }
        let like = commands.filter { $0.hasPrefix(name) || edits($0, name) <= 2 }
        return "Error: no command is named \"\(name)\""
            + (like.isEmpty ? "" : "; did you mean \(like.joined(separator: " or "))?")
            + "\nSee 'plaw --help' for all of them."
    }

    /// Letters to insert, to remove or to change until one text is the other.
    private static func edits(_ first: String, _ second: String) -> Int {
        var row = Array(0...second.count)
        for (number, letter) in first.enumerated() {
            var (diagonal, before) = (row[0], number + 1)
            row[0] = before
            for (place, other) in second.enumerated() {
                before = min(before + 1, row[place + 1] + 1, diagonal + (letter == other ? 0 : 1))
                (diagonal, row[place + 1]) = (row[place + 1], before)
            }
        }
        return row[second.count]
    }
}
