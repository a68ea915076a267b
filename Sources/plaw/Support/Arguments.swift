/// The command line as it was typed, where the parser alone would say little of what is wrong with it.
enum Arguments {
    /// A negative number behind an option is its value, not another option: `--max-params -3` becomes `--max-params=-3`.
    static func joined(_ arguments: [String]) -> [String] {
        var joined: [String] = []
        for (place, argument) in arguments.enumerated() {
            let isOpen = !arguments.prefix(place).contains("--")
            let isNumber = argument.first == "-" && (argument.dropFirst().first?.isNumber ?? false)
            if isOpen, isNumber, let option = joined.last, option.hasPrefix("--"), !option.contains("=") {
                joined[joined.count - 1] = option + "=" + argument
            } else {
                joined.append(argument)
            }
        }
        return joined
    }

    /// A parser's message, with what was expected where a quantity could not be read.
    static func explained(_ message: String) -> String {
        var lines = message.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard let parts = lines.first?.split(separator: "'", omittingEmptySubsequences: false), parts.count >= 4,
            parts[0] == "Error: The value ", parts[2] == " is invalid for ",
            let option = parts[3].split(separator: " ").first.map(String.init), let expected = quantities[option]
        else { return message }
        lines[0] = "Error: \(option): found \(parts[1]), expected \(expected)"
        return lines.joined(separator: "\n")
    }

    private static let quantities: [String: String] = {
        let count = "a number above 0 such as 500k, 2M or 5e12"
        let bytes = "a size above 0 such as 200MB or 1GiB"
        let seconds = "a duration above 0 such as 5ms, 10m or 2h"
        return [
            "--max-params": count, "--max-flops": count, "--max-memory": bytes, "--max-latency": seconds,
            "--max-train-time": seconds, "--budget": seconds,
            "--tolerance": "a share above 0, at most 1, such as 1% or 0.01",
        ]
    }()
}
