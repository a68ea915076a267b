import Files
import Glibc
import Subprocess

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// A table in a format that another program of this machine reads: Parquet, Arrow, Feather and ORC by Python with pyarrow, Parquet also
/// by DuckDB. The program writes it as CSV, and where it holds objects as JSON lines.
struct TableProgram: Sendable {
    enum Format: String, Sendable, CaseIterable {
        case parquet = "Parquet"
        case arrow = "Arrow"
        case feather = "Feather"
        case orc = "ORC"

        init?(head: [UInt8]) {
            let magics: [(String, Format)] = [
                ("PAR1", .parquet), ("ARROW1", .arrow), ("FEA1", .feather), ("ORC", .orc),
            ]
            guard let found = magics.first(where: { head.starts(with: $0.0.utf8) }) else { return nil }
            self = found.1
        }
    }

    private enum Reader: String, Sendable { case pyarrow, duckdb }

    private let file: LocalFile
    private let format: Format
    private let reader: Reader

    /// Finds a program that reads the file.
    ///
    /// - Throws: `CommandFailure` that says how to get one.
    init(_ file: LocalFile, _ format: Format) async throws {
        self.file = file
        self.format = format
        if try await Self.runs(.name("python3"), ["-c", "import pyarrow"]) {
            reader = .pyarrow
        } else if format == .parquet, try await Self.runs(.name("duckdb"), ["-c", "SELECT 1"]) {
            reader = .duckdb
        } else {
            throw CommandFailure(
                "\(file.path): \(format.rawValue) is read by Python's pyarrow\(format == .parquet ? " or by duckdb" : ""), and none was "
                    + "found on PATH; to get it: python3 -m pip install pyarrow")
        }
    }

    /// What is read, and by whom.
    var words: String { "\(format.rawValue) by \(reader.rawValue)" }

    private static func runs(_ program: Executable, _ arguments: [String]) async throws -> Bool {
        do {
            let outcome = try await Subprocess.run(
                program, arguments: Subprocess.Arguments(arguments), input: .none, output: .discarded, error: .discarded
            )
            return outcome.terminationStatus == .exited(0)
        } catch {
            // It is not on PATH.
            return false
        }
    }

    /// Hands the table as text to `body`, piece by piece.
    func forEachPiece(_ body: ([UInt8]) async throws -> Void) async throws {
        let (program, arguments): (Executable, [String]) =
            switch reader {
            case .pyarrow: (.name("python3"), ["-c", Self.script, file.path])
            case .duckdb:
                (
                    .name("duckdb"),
                    // In CSV its lists have no quotes around items that hold commas.
                    ["-jsonlines", "-c", "SELECT * FROM read_parquet('\(file.path.replacing("'", with: "''"))')"]
                )
            }
        let said = FileDescriptor(rawValue: try LocalFile.nameless(for: "what the program says"))
        defer { try? said.close() }
        var options = PlatformOptions()
        options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(2))]
        // Without a zone of its own DuckDB shows times in that of the user.
        let outcome = try await Subprocess.run(
            program, arguments: Subprocess.Arguments(arguments),
            environment: .inherit.updating(["TZ": "UTC", "PYTHONUTF8": "1"]),
            platformOptions: options, input: .none, output: .sequence,
            error: .fileDescriptor(said, closeAfterSpawningProcess: false)
        ) { execution in
            for try await piece in execution.standardOutput {
                try await body(piece.withUnsafeBytes { Array($0) })
            }
        }
        guard outcome.terminationStatus != .exited(0) else { return }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = bytes.withUnsafeMutableBytes { readAll(said.rawValue, into: $0, at: 0) }
        let lines = String(decoding: bytes[..<max(0, count)], as: UTF8.self).split(separator: "\n")
        // Python ends with its reason, DuckDB begins with it and points at the query after.
        let reason = (reader == .pyarrow ? lines.last : lines.first) ?? "no reason given"
        throw CommandFailure(
            "\(file.path): \(reader.rawValue) cannot read it: \(reason)")
    }

    /// Writes the file named by its argument to standard output.
    static let script = """
        import json, sys
        import pyarrow as pa, pyarrow.compute as pc, pyarrow.csv

        path = sys.argv[1]

        def batches():
            with open(path, "rb") as file:
                head = file.read(6)
            if head[:4] == b"PAR1":
                import pyarrow.parquet
                table = pyarrow.parquet.ParquetFile(path)
                return table.schema_arrow, table.iter_batches()
            if head[:3] == b"ORC":
                import pyarrow.orc
                table = pyarrow.orc.ORCFile(path)
                return table.schema, (table.read_stripe(n) for n in range(table.nstripes))
            if head[:4] == b"FEA1":
                import pyarrow.feather
                table = pyarrow.feather.read_table(path)
                return table.schema, table.to_batches()
            table = pa.ipc.open_file(path)
            return table.schema, (table.get_batch(n) for n in range(table.num_record_batches))

        def nested(kind):
            return pa.types.is_nested(kind)

        def objects(kind):
            if pa.types.is_struct(kind) or pa.types.is_map(kind):
                return True
            return pa.types.is_nested(kind) and objects(kind.value_type)

        def dumped(value):
            return json.dumps(value, ensure_ascii=False, default=str)

        def plain(column):
            kind = column.type
            if pa.types.is_dictionary(kind):
                column = column.cast(kind.value_type)
                kind = column.type
            if nested(kind):
                return pa.array([None if value is None else dumped(value) for value in column.to_pylist()], pa.string())
            if pa.types.is_timestamp(kind) and kind.tz:
                return column.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.string())
            if pa.types.is_floating(kind):
                # Whole numbers are written as such: users and items of columns with gaps come as 12.0.
                whole = pc.all(pc.or_kleene(pc.is_null(column, nan_is_null=True), pc.less(pc.abs(column), 2.0 ** 53)))
                if whole.as_py() is not False and pc.all(pc.equal(pc.floor(column), column)).as_py() is not False:
                    column = pc.if_else(pc.is_nan(column), None, column)
                    return column.cast(pa.int64())
                return column
            if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
                values = column.to_pylist()
                try:
                    return pa.array([None if value is None else value.decode() for value in values], pa.string())
                except UnicodeDecodeError:
                    return pa.array([None if value is None else value.hex() for value in values], pa.string())
            if pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
                return column
            return column.cast(pa.string())

        def main():
            schema, parts = batches()
            out = sys.stdout.buffer
            if any(objects(kind) for kind in schema.types):
                for part in parts:
                    out.writelines(dumped(row).encode() + b"\\n" for row in part.to_pylist())
                return
            header = pa.table([pa.array([], pa.string()) for _ in schema.names], names=schema.names)
            pyarrow.csv.write_csv(header, out)
            options = pyarrow.csv.WriteOptions(include_header=False)
            for part in parts:
                columns = [plain(column) for column in part.columns]
                pyarrow.csv.write_csv(pa.table(columns, names=schema.names), out, options)

        try:
            main()
            sys.stdout.flush()
        except BrokenPipeError:
            sys.exit(1)
        except Exception as error:
            sys.exit(" ".join(str(error).split()) or type(error).__name__)
        """
}
