import Dispatch
import Foundation
import PlawTesting
import Synchronization
import Testing

@testable import Store

private final class Count: Sendable {
    private let number = Mutex(0)
    var value: Int { number.withLock { $0 } }
    func up() { number.withLock { $0 += 1 } }
}

@Suite struct CloseTests {
    @Test("what waits for its turn while the store is closed is refused, and does not run")
    func waiting() async throws {
        try await withTemporaryFolder { folder in
            let store = try Store(path: folder + "/plawd.sqlite")
            let (gate, begun) = (DispatchSemaphore(value: 0), Count())
            let (ran, closed) = (Count(), Count())
            // Alone, so that whatever comes after it waits.
            store.queue.async(flags: .barrier) {
                begun.up()
                gate.wait()
            }
            #expect(await waitUntil { begun.value == 1 })
            let waiting = Task { () -> String? in
                do {
                    try await store.run("test") { ran.up() }
                    return nil
                } catch {
                    return "\(error)"
                }
            }
            // Queued, as far as that can be told.
            try await Task.sleep(for: .milliseconds(200))
            Thread.detachNewThread {
                #expect(throws: Never.self) { try store.close() }
                closed.up()
            }
            try await Task.sleep(for: .milliseconds(200))
            #expect(closed.value == 0, "it waits for what runs")
            gate.signal()
            #expect(await waiting.value == "cannot test: the store is closed")
            #expect(ran.value == 0)
            #expect(await waitUntil { closed.value == 1 })
            await #expect(throws: StoreError.self) { try await store.run("test") { ran.up() } }
            #expect(ran.value == 0)
        }
    }
}
