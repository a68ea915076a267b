/// What whoever imports a table says of its columns.
package struct TableOptions: Sendable {
    /// Values for every row of columns that the file does not have, by plawd's names.
    package var constants: [String: String]
    /// plawd's name of a column, by the name it has in the file; several may be `policy`.
    package var map: [String: String]
    /// Columns of the file to leave out.
    package var ignore: [String]
    /// Words of the status of trainings that ended well, beside those that are known.
    package var finished: [String]

    package init(
        constants: [String: String] = [:], map: [String: String] = [:], ignore: [String] = [], finished: [String] = []
    ) {
        (self.constants, self.map, self.ignore, self.finished) = (constants, map, ignore, finished)
    }
}
