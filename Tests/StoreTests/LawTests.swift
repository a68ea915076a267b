import Domain
import Wire
import Store
import Testing
import Trials

@Suite struct LawTests {
    private static let hr = Metric(.hr, 10)
    private static let ndcg = Metric(.ndcg, 10)

    @Test("laws come back as they were fitted, by number and in lists, newest first")
    func roundTrip() async throws {
        try await withStore { store in
            try await store.insertDataset(Sample.dataset("books"), corpusFile: "c")
            let laws = try await store.insertLaws(
                dataset: "books", key: Sample.key(), fits: [Sample.fit(Self.hr), Sample.fit(Self.ndcg)])
            #expect(laws.map(\.fit) == [Sample.fit(Self.hr), Sample.fit(Self.ndcg)])
            #expect(laws.allSatisfy { $0.dataset == "books" && $0.key == Sample.key() })
            #expect(Set(laws.map(\.id)).count == 2)
            for law in laws { #expect(try await store.law(law.id) == law) }
            #expect(try await store.laws(of: "books") == laws.reversed())
            #expect(try await store.laws(of: nil) == laws.reversed())
        }
    }

    @Test("a new law takes the place of older ones of its dataset, key and metric, which stay readable")
    func replacement() async throws {
        try await withStore { store in
            for name in ["books", "movies"] {
                try await store.insertDataset(Sample.dataset(name), corpusFile: name)
            }
            func insert(_ dataset: String, _ key: LawKey, _ metrics: [Metric], r2: Double = 0.9) async throws -> [Law] {
                try await store.insertLaws(dataset: dataset, key: key, fits: metrics.map { Sample.fit($0, r2: r2) })
            }
            let old = try await insert("books", Sample.key(), [Self.hr, Self.ndcg])
            let otherKey = try await insert("books", Sample.key(policy: "adamw lr=0.01"), [Self.hr])
            let otherLoss = try await insert("books", Sample.key(loss: .bce), [Self.hr])
            let otherVersion = try await insert("books", Sample.key(version: "v2"), [Self.hr])
            let otherDataset = try await insert("movies", Sample.key(), [Self.hr])
            let new = try await insert("books", Sample.key(), [Self.hr], r2: 0.99)

            let served = try await store.laws(of: "books")
            #expect(served == new + otherVersion + otherLoss + otherKey + [old[1]])
            #expect(
                try await store.laws(of: nil) == new + otherDataset + otherVersion + otherLoss + otherKey + [old[1]])
            #expect(try await store.law(old[0].id) == old[0])
            #expect(try await store.counts().laws == 6)

            let newest = try await insert("books", Sample.key(), [Self.hr, Self.ndcg])
            #expect(
                try await store.laws(of: "books") == newest.reversed() + otherVersion + otherLoss + otherKey)
        }
    }

    @Test("laws fitted together are stored together or not at all")
    func insertionIsAtomic() async throws {
        try await withStore { store in
            try await store.insertDataset(Sample.dataset("books"), corpusFile: "c")
            let old = try await store.insertLaws(
                dataset: "books", key: Sample.key(), fits: [Sample.fit(Self.hr), Sample.fit(Self.ndcg)])
            await #expect(throws: StoreError.self) {
                try await store.insertLaws(
                    dataset: "books", key: Sample.key(), fits: [Sample.fit(Self.hr), Sample.fit(Self.ndcg, r2: .nan)])
            }
            #expect(try await store.laws(of: "books") == old.reversed())
        }
    }

    @Test("an unknown law is an error that names its number")
    func unknown() async throws {
        try await withStore { store in
            for id: Int64 in [0, 1, .max] {
                let error = await #expect(throws: StoreError.self) { try await store.law(id) }
                #expect(error?.kind == .unknownLaw)
                #expect(error?.description == "no law has the number \(id)")
            }
        }
    }

    private static func probe(_ layers: Int, _ dim: Int, speed: Double = 1e5 / 3) -> ThroughputProbe {
        ThroughputProbe(
            layers: layers, dim: dim, heads: 2, tokensPerSecond: speed, evaluatedUsersPerSecond: 1e4 / 7,
            latencySeconds: 1e-5 / 3, memoryBytes: 1e9, parameters: 123)
    }

    private func insert(_ store: Store, _ setting: String, _ probes: [ThroughputProbe]) async throws {
        try await store.insertProbes(
            dataset: "books", setting: setting, probes.map { (layers: $0.layers, dim: $0.dim, body: $0) })
    }

    private func probes(_ store: Store, _ setting: String) async throws -> [ThroughputProbe] {
        try await store.probes(ThroughputProbe.self, dataset: "books", setting: setting)
    }

    @Test("probes come back as they were measured, smallest shape first, one for each setting and shape")
    func probes() async throws {
        try await withStore { store in
            try await store.insertDataset(Sample.dataset("books"), corpusFile: "c")
            try await insert(store, "a", [Self.probe(4, 16), Self.probe(1, 64), Self.probe(1, 16)])
            try await insert(store, "b", [Self.probe(1, 16, speed: 7)])
            #expect(try await probes(store, "a") == [Self.probe(1, 16), Self.probe(1, 64), Self.probe(4, 16)])
            #expect(try await probes(store, "b") == [Self.probe(1, 16, speed: 7)])
            #expect(try await probes(store, "c") == [])
            try await insert(store, "a", [Self.probe(1, 64, speed: 9), Self.probe(1, 64, speed: 11)])
            #expect(
                try await probes(store, "a") == [Self.probe(1, 16), Self.probe(1, 64, speed: 11), Self.probe(4, 16)])
            #expect(try await probes(store, "b") == [Self.probe(1, 16, speed: 7)])
        }
    }

    @Test("probes measured together are stored together or not at all")
    func probesAreAtomic() async throws {
        try await withStore { store in
            try await store.insertDataset(Sample.dataset("books"), corpusFile: "c")
            await #expect(throws: StoreError.self) {
                try await insert(store, "a", [Self.probe(1, 16), Self.probe(1, 64, speed: .infinity)])
            }
            #expect(try await probes(store, "a") == [])
        }
    }
}
