internal import CKernels

/// Short sequences of a batch in packs of 64 positions, which `shortAttention` computes side by side.
///
/// Longer sequences are packed first, so that those of a pack are of nearly equal length; a sequence is never split.
// The pointers are its own, freed with it; they stay valid until the next `fill`.
package final class ShortPacks {
    /// Longest sequence that is packed: a pack has room for 16 distances.
    package static let longest = K_PACK_DISTANCES - 1
    /// Widest head that is worth packing: beyond, turning the rows over takes longer than it saves.
    package static let widest = 16
    /// Positions of a pack, and rows of its planes of numbers per distance and position.
    package static let lanes = K_PACK_LANES
    package static let distances = K_PACK_DISTANCES
    /// Floats of a pack's plane.
    package static let plane = distances * lanes

    /// Some packs, as kernels read them. `sizes`: positions and distances of each. `numbers`: 64 each of rows, reaches (places
    /// in the sequence), counters of (i, i) of the first head, and squares of the length; unused positions repeat a row.
    package struct Part {
        package var count: Int
        package var sizes: UnsafePointer<Int32>
        package var numbers: UnsafePointer<Int32>

        package func row(_ pack: Int, _ lane: Int) -> Int { Int(numbers[pack * 4 * lanes + lane]) }
        package func reach(_ pack: Int, _ lane: Int) -> Int { Int(numbers[(pack * 4 + 1) * lanes + lane]) }
        func counter(_ pack: Int, _ lane: Int) -> Int { Int(numbers[(pack * 4 + 2) * lanes + lane]) }
        func square(_ pack: Int, _ lane: Int) -> Int { Int(numbers[(pack * 4 + 3) * lanes + lane]) }
        package func distances(_ pack: Int) -> Int { Int(sizes[2 * pack + 1]) }
        package func positions(_ pack: Int) -> Int { Int(sizes[2 * pack]) }
    }

    package private(set) var count = 0
    private var capacity = 0
    private var sizes = UnsafeMutablePointer<Int32>.allocate(capacity: 0)
    private var numbers = UnsafeMutablePointer<Int32>.allocate(capacity: 0)

    package init() {}

    deinit {
        sizes.deallocate()
        numbers.deallocate()
    }

    package var all: Part { Part(count: count, sizes: sizes, numbers: numbers) }

    /// Packs the sequences of at most 15 positions among those that begin at `offsets` (the last is the end of the last).
    package func fill(_ offsets: [Int], heads: Int) {
        count = 0
        // First sequence of each length and the next of the same: a counting sort.
        var first = [Int](repeating: -1, count: Self.longest + 1)
        var next = [Int](repeating: -1, count: offsets.count)
        var places = [Int](repeating: 0, count: offsets.count)
        var place = 0
        for sequence in 0..<offsets.count - 1 {
            let n = offsets[sequence + 1] - offsets[sequence]
            places[sequence] = place
            place += n * n * heads
        }
        for sequence in (0..<offsets.count - 1).reversed() {
            let n = offsets[sequence + 1] - offsets[sequence]
            guard n > 0, n <= Self.longest else { continue }
            next[sequence] = first[n]
            first[n] = sequence
        }
        for n in (1...Self.longest).reversed() {
            var sequence = first[n]
            while sequence >= 0 {
                add(offsets[sequence], n, places[sequence])
                sequence = next[sequence]
            }
        }
        if count > 0 { complete() }
    }

    private func add(_ start: Int, _ n: Int, _ place: Int) {
        if count == 0 || Int(sizes[2 * count - 2]) + n > Self.lanes { begin(distances: n) }
        let lane = Int(sizes[2 * count - 2])
        let pack = numbers + (count - 1) * 4 * Self.lanes + lane
        for i in 0..<n {
            pack[i] = Int32(start + i)
            pack[Self.lanes + i] = Int32(i)
            pack[2 * Self.lanes + i] = Int32(truncatingIfNeeded: place + i * (n + 1))
            pack[3 * Self.lanes + i] = Int32(n * n)
        }
        sizes[2 * count - 2] += Int32(n)
    }

    private func begin(distances: Int) {
        if count > 0 { complete() }
        if count == capacity { grow() }
        sizes[2 * count] = 0
        sizes[2 * count + 1] = Int32(distances)
        count += 1
    }

    /// Fills the rest of the last pack.
    private func complete() {
        let pack = numbers + (count - 1) * 4 * Self.lanes
        for lane in Int(sizes[2 * count - 2])..<Self.lanes {
            pack[lane] = pack[0]
            for kind in 1..<4 { pack[kind * Self.lanes + lane] = 0 }
        }
    }

    private func grow() {
        let larger = capacity + capacity / 2 + 16
        let newSizes = UnsafeMutablePointer<Int32>.allocate(capacity: 2 * larger)
        let newNumbers = UnsafeMutablePointer<Int32>.allocate(capacity: 4 * Self.lanes * larger)
        newSizes.update(from: sizes, count: 2 * count)
        newNumbers.update(from: numbers, count: 4 * Self.lanes * count)
        sizes.deallocate()
        numbers.deallocate()
        (sizes, numbers, capacity) = (newSizes, newNumbers, larger)
    }
}
