import Domain
import Foundation
import Observations
import Testing

/// Tables as others write them: the names of their columns, the words of their status, their empty cells.
@Suite struct ForeignTableTests {
    private static func read(_ text: String, _ options: TableOptions = TableOptions()) throws -> ObservationTable {
        try ObservationTable(
            bytes: Array(text.utf8), file: "a.csv", options: options, context: TableContext(dataset: "d"))
    }

    private static func fixture(_ name: String) throws -> String {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
        return try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    }

    private static func refusal(_ text: String, _ options: TableOptions = TableOptions()) -> TableError? {
        #expect(throws: TableError.self) { try read(text, options) }
    }

    /// As scripts/make-import-fixtures.py has it.
    private static func quality(_ o: Observation) -> Double {
        let (n, d) = (log(Double(o.configuration.layers) / 2.5), log(Double(o.configuration.dim) / 40))
        return 0.06 - 0.002 * n * n - 0.003 * d * d
    }

    // MARK: - Libraries

    @Test("a study of Optuna is read by its own names, once it is said what the value is")
    func optuna() throws {
        let text = try Self.fixture("optuna.csv")
        let open = try #require(Self.refusal(text))
        // One line settles it.
        #expect(open.options == ["--map value=ndcg@10", "--ignore params_lr"])
        #expect(open.description.contains("\"value\" (0.05") && open.description.contains("\"params_lr\" (0.001)"))
        let table = try Self.read(text, TableOptions(map: ["value": "ndcg@10"], ignore: ["params_lr"]))
        // Of 9 trials one failed, and one was pruned without a value.
        #expect(table.rows.count == 8 && table.failures == 1 && table.skipped == 1)
        let fitted = table.rows.map(\.observation).filter(\.converged)
        #expect(fitted.count == 7)
        for o in fitted {
            #expect(abs((o.metrics["ndcg@10"]?.value ?? 0) - Self.quality(o)) < 1e-6)
            let (n, d) = (o.configuration.layers, o.configuration.dim)
            #expect(o.parameters == 1_000 * d + n * (12 * d * d + 13 * d))
            #expect(o.seconds > 0 && o.seconds < 60)
        }
        #expect(
            table.read == [
                "value": "ndcg@10", "params_hidden_size": "dim", "params_n_layers": "layers", "state": "status",
                "user_attrs_n_params": "parameters", "duration": "seconds",
            ])
        #expect(table.unused.contains("number") && table.unused.contains("system_attrs_search_space"))
        let two = try Self.read(
            Self.fixture("optuna-two.csv"),
            TableOptions(map: ["values_0": "ndcg@10", "values_1": "hr@10", "params_lr": "policy"]))
        #expect(two.rows.count { $0.observation.metrics.count == 2 } == 8)
        #expect(two.rows.allSatisfy { $0.observation.key.policy.text == "lr=0.001" })
    }

    @Test("runs of MLflow are read without a word; validation metrics give way to those of test")
    func mlflow() throws {
        let table = try Self.read(Self.fixture("mlflow.csv"))
        #expect(table.rows.count == 10 && table.failures == 1 && table.warnings.isEmpty)
        for row in table.rows {
            #expect(row.observation.key.backbone.value == Model("gru4rec") && row.observation.seed == 7)
            guard row.observation.converged else { continue }
            #expect(abs((row.observation.metrics["ndcg@10"]?.value ?? 0) - Self.quality(row.observation)) < 1e-6)
        }
        #expect(table.unused.contains("metrics.val_ndcg_10") && table.unused.contains("run_id"))
    }

    @Test("an export of Weights & Biases: states, empty cells, whole numbers with a point, the value of a loss")
    func weightsAndBiases() throws {
        let text = """
            "Name","State","Notes","User","Tags","Created","Runtime","Sweep","config.model.num_blocks","config.hidden_units",\
            "loss","test/NDCG@10","test/Recall@10","val/NDCG@10","_step"
            "sunny-1","finished","-","me","","2026-01-01T10:00:00.000Z","61","","2.0","64","1.93","0.051","0.09","0.06","100"
            "windy-2","crashed","-","me","","2026-01-01T10:00:00.000Z","12","","2.0","128","","","","","10"
            "rainy-3","finished","-","me","","2026-01-01T10:00:00.000Z","70","","4.0","64","NaN","NaN","NaN","NaN","100"
            "early-4","failed","-","me","","2026-01-01T10:00:00.000Z","1","","","","","","","",""
            "now-5","running","-","me","","2026-01-01T10:00:00.000Z","30","","4.0","128","2.1","0.03","0.05","0.04","50"
            """
        let table = try Self.read(text, TableOptions(map: ["config.model.num_blocks": "layers"]))
        #expect(table.rows.map(\.observation.status) == [nil, "crashed", "failed", "running"])
        #expect(table.rows.map(\.observation.converged) == [true, false, false, false])
        #expect(table.failures == 2 && table.skipped == 1)
        #expect(table.rows[0].observation.metrics.mapValues(\.value) == ["ndcg@10": 0.051, "hr@10": 0.09])
        #expect(table.rows[0].observation.seconds == 61 && table.rows[0].observation.configuration.dim == 64)
        #expect(table.unused.contains("loss") && table.warnings.map(\.code) == ["recall-as-hr"])
    }

    @Test("a trial of RecBole's search that the file's end cuts is counted and left out", arguments: [0, 1, 2, 3])
    func cutRecBole(lines: Int) throws {
        let block = { (n: Int) in
            """
            n_layers:\(n), hidden_size:64
            Valid result:
            ndcg@10 : 0.02\(n)    hit@10 : 0.04\(n)
            Test result:
            ndcg@10 : 0.01\(n)    hit@10 : 0.03\(n)

            """
        }
        let cut = block(3).split(separator: "\n").prefix(1 + lines).joined(separator: "\n")
        for end in ["", lines == 3 ? "\nndcg@10 : 0.0" : "\nValid"] {
            let table = try Self.read(block(1) + "\n" + block(2) + "\n" + cut + end)
            #expect(table.rows.map(\.observation.configuration.layers) == [1, 2] && table.skipped == 1, "\(end)")
        }
        // One in the middle, too.
        let middle = try Self.read(block(1) + "\n" + cut + "\n\n" + block(2))
        #expect(middle.rows.count == 2 && middle.skipped == 1)
    }

    @Test("RecBole's search and its log are read")
    func recBole() throws {
        let search = """
            n_layers:1, hidden_size:64
            Valid result:
            recall@10 : 0.031    ndcg@10 : 0.016    hit@10 : 0.031    precision@10 : 0.0031
            Test result:
            recall@10 : 0.028    ndcg@10 : 0.014    hit@10 : 0.028    precision@10 : 0.0028

            n_layers:2, hidden_size:32
            Valid result:
            recall@10 : 0.041    ndcg@10 : 0.021    hit@10 : 0.041    precision@10 : 0.0041
            Test result:
            recall@10 : 0.038    ndcg@10 : 0.019    hit@10 : 0.038    precision@10 : 0.0038

            """
        let table = try Self.read(search, TableOptions(constants: ["backbone": "SASRec"]))
        #expect(table.rows.map(\.line) == [1, 7])
        #expect(
            table.rows.map { [$0.observation.configuration.layers, $0.observation.configuration.dim] } == [
                [1, 64], [2, 32],
            ])
        #expect(table.rows.map { $0.observation.metrics["ndcg@10"]?.value } == [0.014, 0.019])
        #expect(table.rows[0].observation.key.backbone == .said(.sasrec) && table.warnings.isEmpty)
        let log = """
            Tue 05 Mar 2024 10:00:00 INFO  \u{1B}[1;35mTraining Hyper Parameters:\u{1B}[0m
            \u{1B}[1;36mn_layers\u{1B}[0m =\u{1B}[1;33m 2\u{1B}[0m
            hidden_size = 64
            model = GRU4Rec
            loss_type = CE
            learning_rate = 0.001
            Tue 05 Mar 2024 11:00:00 INFO  best valid : OrderedDict([('ndcg@10', 0.02), ('hit@10', 0.04)])
            Tue 05 Mar 2024 11:00:01 INFO  test result: OrderedDict([('ndcg@10', 0.0187), ('hit@10', 0.0361)])
            """
        // Runs of one process share a log: each has a shape and a result of its own.
        let second = log.replacing(" 2\u{1B}", with: " 4\u{1B}").replacing("= 64", with: "= 32").replacing(
            "0.0187", with: "0.0201")
        let both = try Self.read(log + "\n" + second)
        #expect(
            both.rows.map { [$0.observation.configuration.layers, $0.observation.configuration.dim] } == [
                [2, 64], [4, 32],
            ]
        )
        #expect(both.rows.map { $0.observation.metrics["ndcg@10"]?.value } == [0.0187, 0.0201])
        let again =
            log + "\nWed 06 Mar 2024 11:00:01 INFO  test result: OrderedDict([('ndcg@10', 0.03), ('hit@10', 0.05)])"
        #expect { try Self.read(again) } throws: { "\($0)".contains("in line 9 without settings after that of line 8") }
        let run = try Self.read(log)
        let one = try #require(run.rows.first?.observation)
        #expect(run.rows.count == 1 && run.rows[0].line == 8)
        #expect(one.key.backbone.value == Model("gru4rec") && one.key.loss == .said(.core(.ce)))
        #expect(one.configuration.layers == 2 && one.configuration.dim == 64)
        #expect(one.metrics.mapValues(\.value) == ["ndcg@10": 0.0187, "hr@10": 0.0361])
    }

    // MARK: - Names

    @Test(
        "names of the same thing are read",
        arguments: [
            ("num_layers", "d_model"), ("N_Layer", "n_embd"), ("numBlocks", "embeddingSize"),
            ("params_num_blocks", "config/hidden_dim"),
            ("num hidden layers", "Embedding-Dim"), ("depth", "latent_dim"),
        ])
    func synonyms(layers: String, dim: String) throws {
        let o = try #require(try Self.read("\(layers),\(dim),NDCG10\n3,25,0.1\n").rows.first).observation
        #expect(o.configuration.layers == 3 && o.configuration.dim == 25 && o.metrics["ndcg@10"]?.value == 0.1)
    }

    @Test(
        "metrics by other names",
        arguments: [
            ("ndcg@10", "ndcg@10"), ("NDCG10", "ndcg@10"), ("test/ndcg@10", "ndcg@10"), ("metrics.hit_10", "hr@10"),
            ("Hit Rate@20", "hr@20"), ("hits_at_5", "hr@5"), ("test_mrr@10", "mrr@10"), ("Recall@10", "hr@10"),
            ("best_test_result.ndcg@10", "ndcg@10"),
        ])
    func metricNames(name: String, metric: String) throws {
        let o = try #require(try Self.read("layers,dim,\(name)\n3,25,0.1\n").rows.first).observation
        #expect(o.metrics[metric]?.value == 0.1)
    }

    @Test("two columns that could be the same are refused with what settles it, unless they agree")
    func ambiguous() throws {
        let text = "n_layers,embedding_size,hidden_size,ndcg@10\n1,64,128,0.1\n2,32,64,0.2\n"
        let refused = try #require(Self.refusal(text))
        #expect(refused.options == ["--map embedding_size=dim"])
        #expect(refused.description.contains("\"embedding_size\" (64, 32), \"hidden_size\" (128, 64)"))
        let told = try Self.read(text, TableOptions(map: ["hidden_size": "dim"]))
        #expect(told.rows.map(\.observation.configuration.dim) == [128, 64] && told.unused == ["embedding_size"])
        let same = try Self.read("n_layers,embedding_size,hidden_size,ndcg@10\n1,64,64,0.1\n2,32,32.0,0.2\n")
        #expect(same.rows.map(\.observation.configuration.dim) == [64, 32])
        // Recall beside another hit rate is of several targets.
        let both = try Self.read("layers,dim,hr@10,recall@10\n1,16,0.3,0.1\n")
        #expect(both.rows[0].observation.metrics["hr@10"]?.value == 0.3 && both.unused == ["recall@10"])
    }

    @Test("what is varied and of no column keeps trainings apart where it is said to be policy")
    func policies() throws {
        let text = "layers,dim,params_lr,comment,ndcg@10\n1,16,0.1,x,0.1\n1,16,0.2,x,0.2\n"
        let refused = try #require(Self.refusal(text))
        #expect(refused.options == ["--map params_lr=policy", "--ignore comment"])
        let table = try Self.read(text, TableOptions(map: ["params_lr": "policy"], ignore: ["comment"]))
        #expect(table.rows.map(\.observation.key.policy.text) == ["lr=0.1", "lr=0.2"])
        for (options, word) in [
            (TableOptions(ignore: ["nothing"]), "\"nothing\""), (TableOptions(map: ["comment": "pollicy"]), "pollicy"),
            (TableOptions(map: ["comment": "policy"], ignore: ["comment"]), "both"),
        ] {
            #expect(Self.refusal(text, options)?.description.contains(word) == true)
        }
    }

    @Test("a model without layers, a loss of another name, and shapes that no core trains are facts")
    func facts() throws {
        let table = try Self.read(
            "backbone,loss,dim,heads,ndcg@10\nOur Ranker v7,In-batch Softmax,25,1,0.1\nOur Ranker v7,bce,7,3,0.1",
            TableOptions(constants: ["layers": "1"]))
        let (own, known) = (table.rows[0].observation, table.rows[1].observation)
        #expect(own.key.backbone.value == Model("our ranker v7") && own.key.backbone.value?.core == nil)
        #expect(
            own.key.policy.text == "loss=in-batch-softmax heads=1" && own.key.model == "our ranker v7 in-batch-softmax")
        #expect(own.key.undeclared.contains("loss") && !own.key.open.contains("loss"))
        #expect(
            known.key.loss == .said(.core(.bce)) && known.configuration.heads == .said(3)
                && known.configuration.dim == 7)
        // What is written is read as the same.
        let again = try Self.read(ObservationTable.write(table.rows.map(\.observation)))
        #expect(again.rows.map(\.observation) == table.rows.map(\.observation))
        #expect(Self.refusal("layers,dim,ndcg@10\n0,16,0.1")?.column == "layers")
        let none = try #require(Self.refusal("dim,ndcg@10\n16,0.1"))
        #expect(none.description.contains("--set layers=1"))
    }

    // MARK: - What cannot be

    @Test("status words that nobody uses are refused with their counts, not taken for failures")
    func statuses() throws {
        let text = "layers,dim,state,ndcg@10\n1,16,KEPT,0.1\n2,16,KEPT,0.2\n3,16,FAIL,\n4,16,Best One,0.3\n"
        let refused = try #require(Self.refusal(text))
        #expect(refused.line == 2 && refused.column == "state")
        #expect(refused.description.contains("\"KEPT\" (2), \"Best One\" (1) in 4 rows"))
        #expect(refused.options == ["--status-ok 'KEPT,Best One'"])
        let table = try Self.read(text.replacing("Best One", with: "kept"), TableOptions(finished: ["kept"]))
        #expect(table.rows.count { $0.observation.converged } == 3 && table.failures == 1)
    }

    @Test("per cent beside shares names its lines; contradicting metrics do; a constant is warned of")
    func implausible() throws {
        let percent = try #require(Self.refusal("layers,dim,hr@10\n1,16,0.11\n2,16,12.3\n4,16,13\n"))
        #expect(percent.line == 3 && percent.column == "hr@10")
        #expect(percent.description.contains("\"12.3\" beside 0.11 in line 2 (2 values above 1: lines 3, 4)"))
        let swapped = try #require(
            Self.refusal("layers,dim,hr@10,ndcg@10\n1,16,0.1,0.2\n2,16,0.1,0.05\n4,16,0.1,0.3\n"))
        #expect(swapped.line == 2 && swapped.description.contains("ndcg@10 0.2 above hr@10 0.1 in lines 2, 4"))
        let falling = try #require(Self.refusal("layers,dim,hr@5,hr@10\n1,16,0.3,0.2\n"))
        #expect(falling.description.contains("hr@5 0.3 above hr@10 0.2 in line 2"))
        let constant = try Self.read("layers,dim,ndcg@10\n1,16,0.1\n2,16,0.1\n4,16,0.1\n")
        #expect(constant.warnings.map(\.code) == ["constant-metric"])
        #expect(constant.warnings[0].message.contains("0.1 in all 3 trainings of 3 shapes (lines 2, 3, 4)"))
        let validation = try Self.read("layers,dim,val_ndcg@10\n1,16,0.1\n")
        #expect(validation.warnings.map(\.code) == ["validation-metrics"])
        #expect(validation.rows[0].observation.key.policy.text == "measured=validation")
    }

    @Test(
        "NaN and infinity are failed trainings, kept as such",
        arguments: ["nan", "NaN", "inf", "-Infinity", "None", ""])
    func noNumber(text: String) throws {
        let table = try Self.read("layers,dim,ndcg@10,hr@10\n1,16,\(text),\(text)\n2,16,0.1,0.2\n")
        #expect(table.rows.map(\.observation.status) == ["failed", nil] && table.failures == 1)
        #expect(table.rows.map(\.observation.converged) == [false, true])
        let again = try Self.read(ObservationTable.write(table.rows.map(\.observation)))
        #expect(again.rows.map(\.observation) == table.rows.map(\.observation))
    }

    @Test("tabs and semicolons separate as commas do")
    func separators() throws {
        for separator in ["\t", ";"] {
            let lines = ["layers,dim,ndcg@10", "2,25,0.1"].map { $0.replacing(",", with: separator) }
            #expect(try Self.read(lines.joined(separator: "\n")).rows.map(\.observation.configuration.dim) == [25])
        }
    }
}
