internal import Glibc

// Every read and write of the programs goes through here: a signal may interrupt any of them, and any may do less than was asked.
// Tests/FilesTests looks for calls that do not.

/// Calls again for as long as a signal interrupts. Returns what the call returned; `errno` says why where that is below 0.
package func uninterrupted<Count: SignedInteger>(_ call: () throws -> Count) rethrows -> Count {
    while true {
        let result = try call()
        if result >= 0 || errno != EINTR { return result }
    }
}

/// Reads once. Returns how many bytes there were, 0 at the end and -1 for an error, with `errno` set.
package func readSome(_ descriptor: Int32, into target: UnsafeMutableRawBufferPointer) -> Int {
    uninterrupted { read(descriptor, target.baseAddress, target.count) }
}

/// Reads until the target is full or the file ends.
///
/// - Parameters:
///   - descriptor: of the file.
///   - target: gets the bytes.
///   - offset: where in the file. Default: from where its descriptor stands.
/// - Returns: how many bytes were read, or -1 for an error, with `errno` set.
package func readAll(_ descriptor: Int32, into target: UnsafeMutableRawBufferPointer, at offset: Int? = nil) -> Int {
    var done = 0
    while done < target.count {
        let rest = UnsafeMutableRawBufferPointer(rebasing: target[done...])
        let count = uninterrupted {
            offset.map { pread(descriptor, rest.baseAddress, rest.count, off_t($0 + done)) }
                ?? read(descriptor, rest.baseAddress, rest.count)
        }
        if count < 0 { return -1 }
        if count == 0 { break }
        done += count
    }
    return done
}

/// Writes all bytes.
///
/// - Parameters:
///   - descriptor: of the file.
///   - bytes: what is written.
///   - offset: where in the file. Default: where its descriptor stands.
/// - Returns: false for an error, with `errno` set.
package func writeAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int? = nil) -> Bool {
    var done = 0
    while done < bytes.count {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
        let count = uninterrupted {
            offset.map { pwrite(descriptor, rest.baseAddress, rest.count, off_t($0 + done)) }
                ?? write(descriptor, rest.baseAddress, rest.count)
        }
        if count < 0 { return false }
        if count == 0 {
            // No file does this; a loop without end would be worse than an error.
            errno = EIO
            return false
        }
        done += count
    }
    return true
}

/// The same for text.
package func writeAll(_ descriptor: Int32, _ text: String) -> Bool {
    var text = text
    return text.withUTF8 { writeAll(descriptor, UnsafeRawBufferPointer($0)) }
}
