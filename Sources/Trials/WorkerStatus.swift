/// Exit statuses by which a worker says more than that it failed.
package enum WorkerStatus {
    /// It stopped at a checkpoint when asked to (EX_TEMPFAIL).
    package static let interrupted: Int32 = 75
    /// It was refused memory (EX_OSERR); its last line says how much.
    package static let outOfMemory: Int32 = 71
    /// It cannot train this specification, and says on standard error why; it is not tried again (EX_DATAERR).
    package static let refused: Int32 = 65
    /// Begins the line that says so.
    package static let outOfMemoryWords = "out of memory"
}
