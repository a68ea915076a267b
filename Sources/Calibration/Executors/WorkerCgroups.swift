internal import Files
internal import Glibc

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Control groups of workers, a leaf each, in the part of the tree that systemd delegated to the daemon (`Delegate=yes`).
///
/// A leaf keeps a worker's memory apart where the memory controller is there; without controllers it still says what belongs to
/// a worker and ends all of it at once.
package struct WorkerCgroups: Sendable {
    /// Folder of the daemon's own group.
    let root: String
    /// Controllers that leaves have.
    package let controllers: [String]

    /// Leaf of the daemon itself: a group with controllers for its children has no processes of its own.
    private static let mainLeaf = "main"

    /// Moves the daemon into a leaf of its own group and hands the group's controllers down.
    ///
    /// - Throws: `WorkerError` where the tree is absent or not the daemon's to change.
    package init() throws {
        let membership = FileManager.default.contents(atPath: "/proc/self/cgroup") ?? Data()
        let line = String(decoding: membership, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("0::/") }
        let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        guard let line, let mount = mounts.first(where: { access($0 + "/cgroup.controllers", F_OK) == 0 }) else {
            throw WorkerError("this system has no unified control groups")
        }
        try self.init(root: mount + line.dropFirst("0::".count))
    }

    package init(root: String) throws {
        self.root = root
        let main = root + "/" + Self.mainLeaf
        guard mkdir(main, 0o755) == 0 || errno == EEXIST else { throw Self.failure("create \(main)") }
        // The rules of the tree: processes move first, then controllers can be handed down.
        guard Self.write("0", to: main + "/cgroup.procs") else { throw Self.failure("move the daemon to \(main)") }
        controllers = Self.read(root + "/cgroup.controllers").split(whereSeparator: \.isWhitespace).map(String.init)
            .filter {
                ["cpu", "memory", "pids"].contains($0) && Self.write("+\($0)", to: root + "/cgroup.subtree_control")
            }
    }

    /// Makes a worker's leaf, which the worker moves to by itself; nil where it cannot be made.
    func begin(_ name: String) -> String? {
        let leaf = root + "/trial-" + name
        // What an earlier run left there is not this one's.
        end(leaf)
        return mkdir(leaf, 0o755) == 0 ? leaf : nil
    }

    /// Whether the kernel killed something in the leaf for want of memory.
    func ranOutOfMemory(_ leaf: String) -> Bool {
        Self.read(leaf + "/memory.events").split(separator: "\n").contains { line in
            let words = line.split(separator: " ")
            return words.first == "oom_kill" && words.last != "0"
        }
    }

    /// Ends what is left in a leaf and removes it.
    func end(_ leaf: String) {
        _ = Self.write("1", to: leaf + "/cgroup.kill")
        rmdir(leaf)
    }

    private static func failure(_ action: String) -> WorkerError {
        WorkerError("cannot \(action): \(String(cString: strerror(errno)))")
    }

    private static func read(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }

    /// Control files take a value in one write and are never created.
    private static func write(_ value: String, to path: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return writeAll(descriptor, value)
    }
}
