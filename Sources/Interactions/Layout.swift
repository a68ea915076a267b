/// What reading the rows of a file needs to know.
struct Layout {
    var delimiter = Delimiter.whitespace
    /// One user and all items of that user in a line.
    var isSequences = false
    var hasHeader = false
    var userColumn = 0
    var itemColumn = 1
    /// How the item column holds several items; nil where it holds one.
    var list: ItemList?
    /// A column with the item that follows those of the list, as RecBole writes them.
    var targetColumn: Int?
    var timeColumn: Int?
    /// Columns with what else an interaction says.
    var behaviorColumn: Int?
    var valueColumn: Int?
    var domainColumn: Int?
    var eventColumns: [Int] { [behaviorColumn, valueColumn, domainColumn].compactMap { $0 } }
    var time: TimeForm?
    /// Whether nothing in the first lines tells days from months.
    var isDayOpen = false
    /// Fields a row has; rows with another number are dropped. Nil where the number may vary.
    var fieldCount: Int?
    /// Bytes of a byte-order mark before the first line.
    var markLength = 0
    /// The conditions that rows must meet; nil where all are taken.
    var filter: RowFilter?
    /// Members of the objects of JSON lines; nil for delimited text.
    var json: JSONShape?

    /// Columns of a line of JSON: members of its object, then those of the objects in one of its lists.
    struct JSONShape {
        var outer: [JSONPath]
        /// The member that holds the list of objects, and their members.
        var events: (path: JSONPath, inner: [JSONPath])?
    }
}
