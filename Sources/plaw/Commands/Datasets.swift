import ArgumentParser
import Domain
import PlawProtocol

/// `plaw datasets`: the registered datasets.
struct Datasets: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the registered datasets.")

    @OptionGroup var common: Common

    func run() async throws {
        try await common.show(DatasetList.self, NoParams()) { list in
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
