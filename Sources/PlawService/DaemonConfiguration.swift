internal import Glibc

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The configuration file: a JSON object with these members, all optional; others are refused.
package struct DaemonConfiguration: Codable, Sendable, Hashable {
    /// Trials that may train at once; the number of cores unless given.
    package var workers: Int?
    /// `trace`, `debug`, `info`, `notice`, `warning`, `error`, `critical`; `info` unless given.
    package var logLevel: String?
    /// Group whose members may register, calibrate and remove; none unless given.
    package var writeGroup: String?
    /// Largest upload; 4 GiB unless given.
    package var maxUploadBytes: Int?
    /// Path of the `plaw-trial` program; beside plawd unless given.
    package var trialProgram: String?

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case workers, logLevel, writeGroup, maxUploadBytes, trialProgram
    }

    package init() {}

    /// Reads a file. Errors: `ConfigurationError` naming the file and the member.
    package init(contentsOf path: String) throws {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw ConfigurationError("\(path): cannot be read: \(error)")
        }
        struct AnyMember: Decodable {}
        do {
            let members = try JSONDecoder().decode([String: AnyMember].self, from: data)
            let known = CodingKeys.allCases.map(\.rawValue)
            if let unknown = members.keys.sorted().first(where: { !known.contains($0) }) {
                throw ConfigurationError(
                    "\(path): found the member \"\(unknown)\", expected some of \(known.joined(separator: ", "))")
            }
            self = try JSONDecoder().decode(Self.self, from: data)
        } catch let error as DecodingError {
            throw ConfigurationError("\(path): \(Self.words(error))")
        }
        if let workers, !(1...256).contains(workers) {
            throw ConfigurationError("\(path): workers: found \(workers), expected 1 to 256")
        }
        if let maxUploadBytes, maxUploadBytes < 1 {
            throw ConfigurationError("\(path): maxUploadBytes: found \(maxUploadBytes), expected 1 or more")
        }
    }

    private static func words(_ error: DecodingError) -> String {
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
            .dataCorrupted(let context):
            return context.codingPath.map(\.stringValue).joined(separator: ".") + ": " + context.debugDescription
        @unknown default: return "\(error)"
        }
    }

    /// Looks the write group up once, at start.
    func authorization() -> Authorization {
        var authorization = Authorization(owner: getuid(), writeGroup: nil, writers: [])
        guard let name = writeGroup, let group = getgrnam(name) else { return authorization }
        authorization.writeGroup = group.pointee.gr_gid
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
