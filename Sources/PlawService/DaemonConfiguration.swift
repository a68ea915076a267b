internal import Glibc
internal import Logging
internal import Wire
internal import StrictJSON
internal import Trials

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The configuration file: a JSON object with these members, all optional; others are refused.
package struct DaemonConfiguration: Sendable, Hashable {
    /// Trials that may train at once. Default: the number of cores.
    package var workers: Int?
    /// `trace`, `debug`, `info`, `notice`, `warning`, `error`, `critical`. Default: `info`.
    package var logLevel: String?
    /// Group whose members may register, calibrate and remove. Default: none.
    package var writeGroup: String?
    /// Largest upload. Default: 4 GiB.
    package var maxUploadBytes: Int?
    /// Largest state directory. Default: as large as the disk.
    package var maxStateBytes: Int?
    /// Most memory for files that are being registered, all together. Default: a quarter of the machine's.
    package var registerMemoryBytes: Int?
    /// Path of the `plaw-trial` program. Default: beside plawd.
    package var trialProgram: String?

    /// Most memory that one trial may take, in bytes. Default: no limit but its prediction.
    package var trialMemoryBytes: Int?
    /// Whether each trial gets a control group of its own, in a tree that systemd delegated. Default: no.
    package var trialCgroups: Bool?
    /// Who trains besides the daemon's own workers, by name. Takes effect when the daemon starts.
    package var executors: [String: ExecutorConfiguration] = [:]

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case workers, logLevel, writeGroup, maxUploadBytes, maxStateBytes, registerMemoryBytes, trialProgram
        case trialMemoryBytes, trialCgroups, executors
    }

    package init() {}

    /// Reads a file.
    ///
    /// - Throws: `ConfigurationError` naming the file, the member, what was found and what was expected.
    package init(contentsOf path: String) throws {
        let members = try Self.members(path)
        let known = CodingKeys.allCases.map(\.rawValue)
        if let unknown = members.keys.sorted().first(where: { !known.contains($0) }) {
            throw ConfigurationError(
                "\(path): found the member \"\(unknown)\", expected some of \(known.joined(separator: ", "))")
        }
        func refuse(_ place: String, _ found: JSONValue, _ expected: String) -> ConfigurationError {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .withoutEscapingSlashes
            // What was decoded can be written.
            let text = String(decoding: (try? encoder.encode(found)) ?? Data(), as: UTF8.self)
            return ConfigurationError("\(path): \(place): found \(text), expected \(expected)")
        }
        func refuse(_ key: CodingKeys, _ expected: String) -> ConfigurationError {
            refuse(key.rawValue, members[key.rawValue] ?? .null, expected)
        }
        func integer(_ key: CodingKeys, _ range: ClosedRange<Int64>, _ expected: String) throws -> Int? {
            guard let value = members[key.rawValue] else { return nil }
            guard case .integer(let number) = value, range.contains(number) else { throw refuse(key, expected) }
            return Int(number)
        }
        func text(_ key: CodingKeys, _ expected: String, _ holds: (String) -> Bool) throws -> String? {
            guard let value = members[key.rawValue] else { return nil }
            guard let text = value.stringValue, holds(text) else { throw refuse(key, expected) }
            return text
        }
        let levels = Logger.Level.allCases.map(\.rawValue)
        workers = try integer(.workers, 1...256, "a whole number from 1 to 256")
        logLevel = try text(.logLevel, "one of \(levels.joined(separator: ", "))") { levels.contains($0) }
        writeGroup = try text(.writeGroup, "the name of a group of this machine") { getgrnam($0) != nil }
        maxUploadBytes = try integer(.maxUploadBytes, 1...Int64.max, "a whole number of bytes, 1 or more")
        maxStateBytes = try integer(.maxStateBytes, 1...Int64.max, "a whole number of bytes, 1 or more")
        registerMemoryBytes = try integer(
            .registerMemoryBytes, 1 << 20...Int64.max, "a whole number of bytes, 1048576 or more")
        trialProgram = try text(.trialProgram, "the path of a program that may be run") { path in
            var status = stat()
            return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
        }
        trialMemoryBytes = try integer(
            .trialMemoryBytes, 1 << 20...Int64.max, "a whole number of bytes, 1048576 or more")
        if let value = members[CodingKeys.trialCgroups.rawValue] {
            guard case .bool(let flag) = value else { throw refuse(.trialCgroups, "true or false") }
            trialCgroups = flag
        }
        if let value = members[CodingKeys.executors.rawValue] {
            guard case .object(let named) = value else {
                throw refuse(.executors, "an object with an executor for each name")
            }
            for (name, value) in named.sorted(by: { $0.key < $1.key }) {
                guard name.wholeMatch(of: /[a-z][a-z0-9_-]{0,31}/) != nil else {
                    throw refuse(
                        "executors", .string(name), "a name of lower-case letters, digits, _ and -, 32 bytes at most")
                }
                executors[name] = try ExecutorConfiguration(value) { member, found, expected in
                    refuse("executors.\(name)" + (member.map { ".\($0)" } ?? ""), found, expected)
                }
            }
        }
    }

    /// The members of the object in a file.
    private static func members(_ path: String) throws -> [String: JSONValue] {
        let data: Data
        do { data = try readFile(path) } catch { throw ConfigurationError("\(error)") }
        do {
            return try JSONText.root(of: data).decode([String: JSONValue].self)
        } catch let error as JSONSyntaxError {
            let (line, column) = JSONSyntaxError.position(of: error.offset, in: data)
            throw ConfigurationError(
                "\(path):\(line):\(column): found \(error.found), expected \(error.expected)")
        } catch let error as JSONMismatch {
            throw ConfigurationError("\(path): \(error)")
        }
    }

    /// Looks the write group up once, at start.
    func authorization() -> Authorization {
        var authorization = Authorization(owner: getuid(), writeGroup: nil, writers: [])
        guard let name = writeGroup, let group = getgrnam(name) else { return authorization }
        authorization.writeGroup = group.pointee.gr_gid
        // Safe: the list ends with a null, and stays until groups are looked up again, which nothing else does.
        var member = group.pointee.gr_mem
        while let name = member?.pointee {
            if let user = getpwnam(name) { authorization.writers.insert(user.pointee.pw_uid) }
            member = member?.advanced(by: 1)
        }
        return authorization
    }
}

/// A configuration file that cannot be used.
package struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    package var description: String
    init(_ description: String) { self.description = description }
}
