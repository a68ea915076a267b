/// Interactions in file order, identifiers numbered.
struct RawInteractions {
    var users = NameTable()
    var items = NameTable()
    var userOf: [Int32] = []
    var itemOf: [Int32] = []
    /// In parts of the unit of time, so that fractions decide the order.
    var timeOf: [Int64] = []
    var events: RawEvents
    let hasTimes: Bool

    init(hasTimes: Bool, events: RawEvents) { (self.hasTimes, self.events) = (hasTimes, events) }

    var count: Int { userOf.count }

    /// Bytes that the rows take at most until their corpus is written: they are copied to be sorted, and names to be written;
    /// measuring the entropy takes less.
    var memory: Int { 2 * (count * ((hasTimes ? 24 : 12) + events.width) + users.memory + items.memory) }

    /// Numbers of users and items have 31 bits.
    var isFull: Bool { max(users.count, items.count) >= Int(Int32.max) - 1 }

    /// Room for as many rows, so that they need not be moved as they grow; what is not used takes no memory.
    mutating func reserve(_ count: Int) {
        userOf.reserveCapacity(count)
        itemOf.reserveCapacity(count)
        if hasTimes { timeOf.reserveCapacity(count) }
    }

    mutating func append(_ user: UnsafeRawBufferPointer, _ item: UnsafeRawBufferPointer, time: Int64) {
        append(user: users.number(of: user), item: items.number(of: item), time: time)
    }

    mutating func append(user: Int32, item: Int32, time: Int64) {
        userOf.append(user)
        itemOf.append(item)
        if hasTimes { timeOf.append(time) }
    }
}
