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
            let gate = DispatchSemaphore(value: 0)
            let started = Count()
            let ran = Count()
            // More than the queue runs at once: the rest waits behind them.
            let count = 400
            let refused = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<count {
                    group.addTask {
                        do {
                            try await store.run("test") {
                                started.up()
                                gate.wait()
                                ran.up()
                            }
                            return nil
                        } catch let error as StoreError {
                            return error.description
                        }
                    }
                }
                #expect(await waitUntil { started.value > 0 })
                // All are queued, and no more of them begin.
                var (before, now) = (-1, 0)
                while now != before {
                    before = now
                    try await Task.sleep(for: .milliseconds(200))
                    now = started.value
                }
                let closed = Count()
                Thread.detachNewThread {
                    #expect(throws: Never.self) { try store.close() }
                    closed.up()
                }
                // Closed from now on, though those that run are not over.
                try await Task.sleep(for: .milliseconds(200))
                #expect(closed.value == 0, "it waits for those that run")
                for _ in 0..<count { gate.signal() }
                var refused: [String] = []
                for try await error in group { if let error { refused.append(error) } }
                #expect(await waitUntil { closed.value == 1 })
                return refused
            }
            #expect(ran.value + refused.count == count)
            #expect(!refused.isEmpty, "everything ran at once: nothing waited")
            #expect(refused.allSatisfy { $0 == "cannot test: the store is closed" }, "\(Set(refused))")
            await #expect(throws: StoreError.self) { try await store.run("test") {} }
        }
    }
}
