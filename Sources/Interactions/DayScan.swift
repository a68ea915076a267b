/// Looks on through files for a date that tells days from months.
struct DayScan {
    /// Nil where none of the dates looked at tells.
    let order: DayOrder?

    /// Bytes of text that are looked at: a file that goes on longer without a day above 12 is asked about.
    static let longest = 32 << 20

    /// - Parameter growing: the first of the files, where it is still being written.
    init(paths: [String], layout: Layout, growing: GrowingFile? = nil) throws {
        var judge = DayJudge()
        var seen = 0
        var reader = RowReader(layout: layout)
        for (number, path) in paths.enumerated() {
            let source = try RecordSource(path: path, layout: layout, growing: number == 0 ? growing : nil)
            while judge.isUndecided, seen < Self.longest,
                try source.next({ line in
                    seen += line.count + 1
                    reader.timeTexts(line) { text in
                        if let date = DateText(text, nil) { judge.add(date) }
                    }
                })
            {}
        }
        order = judge.order
    }
}
