import ArgumentParser
import Domain
import Client
import Wire

/// `plaw datasets`: the registered datasets.
struct Datasets: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the registered datasets.")

    @OptionGroup var common: Common

    func run() async throws {
        let datasets = try await common.connected { client in
            var (datasets, params): ([DatasetSummary], DatasetListParams) = ([], DatasetListParams())
            repeat {
                let page = try await client.call(DatasetList.self, params)
                datasets += page.datasets
                params.after = page.next
            } while params.after != nil
            return datasets
        }
        try common.show(DatasetListResult(datasets: datasets)) { list in
            guard !list.datasets.isEmpty else {
                Terminal.note("no dataset is registered; begin with: plaw register NAME FILE")
                return
            }
            var table = Table("name", "users", "items", "interactions", "ApEn", "observations", "laws", "registered")
            for d in list.datasets {
                table.add(
                    d.name, d.users.map(Format.count) ?? "-", d.items.map(Format.count) ?? "-",
                    d.interactions.map(Format.count) ?? "-", d.pooledApEn.map { Format.fixed($0, 3) } ?? "-",
                    Format.count(d.observations), "\(d.laws)", d.createdAt)
            }
            table.print()
        }
    }
}
