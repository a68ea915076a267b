import Foundation
import PlawTesting
import Testing

/// Files as people have them, given to the built program: containers, Parquet, standard input, several.
@Suite struct InputTests {
    private static let rows = (0..<240).map {
        "u\($0 % 11),i\($0 * 7 % 13),\($0 % 2 == 0 ? "buy" : "view"),\(1_600_000_000 + $0 * 60)\n"
    }
    private static let header = "user_id,item_id,kind,timestamp\n"

    /// What `plaw sequences` must write of rows.
    private static func expected(_ isKept: (Int) -> Bool = { _ in true }) -> String {
        Dictionary(grouping: (0..<240).filter(isKept), by: { "u\($0 % 11)" })
            .sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            .map { "\($0.key)\t\($0.value.map { "i\($0 * 7 % 13)" }.joined(separator: " "))\n" }.joined()
    }

    /// Makes the files with Python, whose library writes all of them.
    private static func make(_ folder: String) async throws {
        try Data((header + rows.joined()).utf8).write(to: URL(filePath: folder + "/r.csv"))
        try Data((header + rows[..<100].joined()).utf8).write(to: URL(filePath: folder + "/p1.csv"))
        try Data((header + rows[100...].joined()).utf8).write(to: URL(filePath: folder + "/p2.csv"))
        let script = """
            import bz2, gzip, io, lzma, os, sys, tarfile, zipfile
            os.chdir(sys.argv[1])
            body = open("r.csv", "rb").read()
            open("r.csv.bz2", "wb").write(bz2.compress(body))
            open("r.csv.xz", "wb").write(lzma.compress(body))
            open("r.csv.gz", "wb").write(gzip.compress(body))
            open("cut.csv.bz2", "wb").write(bz2.compress(body)[:-60])
            with zipfile.ZipFile("one.zip", "w", zipfile.ZIP_DEFLATED) as z:
                z.writestr("d/r.csv", body); z.writestr("README.txt", "about"); z.writestr("__MACOSX/._r.csv", "x")
            open("cut.zip", "wb").write(open("one.zip", "rb").read()[:-300])
            with zipfile.ZipFile("it's two.zip", "w") as z:
                z.writestr("items.csv", "item_id,title\\n1,a\\n"); z.writestr("my r.csv", body)
            for name, mode in (("r.tar.gz", "w:gz"), ("r.tar", "w"), ("r.tar.xz", "w:xz")):
                with tarfile.open(name, mode) as t:
                    t.addfile(tarfile.TarInfo("d")); info = tarfile.TarInfo("d/r.csv"); info.size = len(body)
                    t.addfile(info, io.BytesIO(body))
            """
        let made = try await runProgram(path: "/usr/bin/env", ["python3", "-c", script, folder])
        try #require(made.code == 0, "\(made.errors)")
    }

    /// Runs a command of a shell, with `plaw` on its path.
    private static func shell(_ daemon: DaemonProcess, _ folder: String, _ command: String) async throws -> Outcome {
        let path = Paths.programs + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")
        return try await runProgram(
            path: "/bin/sh", ["-c", "cd \(folder) && \(command)"],
            environment: ["PLAW_SOCKET": daemon.socket, "PATH": path, "TMPDIR": folder])
    }

