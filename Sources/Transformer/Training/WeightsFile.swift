internal import Domain
internal import Trials

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// A model's parameters as safetensors, for PyTorch and from it: UInt64 length of the header, the header as JSON, then the
/// tensors in single precision, little endian. docs/contributors/training.md names the tensors.
///
/// Linear weights are [out, in] in the file, as PyTorch keeps them, and [in, out] in memory.
package enum WeightsFile {
    /// Version of the names and meanings, the member `plaw` of the metadata.
    private static let version = "1"
    /// The format's own limit of a header.
    private static let largestHeader = 100_000_000

    private struct Tensor: Decodable {
        var dtype: String
        var shape: [Int]
        var data_offsets: [Int]
    }

    private struct Header: Decodable {
        var metadata: [String: String] = [:]
        var tensors: [String: Tensor] = [:]

        private struct Key: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            for key in container.allKeys {
                if key.stringValue == "__metadata__" {
                    metadata = try container.decode([String: String].self, forKey: key)
                } else {
                    tensors[key.stringValue] = try container.decode(Tensor.self, forKey: key)
                }
            }
        }
    }

    /// What the metadata says of a model, in the file's order.
    private static func metadata(_ model: any SequenceModel) -> [(key: String, value: String)] {
        let c = model.configuration
        return [
            ("format", "pt"), ("plaw", version), ("backbone", c.backbone.rawValue), ("layers", "\(c.layers)"),
            ("dim", "\(c.dim)"), ("heads", "\(c.heads)"), ("maxLength", "\(c.maxLength)"), ("items", "\(model.items)"),
        ]
    }

    /// The shape of a parameter in the file.
    private static func shape(_ entry: ParameterTable.Entry) -> [Int] {
        entry.isMatrix ? entry.shape.reversed() : entry.shape
    }

    /// Replaces the file atomically.
    ///
    /// - Throws: `TrialFileError`.
    package static func write(_ model: any SequenceModel, to path: String) throws {
        // Names and values are plain words, so that the header needs no escapes.
        let meta = metadata(model).map { "\"\($0.key)\":\"\($0.value)\"" }.joined(separator: ",")
        var header = "{\"__metadata__\":{\(meta)}"
        for entry in model.table.entries {
            let shape = shape(entry).map(String.init).joined(separator: ",")
            let end = 4 * (entry.offset + entry.count)
            header +=
                ",\"\(entry.name)\":{\"dtype\":\"F32\",\"shape\":[\(shape)],\"data_offsets\":[\(4 * entry.offset),\(end)]}"
        }
        header += "}"
        while header.utf8.count % 8 != 0 { header += " " }
        var data = Data()
        data.reserveCapacity(8 + header.utf8.count + 4 * model.table.count)
        withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { data.append(contentsOf: $0) }
        data.append(contentsOf: header.utf8)
        for entry in model.table.entries {
            let values = UnsafeBufferPointer(start: model.parameters.p + entry.offset, count: entry.count)
            arranged(entry, Array(values), toFile: true).withUnsafeBytes { data.append(contentsOf: $0) }
        }
        try writeFileAtomically(data, to: path)
    }

    /// Fills the model's parameters.
    ///
    /// - Throws: `TrialFileError` naming the file and what was found and expected, where it is
    ///   no safetensors file, damaged, or of another configuration; the parameters are then untouched.
    package static func read(_ path: String, into model: any SequenceModel) throws {
        let data = try readFile(path)
        func refuse(_ message: String) -> TrialFileError { TrialFileError(file: path, message) }
        let (header, start) = try header(of: data, refuse)
        guard header.metadata["plaw"] != nil else {
            throw refuse("found no member \"plaw\" in the metadata, expected the version \(version) of weights")
        }
        for (key, expected) in metadata(model) where key != "format" {
            let found = header.metadata[key]
            guard found == expected else {
                throw refuse(
                    "\(key): found \(found.map { "\"\($0)\"" } ?? "nothing") in the metadata, expected \"\(expected)\"")
            }
        }
        let table = model.table
        try check(header, table, bytes: data.count - start, refuse)
        let loaded = FloatBuffer(table.count)
        for entry in table.entries {
            guard let tensor = header.tensors[entry.name] else { continue }
            var raw = [Float](repeating: 0, count: entry.count)
            raw.withUnsafeMutableBytes { to in
                let from = start + tensor.data_offsets[0]
                data.withUnsafeBytes {
                    to.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[from..<from + 4 * entry.count]))
                }
            }
            if let bad = raw.firstIndex(where: { !$0.isFinite }) {
                throw refuse("tensor \(entry.name): found \(raw[bad]) at \(bad), expected finite numbers")
            }
            for (i, value) in arranged(entry, raw, toFile: false).enumerated() { loaded.p[entry.offset + i] = value }
        }
        model.parameters.copy(from: loaded)
    }

    /// The header, and where the tensors begin.
    private static func header(
        of data: Data, _ refuse: (String) -> TrialFileError
    ) throws -> (header: Header, start: Int) {
        guard data.count >= 8 else { throw refuse("found \(data.count) bytes, expected a safetensors file") }
        let length = data.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
        guard length <= UInt64(largestHeader), data.count >= 9, data[data.startIndex + 8] == UInt8(ascii: "{") else {
            throw refuse("found no safetensors header")
        }
        guard length <= UInt64(data.count - 8) else {
            throw refuse("found \(data.count) bytes, expected a header of \(length): the file is cut short")
        }
        let start = 8 + Int(length)
        do {
            let text = data[data.startIndex + 8..<data.startIndex + start]
            return (try JSONDecoder().decode(Header.self, from: text), start)
        } catch {
            throw refuse("the safetensors header cannot be read: expected objects of dtype, shape and data_offsets")
        }
    }

    /// That the tensors are those of the table, and cover the data without gaps.
    private static func check(
        _ header: Header, _ table: ParameterTable, bytes: Int, _ refuse: (String) -> TrialFileError
    ) throws {
        for entry in table.entries {
            let expected = shape(entry)
            guard let tensor = header.tensors[entry.name] else {
                throw refuse("tensor \(entry.name): found none, expected shape \(expected)")
            }
            guard tensor.dtype == "F32" else {
                throw refuse("tensor \(entry.name): found dtype \(tensor.dtype), expected F32")
            }
            guard tensor.shape == expected else {
                throw refuse("tensor \(entry.name): found shape \(tensor.shape), expected \(expected)")
            }
            let offsets = tensor.data_offsets
            guard offsets.count == 2, offsets[0] >= 0, offsets[0] <= offsets[1],
                offsets[1] - offsets[0] == 4 * entry.count
            else {
                throw refuse("tensor \(entry.name): found data_offsets \(offsets), expected \(4 * entry.count) bytes")
            }
            guard offsets[1] <= bytes else {
                throw refuse(
                    "tensor \(entry.name): found \(bytes) bytes of data, expected at least \(offsets[1]): the file is cut short"
                )
            }
        }
        let names = Set(table.entries.map(\.name))
        if let extra = header.tensors.keys.filter({ !names.contains($0) }).min() {
            throw refuse("tensor \(extra): found shape \(header.tensors[extra]?.shape ?? []), expected no such tensor")
        }
        var end = 0
        for (name, tensor) in header.tensors.sorted(by: { $0.value.data_offsets[0] < $1.value.data_offsets[0] }) {
            guard tensor.data_offsets[0] == end else {
                throw refuse("tensor \(name): found data at \(tensor.data_offsets[0]), expected it at \(end)")
            }
            end = tensor.data_offsets[1]
        }
        guard end == bytes else { throw refuse("found \(bytes) bytes of data, expected \(end)") }
    }

    /// A parameter's numbers for the file or from it: linear weights are transposed, all others kept.
    private static func arranged(_ entry: ParameterTable.Entry, _ from: [Float], toFile: Bool) -> [Float] {
        guard entry.isMatrix else { return from }
        let (rows, columns) = toFile ? (entry.shape[0], entry.shape[1]) : (entry.shape[1], entry.shape[0])
        var to = from
        for r in 0..<rows { for c in 0..<columns { to[c * rows + r] = from[r * columns + c] } }
        return to
    }
}
