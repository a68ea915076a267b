internal import Domain
package import Wire
internal import Logging
internal import Store

/// A store that refuses for a while, since the disk is full or may not be written to.
extension CalibrationSupervisor {
    /// After so long without a refusal the store takes everything again.
    static let quiet = Duration.seconds(5)

    /// A job waits until the disk takes what it has to say: told once in the log, and as long as it lasts wherever the job is shown.
    func putOff(_ job: Int64, _ error: StoreError) {
        if trouble?.job != job || trouble?.error.kind != error.kind {
            logger.error("calibration put off", metadata: ["job": "\(job)", "error": "\(error)"])
        }
        trouble = (job, error, .now)
    }

    func goOn() {
        logger.notice("calibration goes on", metadata: ["job": "\(trouble?.job ?? 0)"])
        trouble = nil
    }

    /// What a job waits for beside the others, in words; nil where none does.
    package var waits: String? {
        trouble.map { "job \($0.job) waits: \($0.error)" }
    }

    /// A job with what it waits for.
    package func told(_ job: Job) -> Job {
        guard let trouble, trouble.job == job.id, !job.state.isFinal else { return job }
        var job = job
        job.message = "waits: \(trouble.error)"
        return job
    }
}
