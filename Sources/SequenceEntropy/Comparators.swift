internal import CZlib
internal import Glibc

/// The other measures of disorder that the Performance Law's paper compares ApEn with.
package enum Comparators {
    /// Shannon entropy of the items, in bits.
    package static func shannonBits(_ items: UnsafeBufferPointer<Int32>, itemCount: Int) -> Double {
        var counts = [Int](repeating: 0, count: itemCount)
        for item in items { counts[Int(item)] += 1 }
        let total = Double(items.count)
        return -counts.filter { $0 > 0 }.reduce(0) { $0 + Double($1) / total * log2(Double($1) / total) }
    }

    /// Steps that the Lempel-Ziv estimate may take for each item: ordinary data takes two to six, edits of pages 32, and what repeats itself
    /// without end must not cost more than other data of its size.
    static let lempelZivStepsOfItem = 40
    /// Items of a repeat from which on it is long.
    private static let longRepeat = 8
    /// In all: enough for 20 million items of ordinary data.
    static let lempelZivSteps = 100_000_000

    /// The "actual entropy" of the published code, in nats: ln n / mean Λ, where Λ_i is the length of the shortest
    /// substring from i on that is not yet in a running set, to which it is then added; a rest that holds nothing new
    /// counts its length + 1. The set is closed under prefixes, hence a tree.
    ///
    /// - Returns: the estimate, and how many items it rests on: fewer than given where long repeats used up the steps.
    package static func lempelZiv(
        _ items: UnsafeBufferPointer<Int32>, checkStop: () throws -> Void = {}
    ) rethrows -> (value: Double, used: Int) {
        // Each start adds one edge at most.
        var edges = EdgeTable(most: min(items.count, lempelZivSteps))
        // Of nodes that long repeats lead to: the edge that was taken last, as item and node. It spares them the table, which is slow.
        var usual: [(item: Int32, node: Int32)] = []
        var sum = 0
        var steps = 0
        var used = 0
        let most = min(lempelZivSteps, lempelZivStepsOfItem * max(items.count, 100_000))
        // Where the root's edges lead: they are taken for every start.
        var first = [Int32](repeating: 0, count: 1 + Int(items.max() ?? 0))
        for start in items.indices {
            if start & 0xfff == 0 { try checkStop() }
            let item = Int(items[start])
            var place = start + 1
            var isNew = first[item] == 0
            if isNew { first[item] = edges.next(0, items[start]).node }
            var node = first[item]
            while place < items.count, !isNew {
                let item = items[place]
                let isDeep = place - start >= longRepeat
                place += 1
                if isDeep, Int(node) < usual.count, usual[Int(node)].item == item {
                    node = usual[Int(node)].node
                    continue
                }
                let edge = edges.next(node, item)
                isNew = edge.isNew
                if isDeep {
                    let missing = Int(node) + 1 - usual.count
                    if missing > 0 { usual += repeatElement((item: -1, node: 0), count: missing) }
                    usual[Int(node)] = (item, edge.node)
                }
                node = edge.node
            }
            sum += isNew ? place - start : place - start + 1
            steps += place - start
            used += 1
            if steps > most { break }
        }
        guard used > 1 else { return (0, used) }
        return (log(Double(used)) / (Double(sum) / Double(used)), used)
    }

    /// Size of the items as 4-byte big-endian numbers after zlib (level 6), over their size before.
    package static func compressionRatio(
        _ items: UnsafeBufferPointer<Int32>, number: (Int32) -> UInt32, checkStop: () throws -> Void = {}
    ) rethrows -> Double {
        guard !items.isEmpty else { return 0 }
        var stream = z_stream()
        guard
            deflateInit_(
                &stream, Z_DEFAULT_COMPRESSION, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return 1 }
        defer { deflateEnd(&stream) }
        let pieceItems = 16_384
        var input = [UInt32](repeating: 0, count: pieceItems)
        var output = [UInt8](repeating: 0, count: 64 << 10)
        var compressed = 0
        var start = 0
        while start < items.count {
            try checkStop()
            let count = min(pieceItems, items.count - start)
            for place in 0..<count { input[place] = number(items[start + place]).bigEndian }
            start += count
            input.withUnsafeMutableBytes { source in
                output.withUnsafeMutableBufferPointer { target in
                    stream.next_in = source.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    stream.avail_in = uInt(count * 4)
                    repeat {
                        stream.next_out = target.baseAddress
                        stream.avail_out = uInt(target.count)
                        deflate(&stream, start == items.count ? Z_FINISH : Z_NO_FLUSH)
                        compressed += target.count - Int(stream.avail_out)
                    } while stream.avail_out == 0
                }
            }
        }
        return Double(compressed) / Double(items.count * 4)
    }
}
