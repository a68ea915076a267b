internal import Domain
internal import Logging
internal import Store
package import Wire

extension CalibrationSupervisor {
    /// The job when it has ended, or as it is when the time is over.
    ///
    /// - Throws: `unknownJob`, `CancellationError`.
    package func wait(for id: Int64, seconds: Double) async throws -> Job {
        let waiting = await hub.wait(for: id)
        do {
            if !(try await store.job(id)).state.isFinal {
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { for await _ in waiting.end {} }
                    group.addTask { try? await Task.sleep(for: .seconds(seconds)) }
                    await group.next()
                    group.cancelAll()
                }
            }
        } catch {
            await hub.leave(waiting)
            throw error
        }
        await hub.leave(waiting)
        try Task.checkCancellation()
        return try await snapshot(id)
    }

    /// Waits before what failed is tried again; a stop ends it.
    func pause(milliseconds: Int) async { try? await Task.sleep(for: .milliseconds(milliseconds)) }

    /// Tells the followers of a job where it stands, and those that wait for its end when it has come.
    func publish(_ id: Int64) async {
        guard await hub.hasFollowers(id) else { return }
        do {
            let isFollowed = await hub.isFollowed(id)
            let job = isFollowed ? try await snapshot(id) : told(Job(try await store.job(id)))
            if isFollowed || job.state.isFinal { try await hub.publish(job) }
        } catch {
            logger.error("cannot tell the followers of a job", metadata: ["job": "\(id)", "error": "\(error)"])
        }
    }
}
