import Domain
import Observations
import Testing

/// Tables of observations, read and written.
@Suite struct TableTests {
    private static func read(
        _ text: String, columns: [String: String] = [:], context: TableContext = TableContext(dataset: "d")
    ) throws -> ObservationTable {
        try ObservationTable(
            bytes: Array(text.utf8), file: "a.csv", options: TableOptions(constants: columns), context: context)
    }

    private static func observations(_ text: String, columns: [String: String] = [:]) throws -> [Observation] {
        try read(text, columns: columns).rows.map(\.observation)
    }

    private static let everything = """
        backbone,loss,layers,dim,heads,max_length,tokens,apen,seed,split,mask,users,hr@10,hr@10_se,ndcg@5,mrr@20,\
        user_fraction,negatives,candidates,filter,policy,code_version,dataset_version,feed_forward_factor,parameters,\
        epochs,best_epoch,seconds,status,source
        gpt,bce,3,24,4,20,1000,2.5,7,leave-one-out,window,400,0.25,0.03,0.125,0.0625,0.5,9,sampled-100,k-core=5,\
        adam lr=0.001,torch-2,abc,1.5,12345,40,31,12.5,stopped,table 4
        """

    @Test("every column arrives where it belongs, and nothing is undeclared")
    func everyColumn() throws {
        let found = try #require(try Self.observations(Self.everything).first)
        let configuration = Configuration(
            backbone: .gpt, layers: 3, dim: 24, heads: 4, maxLength: 20, loss: .bce, feedForwardFactor: 1.5)
        let key = LawKey(
            datasetVersion: .said("abc"), filter: .said("k-core=5"), split: .said("leave-one-out"),
            mask: .said(.window),
            candidates: .said("sampled-100"), backbone: .said(.gpt), loss: .said(.core(.bce)), negatives: .said(9),
            maxLength: .said(20),
            policy: TrainingPolicy("adam lr=0.001 heads=4 ff=1.5"), codeVersion: .said("torch-2"))
        #expect(
            found
                == Observation(
                    id: 0, dataset: "d", key: key, configuration: DeclaredConfiguration(configuration),
                    tokens: .said(1_000), apen: .said(2.5),
                    userFraction: 0.5, seed: 7, users: 400,
                    metrics: [
                        "hr@10": Measurement(value: 0.25, standardError: 0.03),
                        "ndcg@5": Measurement(value: 0.125, standardError: 0),
                        "mrr@20": Measurement(value: 0.0625, standardError: 0),
                    ], epochs: 40, seconds: 12.5, converged: false, job: nil, trial: nil, status: "stopped",
                    bestEpoch: 31, parameters: 12_345, source: "table 4"))
        #expect(found.effectiveTokens == 400)
    }

    @Test("heads that follow from the dimension are one rule, whatever the order; others keep trainings apart")
    func heads() throws {
        func policies(_ rows: [String], header: String = "layers,dim,heads,hr@10") throws -> [String] {
            try Self.observations(([header] + rows).joined(separator: "\n")).map(\.key.policy.text)
        }
        let ruled = ["1,16,1,0.1", "2,16,1,0.1", "1,64,4,0.2", "2,64,4,0.2"]
        #expect(try Set(policies(ruled)) == ["heads<=4"] && Set(policies(ruled.reversed())) == ["heads<=4"])
        // The same number everywhere, and two numbers at one dimension.
        #expect(try policies(Array(ruled.prefix(2))) == ["heads=1", "heads=1"])
        #expect(try policies(ruled + ["4,64,1,0.2"]).suffix(3) == ["heads=4", "heads=4", "heads=1"])
        // Other keys say nothing of these, and a policy that says its heads is left as it is.
        let two = ["1,16,1,0.1,a", "1,64,4,0.2,b", "2,64,4,0.2,b heads<=8"]
        #expect(
            try policies(two, header: "layers,dim,heads,hr@10,policy") == ["a heads=1", "b heads=4", "b heads<=8"])
        // What is written is read as the same.
        let rows = try Self.observations((["layers,dim,heads,hr@10"] + ruled).joined(separator: "\n"))
        #expect(try Set(Self.observations(ObservationTable.write(rows)).map(\.key.policy.text)) == ["heads<=4"])
        let one = try Self.observations(ObservationTable.write([rows[0]]), columns: ["policy": "heads<=4"])
        #expect(one[0].key.policy.text == "heads<=4")
    }

    @Test("layers, dim and a metric are enough; the rest is undeclared")
    func least() throws {
        let found = try Self.observations("dim,layers,NDCG@10\n16,2,0.05\n32,2,0.06\n")
        #expect(found.map(\.configuration.dim) == [16, 32])
        #expect(
            found[0].key.undeclared == [
                "dataset_version", "filter", "split", "mask", "candidates", "backbone", "loss", "negatives",
                "max_length", "policy", "code_version", "heads", "tokens", "apen",
            ])
        #expect(found[0].key == found[1].key)
        #expect(found[0].effectiveTokens == 1)
        #expect(found[0].metrics["ndcg@10"]?.lacksError == true)
        #expect(found[0].converged)
    }

    @Test("what differs in what it leaves open has another key")
    func keys() throws {
        let found = try Self.observations(
            "layers,dim,mask,heads,ndcg@10\n1,16,full,2,0.1\n2,16,,2,0.1\n3,16,none,2,0.1\n4,16,full,4,0.1\n5,16,full,2,0.1"
        )
        #expect(Set(found.map(\.key)).count == 4)
        #expect(found[0].key == found[4].key)
        // Losses over the whole catalogue have no negatives to declare.
        let losses = try Self.observations("layers,dim,loss,ndcg@10\n1,16,cce,0.1\n1,16,bce,0.1")
        #expect(losses.map { $0.key.undeclared.contains("negatives") } == [false, true])
    }

    @Test("standard errors of hit rates follow from the users, by the variance of a mean of hits; others are unknown")
    func standardErrors() throws {
        let found = try Self.observations(
            "layers,dim,users,hr@10,ndcg@10,ndcg@10_se\n1,16,100,0.2,0.1,\n2,16,,0.2,0.1,0.01\n3,16,50,0,0,")
        #expect(found[0].metrics["hr@10"]?.standardError == 0.04)
        #expect(found[0].metrics["ndcg@10"]?.lacksError == true)
        #expect(found[1].metrics["hr@10"]?.lacksError == true)
        #expect(found[1].metrics["ndcg@10"]?.standardError == 0.01)
        #expect(found[2].metrics["hr@10"] == Measurement(value: 0, standardError: 0))
    }

    @Test("a dataset with interactions adds its data size to rows of all users and of its length")
    func dataSize() throws {
        let context = TableContext(dataset: "d", source: "a paper", tokens: 900, apen: 3, maxLength: 50)
        let rows = try Self.read(
            "layers,dim,max_length,user_fraction,tokens,source,ndcg@10\n1,16,50,,,,0.1\n1,16,20,,,,0.1\n1,16,50,0.5,,,0.1\n"
                + "1,16,50,,10,mine,0.1\n1,16,,,,,0.1", context: context
        ).rows.map(\.observation)
        #expect(rows.map(\.effectiveTokens) == [300, 1, 0.5, 1, 300])
        #expect(rows.map { $0.key.undeclared.contains("tokens") } == [false, true, true, false, false])
        #expect(rows.map { $0.key.undeclared.contains("apen") } == [false, true, true, true, false])
        #expect(rows.map(\.source) == ["a paper", "a paper", "a paper", "mine", "a paper"])
    }

    @Test("quoted fields, CRLF, a byte order mark, empty lines and spaces beside commas are read")
    func dialect() throws {
        let text =
            "\u{FEFF}\"layers\",dim,policy,\"ndcg@10\"\r\n1, 16 ,\"adam, lr=\"\"0.1\"\"\",0.5\r\n\r\n2,32,x,0.25\r\n"
        let rows = try Self.read(text).rows
        #expect(rows.map(\.line) == [2, 4])
        #expect(rows.map(\.observation.key.policy.text) == ["adam, lr=\"0.1\"", "x"])
        #expect(rows.map(\.observation.configuration.dim) == [16, 32])
    }

    @Test("only converged trainings are fitted; failed ones are kept as such and counted")
    func statuses() throws {
        let table = try Self.read(
            "layers,dim,status,ndcg@10\n1,16,converged,0.1\n2,16,diverged,\n3,16,diverged,0.01\n4,16,stoppedByBudget,0.05\n"
                + "5,16,,0.1\n6,16,failed,")
        #expect(table.skipped == 0 && table.failures == 3)
        #expect(table.rows.map(\.observation.converged) == [true, false, false, false, true, false])
        #expect(table.rows.map(\.observation.status) == [nil, "diverged", "diverged", nil, nil, "failed"])
        #expect(table.rows.map { $0.observation.metrics.isEmpty } == [false, true, false, false, false, true])
    }

    @Test("a value for all rows declares a column that the file lacks")
    func constants() throws {
        let found = try Self.observations(
            "layers,dim,ndcg@10\n1,16,0.1", columns: ["mask": "full", "tokens": "900", "apen": "3"])
        #expect(found[0].key.mask == .said(.full))
        #expect(found[0].effectiveTokens == 300)
        for name in ["mask", "tokens", "apen"] { #expect(!found[0].key.undeclared.contains(name)) }
    }

    struct Refusal: Sendable {
        var text: String
        var line: Int?
        var column: String?
        var words: [String]

        init(_ text: String, line: Int? = nil, column: String? = nil, _ words: String...) {
            (self.text, self.line, self.column, self.words) = (text, line, column, words)
        }
    }

    static let refusals = [
        Refusal("", "found nothing"), Refusal("layers,dim,ndcg@10\n", "header without rows"),
        Refusal("layers,dim\n1,16", line: 1, "no column of a metric"),
        Refusal("layers,ndcg@10\n1,0.1", line: 1, "no column dim"),
        Refusal("layers,dim,ndgc@10\n1,16,0.1", line: 1, "unknown column \"ndgc@10\" (0.1)", "user_fraction", "ndcg@K"),
        Refusal("layers;dim,ndcg@10\n1;16,0.1", line: 1, "\"layers;dim\" (1;16)", "no column layers"),
        Refusal("layers,dim,,ndcg@10\n1,16,,0.1", line: 1, "without a name (number 3)"),
        Refusal("layers,dim,dim,ndcg@10\n1,16,16,0.1", line: 1, column: "dim", "twice"),
        Refusal("layers,dim,hr@10,ndcg@10_se\n1,16,0.1,0.1", line: 1, column: "ndcg@10_se", "no column ndcg@10"),
        Refusal("layers,dim,ndcg@10\n1,16,0.1\n2,16\n", line: 3, "found 2 fields, expected 3"),
        Refusal("layers,dim,ndcg@10\n0,16,0.1", line: 2, column: "layers", "found \"0\"", "1 to 10000"),
        Refusal("layers,dim,ndcg@10\n1,,0.1", line: 2, column: "dim", "found nothing"),
        Refusal("layers,dim,ndcg@10\n1,16,7.5", line: 2, column: "ndcg@10", "found \"7.5\"", "0 to 1", "not per cent"),
        Refusal("layers,dim,ndcg@10\n1,16,0x1p-4", line: 2, column: "ndcg@10", "0x1p-4"),
        Refusal("layers,dim,ndcg@10,ndcg@10_se,hr@5\n1,16,,0.1,0.2", line: 2, column: "ndcg@10_se", "without a value"),
        Refusal("layers,dim,mask,ndcg@10\n1,16,half,0.1", line: 2, column: "mask", "none, window, full"),
        Refusal("layers,dim,heads,ndcg@10\n1,16,0,0.1", line: 2, column: "heads", "1 to 1000000"),
        Refusal("layers,dim,apen,ndcg@10\n1,16,0,0.1", line: 2, column: "apen", "more than 0"),
        Refusal("layers,dim,user_fraction,ndcg@10\n1,16,1.5,0.1", line: 2, column: "user_fraction", "at most 1"),
        Refusal("layers,dim,seed,ndcg@10\n1,16,-1,0.1", line: 2, column: "seed", "0 or more"),
        Refusal("layers,dim,ndcg@10\n1,\"16,0.1", line: 2, "inside a quoted field"),
        Refusal("layers,dim,ndcg@10\n1,16\"x\",0.1", line: 2, "quotation mark inside"),
        Refusal("layers,dim,ndcg@10\n1,\"16\"x,0.1", line: 2, "behind a closing quotation mark"),
        Refusal("layers,dim,ndcg@10\n1,16,0.1\0", line: 2, "NUL"),
        Refusal("layers,dim,ndcg@10\n1,16\r,0.1", line: 2, "carriage return"),
    ]

    @Test("what is wrong is said with file, line, column, what was found and what was expected", arguments: refusals)
    func refused(_ refusal: Refusal) {
        let error = #expect(throws: TableError.self) { try Self.read(refusal.text) }
        #expect(error?.file == "a.csv")
        #expect(error?.line == refusal.line, "\(refusal.text)")
        #expect(error?.column == refusal.column, "\(refusal.text)")
        let description = error?.description ?? ""
        #expect(description.hasPrefix("a.csv"))
        for word in refusal.words + ["found", "xpected"] { #expect(description.contains(word), "\(description)") }
    }

    @Test("bytes that are no text in UTF-8 are refused")
    func bytes() {
        for bytes: [UInt8] in [
            [0xFF, 0xFE, 0x6C, 0], [0x1F, 0x8B, 8], Array("layers,dim,ndcg@10\n1,16,".utf8) + [0xC3],
        ] {
            #expect(throws: TableError.self) {
                try ObservationTable(bytes: bytes, file: "a.csv", context: TableContext(dataset: "d"))
            }
        }
    }

    @Test("values for all rows must be of known columns that the file lacks")
    func wrongConstants() {
        let unknown = #expect(throws: TableError.self) {
            try Self.read("layers,dim,ndcg@10\n1,16,0.1", columns: ["musk": "full"])
        }
        #expect(unknown?.description.contains("\"musk\"") == true)
        let both = #expect(throws: TableError.self) {
            try Self.read("layers,dim,mask,ndcg@10\n1,16,full,0.1", columns: ["mask": "full"])
        }
        #expect(both?.column == "mask")
    }

    @Test("what is written is read again as the same observations")
    func roundTrip() throws {
        let texts = [
            Self.everything, "layers,dim,ndcg@10\n1,16,0.1\n2,8,0.12345678901234567",
            "layers,dim,loss,policy,status,hr@1,hr@10_se,hr@10\n1,16,cce,\"a, \"\"b\"\"\",stoppedByBudget,0.1,,0.2\n"
                + "2,16,,,diverged,0.5,1e-3,0.25\n3,16,bce,c,converged,,,0\n4,16,bce,c,,0.5,,1",
        ]
        for text in texts {
            let first = try Self.observations(text)
            let written = ObservationTable.write(first)
            #expect(try Self.observations(written) == first, "\(written)")
            #expect(ObservationTable.write(try Self.observations(written)) == written)
        }
    }

    @Test("100,000 rows are read within the limits, and more than the limit are refused")
    func large() throws {
        let rows = (0..<100_000).map { "\($0 % 8 + 1),\($0 % 64 + 1),\($0),0.1" }.joined(separator: "\n")
        let table = try Self.read("layers,dim,seed,ndcg@10\n" + rows)
        #expect(table.rows.count == 100_000)
        #expect(table.rows.last?.line == 100_001)
        let many = String(repeating: "1,1,0.1\n", count: ObservationTable.mostRows + 1)
        let error = #expect(throws: TableError.self) { try Self.read("layers,dim,ndcg@10\n" + many) }
        #expect(error?.line == ObservationTable.mostRows + 2)
    }
}
