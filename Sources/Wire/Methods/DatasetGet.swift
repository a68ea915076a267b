package import Domain

/// `dataset.get`: one dataset with its statistics and entropy.
package enum DatasetGet: RPCMethod {
    package typealias Params = DatasetName
    package typealias Result = DatasetInfo
    package static let name = "dataset.get"
    package static let access = Access.read
    package static let ordering = Ordering.concurrent
}
