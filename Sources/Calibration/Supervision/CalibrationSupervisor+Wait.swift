internal import Logging
package import Wire

extension CalibrationSupervisor {
    /// The job when it has ended, or as it is when the time is over.
    ///
    /// - Throws: `unknownJob`, `CancellationError`.
    package func wait(for id: Int64, seconds: Double) async throws -> Job {
        let following = await hub.follow(id)
        do {
            let job = try await snapshot(id)
            if !job.state.isFinal {
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { for await state in following.states where state.state.isFinal { return } }
                    group.addTask { try? await Task.sleep(for: .seconds(seconds)) }
                    await group.next()
                    group.cancelAll()
                }
            }
        } catch {
            await hub.leave(following)
            throw error
        }
        await hub.leave(following)
        try Task.checkCancellation()
        return try await snapshot(id)
    }

    /// Waits before what failed is tried again; a stop ends it.
    func pause(milliseconds: Int) async { try? await Task.sleep(for: .milliseconds(milliseconds)) }

    /// Tells the followers of a job where it stands.
    func publish(_ id: Int64) async {
        guard await hub.hasFollowers(id) else { return }
        do {
            await hub.publish(try await snapshot(id))
        } catch {
            logger.error("cannot tell the followers of a job", metadata: ["job": "\(id)", "error": "\(error)"])
        }
    }
}