    private static func withFiles(_ body: @Sendable (DaemonProcess, String) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            try await make(folder)
            _ = try await withDaemon(in: folder) { daemon async throws in try await body(daemon, folder) }
        }
    }

    @Test("the table of a container is read, from a file and from standard input; two files are one dataset")
    func containers() async throws {
        try await Self.withFiles { daemon, folder in
            let sources = [
                "r.csv", "r.csv.gz", "r.csv.bz2", "r.csv.xz", "one.zip", "r.tar.gz", "r.tar", "r.tar.xz",
                "one.zip:d/r.csv",
                "p1.csv p2.csv", "- < r.csv", "- < r.csv.gz", "- < one.zip", "- < r.csv.xz",
            ]
            for (number, source) in sources.enumerated() {
                let piped = number % 2 == 0 ? source : source.replacing("- < ", with: "- ")
                let command =
                    source.hasPrefix("- ") && piped != source
                    ? "cat \(source.dropFirst(4)) | plaw register d\(number) -" : "plaw register d\(number) \(source)"
                let registered = try await Self.shell(daemon, folder, command)
                #expect(registered.code == 0, "\(source): \(registered.errors)")
                let written = try await Self.shell(daemon, folder, "plaw sequences d\(number)")
                #expect(written.output == Self.expected(), "\(source)")
            }
            let shown = try await Self.shell(daemon, folder, "plaw show d9")
            #expect(shown.output.hasPrefix("d9, from p1.csv, p2.csv, registered"))
            let containers = [
                "", " out of gzip", " out of bzip2", " out of xz", " out of zip", " out of tar in gzip", " out of tar",
                " out of tar in xz", " out of zip", "", "", " out of gzip", " out of zip", " out of xz",
            ]
            for (number, container) in containers.enumerated() {
                let shown = try await Self.shell(daemon, folder, "plaw show d\(number)")
                #expect(
                    shown.output.contains("format: csv\(container), with header"), "\(sources[number]): \(shown.output)"
                )
            }
            // Copies of what came from pipes have no names.
            let left = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix("plaw.") }
            #expect(left == [])
        }
    }

    @Test(
        "a container that leaves something open or is broken is refused in words, with a command that works when pasted"
    )
    func refusals() async throws {
        try await Self.withFiles { daemon, folder in
            let two = try await Self.shell(daemon, folder, "plaw register two \"it's two.zip\"")
            #expect(two.code == 1 && two.errors.contains("items.csv (") && two.errors.contains("my r.csv ("))
            let start = try #require(two.errors.range(of: "plaw register NAME "))
            let command = String(two.errors[start.lowerBound...]).replacing("NAME", with: "two")
            #expect(try await Self.shell(daemon, folder, command).code == 0, "\(command)")
            #expect(try await Self.shell(daemon, folder, "plaw sequences two").output == Self.expected())
            for (file, words) in [
                ("cut.zip", "truncated"), ("cut.csv.bz2", "truncated"),
                ("one.zip:other.csv", "found no other.csv inside"),
                ("r.csv.xz:r.csv", "not an archive"), ("r.csv r.csv", "is named twice"), (".", "is a directory"),
            ] {
                let outcome = try await Self.shell(daemon, folder, "plaw register x \(file)")
                #expect(outcome.code == 1 && outcome.errors.contains(words), "\(file): \(outcome.errors)")
            }
            #expect(try await Self.shell(daemon, folder, "plaw sequences x").code == 1)
        }
    }

    @Test("a look at a file shows columns, interactions and counts; conditions and a user alone; sequences into a file")
    func inspection() async throws {
        try await Self.withFiles { daemon, folder in
            let seen = try await Self.shell(daemon, folder, "plaw inspect p1.csv p2.csv --where kind=buy --events 2")
            #expect(seen.code == 0, "\(seen.errors)")
            for words in [
                "not used: ", "u0    i0    2020-09-13 12:26:40 UTC", "kind=buy removed 120 rows", "kind       ",
            ] {
                #expect(
                    words == "not used: " ? !seen.output.contains(words) : seen.output.contains(words),
                    "\(words) \(seen.output)")
            }
            #expect(try await Self.shell(daemon, folder, "plaw datasets --json").output.contains("\"datasets\":[]"))
            let registered = try await Self.shell(
                daemon, folder, "plaw register x r.csv --where kind=buy --where 'timestamp>=2020-09-13 13:00:00'")
            #expect(registered.code == 0, "\(registered.errors)")
            let isKept = { (row: Int) in row % 2 == 0 && row * 60 >= 2_000 }
            let file = try await Self.shell(daemon, folder, "plaw sequences x -o out.txt && cat out.txt")
            #expect(file.output == Self.expected(isKept))
            let one = try await Self.shell(daemon, folder, "plaw sequences x --user u3")
            #expect(one.output == Self.expected { isKept($0) && $0 % 11 == 3 })
            let none = try await Self.shell(daemon, folder, "plaw sequences x --user nobody")
            #expect(none.code == 1 && none.errors.contains("a user of the dataset, such as"))
        }
    }

    @Test("a command of a refusal keeps the files as they were typed and the options that were given")
    func pasting() async throws {
        try await Self.withFiles { daemon, folder in
            try Data(("who,what,kind,at\n" + Self.rows.joined()).utf8).write(
                to: URL(filePath: folder + "/odd names.csv"))
            let refused = try await Self.shell(
                daemon, folder, "plaw register x './odd names.csv' --where 'kind = buy' --k-core 2")
            #expect(refused.code == 1)
            let command =
                "plaw register x './odd names.csv' --where kind=buy --k-core 2 --columns user=who,item=what,time=at"
            #expect(refused.errors.contains(command), "\(refused.errors)")
            #expect(try await Self.shell(daemon, folder, command).code == 0)
            #expect(try await Self.shell(daemon, folder, "plaw sequences x").output == Self.expected { $0 % 2 == 0 })
        }
    }

    private static func onPath(_ command: String) async throws -> Bool {
        try await runProgram(path: "/bin/sh", ["-c", command + " >/dev/null 2>&1"]).code == 0
    }

    @Test(
        "Parquet is read by DuckDB where there is no pyarrow: lists stay lists, whatever their items hold",
        .enabled("there is no duckdb on PATH") { try await onPath("command -v duckdb") })
    func duckdb() async throws {
        try await Self.withFiles { daemon, folder in
            let rows =
                "SELECT 'u' || (i // 6) AS user_id, ['a, ' || (i % 7), 'b]' || (i % 5), 'c \"x\"'] AS items FROM range(60) t(i)"
            let made = try await Self.shell(
                daemon, folder,
                """
                cat > make.sql <<'END'
                COPY (\(rows)) TO 'lists.parquet' (FORMAT parquet);
                END
                duckdb < make.sql && mkdir only && ln -s "$(command -v duckdb)" only/duckdb
                printf '#!/bin/sh\\nexit 1\\n' > only/python3 && chmod +x only/python3
                head -c 300 lists.parquet > cut.parquet
                PATH=$PWD/only:$PATH plaw register lists lists.parquet && plaw sequences lists --user u3
                PATH=$PWD/only:$PATH plaw register cut cut.parquet
                """)
            #expect(made.errors.contains("format: jsonl out of Parquet by duckdb; user = user_id"), "\(made)")
            #expect(made.output.contains("\ta, 4 b]3 c \"x\" a, 5"), "\(made)")
            #expect(made.output.contains("interactions  180"), "\(made)")
            #expect(
                made.errors.contains("duckdb cannot read it: ") && !made.errors.contains("cannot read it:  "), "\(made)"
            )
        }
    }

    @Test(
        "Parquet, Arrow, Feather and ORC are read by pyarrow, whatever the name of the file",
        .enabled("python3 has no pyarrow") { try await onPath("python3 -c 'import pyarrow'") })
    func tables() async throws {
        try await Self.withFiles { daemon, folder in
            let script = """
                import os, sys
                import pyarrow as pa, pyarrow.parquet as pq, pyarrow.csv as csv, pyarrow.feather as feather, pyarrow.orc as orc
                os.chdir(sys.argv[1])
                table = csv.read_csv("r.csv")
                times = table["timestamp"].cast(pa.timestamp("s")).cast(pa.timestamp("us", "UTC"))
                table = table.set_column(3, "timestamp", times)
                orc.write_table(table, "r.orc")
                table = table.set_column(0, "user_id", table["user_id"].dictionary_encode())
                pq.write_table(table, "it's $(touch run) \\"r\\".parquet", row_group_size=50)
                feather.write_feather(table, "r.feather")
                with pa.OSFile("r.arrow", "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                    writer.write_table(table, max_chunksize=70)
                """
            let made = try await runProgram(path: "/usr/bin/env", ["python3", "-c", script, folder])
            try #require(made.code == 0, "\(made.errors)")
            let formats = [("*.parquet", "Parquet"), ("r.orc", "ORC"), ("r.feather", "Arrow"), ("r.arrow", "Arrow")]
            for (number, (file, format)) in formats.enumerated() {
                let registered = try await Self.shell(
                    daemon, folder, "plaw register p\(number) \(file) --where kind=view")
                #expect(registered.code == 0, "\(file): \(registered.errors)")
                #expect(registered.errors.contains("format: csv out of \(format) by pyarrow"), "\(registered.errors)")
                let written = try await Self.shell(daemon, folder, "plaw sequences p\(number)")
                #expect(written.output == Self.expected { $0 % 2 == 1 }, "\(file)")
            }
            let seen = try await Self.shell(daemon, folder, "plaw inspect r.orc")
            #expect(seen.output.contains("format: csv out of ORC by pyarrow"), "\(seen)")
            #expect(access(folder + "/run", F_OK) != 0)
        }
    }

    @Test("without a program that reads Parquet, one line says how to get one")
    func readerless() async throws {
        try await Self.withFiles { daemon, folder in
            try Data("PAR1nothing".utf8).write(to: URL(filePath: folder + "/bad.parquet"))
            let bare = try await Self.shell(
                daemon, folder, "PATH=/nowhere \(Paths.program("plaw")) register b bad.parquet")
            #expect(bare.code == 1 && bare.errors.contains("python3 -m pip install pyarrow"), "\(bare.errors)")
            #expect(bare.errors.split(separator: "\n").count == 1)
        }
    }
}
