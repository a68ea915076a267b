import Domain
import Foundation
import Wire
import Store
import Testing
import Trials

/// What the store answers page by page, and what it keeps beside what it holds.
@Suite struct TextTests {
    @Test("laws come law by law, page by page")
    func laws() async throws {
        try await withStore { store in
            for name in ["books", "movies"] {
                try await store.insertDataset(Sample.dataset(name), corpusFile: name)
            }
            var laws: [Law] = []
            for (name, loss) in [("books", Loss.cce), ("books", .bce), ("movies", .cce)] {
                laws += try await store.insertLaws(
                    dataset: name, key: Sample.key(loss: loss),
                    fits: [Sample.fit(Metric(.hr, 10), r2: 1.0 / 3), Sample.fit(Metric(.ndcg, 10), r2: -1e-300)])
            }
            laws.reverse()
            for law in laws { #expect(try await store.law(law.id) == law) }
            let all = try await store.laws(of: nil, metric: nil, loss: nil)
            #expect(all.laws == laws && all.next == nil)
            #expect(
                try await store.laws(of: "books", metric: Metric(.hr, 10), loss: .bce).laws
                    == laws.filter {
                        $0.dataset == "books" && $0.fit.metric == Metric(.hr, 10) && $0.key.loss == .said(.core(.bce))
                    })
            // Page by page everything comes, once.
            for (limit, bytes) in [(4, 1 << 20), (1, 1 << 20), (100, 1), (100, 5_000)] {
                var (found, before): ([Law], Int64?) = ([], nil)
                repeat {
                    let page = try await store.laws(
                        of: nil, metric: nil, loss: nil, before: before, limit: limit, mostBytes: bytes)
                    #expect(!page.laws.isEmpty && page.laws.count <= limit)
                    found += page.laws
                    before = page.next
                } while before != nil
                #expect(found == laws)
            }
            await #expect(throws: StoreError.self) { try await store.laws(of: "nobody", metric: nil, loss: nil) }
        }
    }

    @Test("what laws are chosen by is what they say, also when they were replaced")
    func heads() async throws {
        try await withStore { store in
            try await store.insertDataset(Sample.dataset("books"), corpusFile: "c")
            for round in 0..<3 {
                _ = try await store.insertLaws(
                    dataset: "books", key: Sample.key(policy: "p\(round / 2)"),
                    fits: [Sample.fit(Metric(.hr, 10)), Sample.fit(Metric(.ndcg, 10))])
                let (heads, laws) = (try await store.lawHeads(of: "books"), try await store.laws(of: "books"))
                #expect(heads.map(\.id) == laws.map(\.id))
                #expect(heads.map(\.key) == laws.map(\.key))
                #expect(heads.map(\.metric) == laws.map(\.fit.metric))
                let areSpare = heads.allSatisfy(\.hasSpare)
                #expect(areSpare)
            }
        }
    }

    @Test("epochs that are read piece by piece are those of all observations, whatever came and went")
    func epochs() async throws {
        try await withStore { store in
            func check(_ label: String) async throws {
                for (backbone, loss) in [(Model.sasrec, Loss.cce), (.gpt, .cce), (.sasrec, .bce)] {
                    let kept = try await store.trainedEpochs(.said(backbone), .said(.core(loss)))
                    var expected: [(key: LawKey, trainings: [String])] = []
                    var all: [Observation] = []
                    for name in try await store.datasets().map(\.info.name) {
                        all += try await store.observations(of: name)
                    }
                    for o in all.sorted(by: { $0.id < $1.id })
                    where o.converged && o.key.backbone == .said(backbone) && o.key.loss == .said(.core(loss)) {
                        let c = o.configuration
                        let line = "\(c.layers) \(c.dim) \(o.userFraction) \(o.epochs)"
                        if let place = expected.firstIndex(where: { $0.key == o.key }) {
                            expected[place].trainings.append(line)
                        } else {
                            expected.append((o.key, [line]))
                        }
                    }
                    #expect(kept.map(\.key) == expected.map(\.key), "\(label)")
                    #expect(
                        kept.map { $0.trainings.map { "\($0.layers) \($0.dim) \($0.userFraction) \($0.epochs)" } }
                            == expected.map(\.trainings), "\(label)")
                }
            }
            func finish(_ trial: Int64, _ name: String, _ fraction: Double, converged: Bool = true) async throws {
                var observation = Sample.observation(name, trial: trial)
                observation.userFraction = fraction
                observation.converged = converged
                try await store.finishTrial(
                    trial, result: Sample.result(), message: nil, observation: observation)
            }
            try await check("empty")
            let books = try await store.sampleJob("books", trials: 3)
            let movies = try await store.sampleJob("movies", trials: 2)
            try await finish(books.trials[0], "books", 0.1)
            try await check("one")
            try await finish(movies.trials[0], "movies", 1.0 / 3)
            try await finish(books.trials[1], "books", 1, converged: false)
            try await check("more")
            // Found finished twice: replaced by one of a new number.
            try await finish(books.trials[0], "books", 0.1)
            try await check("replaced")
            for job in [books.job, movies.job] { try await store.updateJob(job, state: .finished, activeSeconds: 1) }
            _ = try await store.removeDataset("books")
            try await check("removed")
            let again = try await store.sampleJob("books", trials: 1)
            try await finish(again.trials[0], "books", 0.7)
            try await check("again")
        }
    }

    @Test("counts follow every write")
    func counts() async throws {
        try await withStore { store in
            #expect(try await store.counts().datasets == 0)
            let books = try await store.sampleJob("books", trials: 2)
            #expect(try await store.counts().datasets == 1)
            #expect(try await store.statistics().trials == ["queued": 2])
            try await store.updateJob(books.job, state: .running, activeSeconds: 1)
            #expect(try await store.counts().runningJobs == 1)
            try await store.updateTrial(books.trials[0], state: .running, seconds: 1)
            #expect(try await store.statistics().trials == ["queued": 1, "running": 1])
            try await store.finishTrial(
                books.trials[0], result: Sample.result(), message: nil,
                observation: Sample.observation("books", trial: books.trials[0]))
            #expect(try await store.counts().observations == 1)
            try await store.updateJob(books.job, state: .finished, activeSeconds: 1)
            #expect(try await store.statistics().jobs == ["finished": 1])
            _ = try await store.removeDataset("books")
            let after = try await store.statistics()
            #expect(after.counts.datasets == 0 && after.counts.observations == 0 && after.jobs.isEmpty)
        }
    }
}
