internal import Glibc

/// A dataset's interactions, read-only: users in file order, each user's items in time order.
///
///     let corpus = try Corpus(path: "beauty.corpus")
///     for user in 0..<corpus.userCount { print(corpus.items(of: user).count) }
// Safe to share: the bytes are never written after the initialiser, and live as long as the object.
package final class Corpus: @unchecked Sendable {
    /// Where the bytes come from.
    package enum Access: Sendable {
        /// From the file, when they are needed, shared with others that read it: a file that is cut short meanwhile ends the process.
        case mapped
        /// From memory of this object's own: what happens to the file afterwards is no matter.
        case copied
    }

    package let userCount: Int
    package let itemCount: Int
    package let interactionCount: Int
    /// SHA-256 over identifiers, order and times, hexadecimal, as the file says.
    package let contentHash: String
    /// True where every item identifier is an integer.
    package let itemsAreIntegers: Bool
    package let path: String
    /// What the interactions say besides user, item and time; nil where they say nothing.
    package let events: CorpusEvents?

    private let bytes: CorpusBytes
    private let offsets: UnsafePointer<UInt64>
    private let itemNumbers: UnsafePointer<Int32>
    private let times: UnsafePointer<Int64>?
    private let itemNameEnds: UnsafePointer<UInt64>
    private let itemNameBytes: UnsafePointer<UInt8>
    private let userNameEnds: UnsafePointer<UInt64>
    private let userNameBytes: UnsafePointer<UInt8>

    /// Opens a corpus file.
    ///
    /// - Throws: `InteractionError` with reason `unreadable` or `corpus` (foreign, damaged, cut short).
    package init(path: String, access: Access = .mapped) throws {
        self.path = path
        func refuse(_ message: String) -> InteractionError {
            InteractionError(file: path, reason: "corpus", message)
        }
        // Released by its own deinit, whatever is refused below.
        bytes = try CorpusBytes(path: path, access)
        let (base, size) = (bytes.base, bytes.count)
        func word(_ index: Int) -> UInt64 {
            UInt64(littleEndian: base.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
        }
        guard word(0) == CorpusContents.magic else { throw refuse("found no corpus file: the magic number is missing") }
        let version = UInt32(truncatingIfNeeded: word(1))
        let versions = CorpusContents.versions
        guard version == versions.plain || version == versions.events else {
            throw refuse("found corpus version \(version), expected \(versions.plain) or \(versions.events)")
        }
        let flags = word(1) >> 32
        let counts = (2...6).map(word)
        guard counts.allSatisfy({ $0 < UInt64(size) + 1 }) else {
            throw refuse("the header's counts exceed the file's size of \(size) bytes")
        }
        (userCount, itemCount, interactionCount) = (Int(counts[0]), Int(counts[1]), Int(counts[2]))
        func padded(_ bytes: Int) -> Int { (bytes + 7) / 8 * 8 }
        let lengths = [
            8 * (userCount + 1), padded(4 * interactionCount), flags & 1 == 1 ? 8 * interactionCount : 0,
            8 * itemCount, padded(Int(counts[3])), 8 * userCount, padded(Int(counts[4])),
        ]
        var starts = [CorpusContents.headerBytes]
        for length in lengths { starts.append((starts.last ?? 0) + length) }
        guard version == versions.events ? starts[7] < size : starts[7] == size else {
            throw refuse("found \(size) bytes, expected \(starts[7]): the file is cut short or damaged")
        }
        contentHash = String(decoding: UnsafeRawBufferPointer(start: base + 56, count: 64), as: UTF8.self)
        itemsAreIntegers = flags & 2 == 2
        offsets = (base + starts[0]).assumingMemoryBound(to: UInt64.self)
        itemNumbers = (base + starts[1]).assumingMemoryBound(to: Int32.self)
        times = flags & 1 == 1 ? (base + starts[2]).assumingMemoryBound(to: Int64.self) : nil
        itemNameEnds = (base + starts[3]).assumingMemoryBound(to: UInt64.self)
        itemNameBytes = (base + starts[4]).assumingMemoryBound(to: UInt8.self)
        userNameEnds = (base + starts[5]).assumingMemoryBound(to: UInt64.self)
        userNameBytes = (base + starts[6]).assumingMemoryBound(to: UInt8.self)
        events =
            version == versions.events
            ? try CorpusEvents(bytes, from: starts[7], interactions: interactionCount, refuse) : nil
        try checkContents(arenas: (counts[3], counts[4]), refuse)
    }

    /// Holds the content against its hash, and that against the one a dataset was registered with. Reads every byte.
    ///
    /// - Throws: `InteractionError` with reason `corpus`, `CancellationError` when `shouldStop` says so.
    package func verify(_ expected: String? = nil, shouldStop: () -> Bool = { false }) throws {
        func refuse(_ found: String, _ expected: String) -> InteractionError {
            InteractionError(
                file: path, reason: "corpus",
                "found content \(found.prefix(12)), expected \(expected.prefix(12)): the file is not the one that was registered; put "
                    + "it back from a backup, or remove the dataset and register it again")
        }
        if let expected, expected != contentHash { throw refuse(contentHash, expected) }
        var hash = CorpusContents.hash(hasTimes: times != nil)
        let names = [(itemNameEnds, itemNameBytes, itemCount), (userNameEnds, userNameBytes, userCount)]
        let itemNameByteCount = itemCount == 0 ? 0 : Int(itemNameEnds[itemCount - 1])
        func feed<T>(_ start: UnsafePointer<T>, _ count: Int) throws {
            var rest = UnsafeRawBufferPointer(UnsafeBufferPointer(start: start, count: count))[...]
            while !rest.isEmpty {
                if shouldStop() { throw CancellationError() }
                hash.update(UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 20)))
                rest = rest.dropFirst(1 << 20)
            }
        }
        [UInt64(userCount + 1), UInt64(interactionCount), UInt64(itemNameByteCount)].withUnsafeBytes { hash.update($0) }
        try feed(offsets, userCount + 1)
        try feed(itemNumbers, interactionCount)
        if let times { try feed(times, interactionCount) }
        for (ends, bytes, count) in names {
            try feed(ends, count)
            try feed(bytes, count == 0 ? 0 : Int(ends[count - 1]))
        }
        let found = hash.finish()
        guard found == contentHash else { throw refuse(found, contentHash) }
        if let events, try !events.isWhole(shouldStop) { throw refuse("with other events", "those that were read") }
    }

    /// Everything an accessor relies on, so that a damaged file is refused here and never read out of bounds.
    private func checkContents(arenas: (UInt64, UInt64), _ refuse: (String) -> InteractionError) throws {
        func ascends(_ values: UnsafePointer<UInt64>, _ count: Int, from first: UInt64, to last: UInt64) -> Bool {
            var previous = first
            for index in 0..<count {
                if values[index] < previous { return false }
                previous = values[index]
            }
            return previous == last
        }
        guard offsets[0] == 0, ascends(offsets, userCount + 1, from: 0, to: UInt64(interactionCount)),
            ascends(itemNameEnds, itemCount, from: 0, to: arenas.0),
            ascends(userNameEnds, userCount, from: 0, to: arenas.1)
        else { throw refuse("the offsets are damaged") }
        var largest: UInt32 = 0
        for row in 0..<interactionCount { largest = max(largest, UInt32(bitPattern: itemNumbers[row])) }
        guard interactionCount == 0 || largest < UInt32(itemCount) else {
            throw refuse("found item number \(largest), expected less than \(itemCount)")
        }
    }

    /// A user's items as numbers below `itemCount`, oldest first.
    package func items(of user: Int) -> UnsafeBufferPointer<Int32> {
        let range = range(of: user)
        return UnsafeBufferPointer(start: itemNumbers + range.lowerBound, count: range.count)
    }

    /// Times of `items(of:)`; nil where the file had none.
    package func times(of user: Int) -> UnsafeBufferPointer<Int64>? {
        guard let times else { return nil }
        let range = range(of: user)
        return UnsafeBufferPointer(start: times + range.lowerBound, count: range.count)
    }

    /// Number of interactions of a user.
    package func length(of user: Int) -> Int { range(of: user).count }

    /// All items, users one after the other.
    package var allItems: UnsafeBufferPointer<Int32> {
        UnsafeBufferPointer(start: itemNumbers, count: interactionCount)
    }

    /// An item's identifier as written in the file.
    package func itemName(_ item: Int) -> String { name(item, itemNameEnds, itemNameBytes, itemCount) }

    /// A user's identifier as written in the file.
    package func userName(_ user: Int) -> String { name(user, userNameEnds, userNameBytes, userCount) }

    /// Where a user's items lie in `allItems`.
    package func range(of user: Int) -> Range<Int> {
        precondition(user >= 0 && user < userCount, "user out of range")
        return Int(offsets[user])..<Int(offsets[user + 1])
    }

    private func name(_ index: Int, _ ends: UnsafePointer<UInt64>, _ bytes: UnsafePointer<UInt8>, _ count: Int)
        -> String
    {
        precondition(index >= 0 && index < count, "name out of range")
        let start = index == 0 ? 0 : Int(ends[index - 1])
        return String(
            decoding: UnsafeBufferPointer(start: bytes + start, count: Int(ends[index]) - start), as: UTF8.self)
    }
}
