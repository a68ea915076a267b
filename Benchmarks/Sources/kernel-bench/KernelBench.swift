import Glibc
import Kernels

/// Speed of every kernel on one thread, beside the CPU's peak in products with addition, measured between the rounds.
///
/// `PLAW_SIMD` chooses the variant. `Benchmarks/gemm` gives it OpenBLAS to compare with.
@main
struct KernelBench {
    static let usage = """
        usage: kernel-bench [--only gemm|head|attention|rows|peak] [--match TEXT] [--rounds N] [--openblas LIBRARY] \
        [--json]
        """

    private var only: String?
    private var match: String?
    private var rounds = 5
    private var library: String?
    private var json = false
    private let kernels = Kernels.best

    /// Nil for a command line it does not understand.
    private init?(_ arguments: [String]) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--json" {
                json = true
                continue
            }
            guard let value = rest.popFirst() else { return nil }
            switch argument {
            case "--only": only = value
            case "--match": match = value
            case "--rounds":
                guard let count = Int(value), count > 0 else { return nil }
                rounds = count
            case "--openblas": library = value
            default: return nil
            }
        }
    }

    static func main() {
        guard let bench = KernelBench(Array(CommandLine.arguments.dropFirst())) else {
            print(usage)
            exit(2)
        }
        bench.run()
    }

    private func run() {
        let blas = library.flatMap { OpenBLAS(path: $0) }
        if let library, blas == nil {
            print("kernel-bench: \(library): cannot be loaded as OpenBLAS")
            exit(1)
        }
        if let blas, !json { print("OpenBLAS: \(blas.description)") }
        let peak = median((0..<max(rounds, 5)).map { _ in peakSpeed(kernels) }) * 1e-9
        print(
            json
                ? "{\"kernel\":\"peak\",\"variant\":\"\(kernels.variant.rawValue)\",\"gflops\":\(peak)}"
                : "variant \(kernels.variant.rawValue), peak \(rounded(peak, 1)) GFLOP/s")
        // Cases are made group by group: each holds its matrices.
        let groups: [(String, () -> [Case])] = [
            ("gemm", { productCases(kernels, blas) }), ("head", { headCases(kernels) }),
            ("attention", { attentionCases(kernels) + shortAttentionCases(kernels) }), ("rows", { rowCases(kernels) }),
        ]
        var ratios: [Double] = []
        for (name, cases) in groups where only == nil || only == name {
            for test in cases() where match.map({ test.name.contains($0) }) ?? true {
                let found = measure(test, kernels, rounds: rounds, least: 0.02)
                print(json ? jsonLine(test, found) : line(test, found))
                // A measurement takes a second; whoever reads a pipe wants to see it.
                fflush(nil)
                if let ratio = found.ratio { ratios.append(ratio) }
            }
        }
        if !ratios.isEmpty, !json {
            let mean = exp(ratios.reduce(0) { $0 + log($1) } / Double(ratios.count))
            print("geometric mean \(rounded(mean, 2)) x OpenBLAS, least \(rounded(ratios.min() ?? 0, 2)) x")
        }
    }

    private func line(_ test: Case, _ found: Measured) -> String {
        let speed = found.calls * (test.flops > 0 ? test.flops : test.bytes) * 1e-9
        var line = padded(test.name, 44, left: true) + padded(rounded(1e6 / found.calls, 1), 11) + " us"
        line += padded(rounded(speed, 1), 8) + (test.flops > 0 ? " GFLOP/s" : " GB/s")
        if test.flops > 0 { line += padded(rounded(100 * found.calls * test.flops / found.peak, 0), 5) + " %" }
        if let peer = found.peerCalls, let ratio = found.ratio {
            line += padded(rounded(peer * test.flops * 1e-9, 1), 8) + " OpenBLAS" + padded(rounded(ratio, 2), 6) + " x"
        }
        return line
    }

    private func jsonLine(_ test: Case, _ found: Measured) -> String {
        var line = "{\"kernel\":\"\(test.name)\",\"microseconds\":\(1e6 / found.calls)"
        if test.flops > 0 {
            line += ",\"gflops\":\(found.calls * test.flops * 1e-9),\"share\":\(found.calls * test.flops / found.peak)"
        } else {
            line += ",\"gbytes\":\(found.calls * test.bytes * 1e-9)"
        }
        if let peer = found.peerCalls, let ratio = found.ratio {
            line += ",\"openblas\":\(peer * test.flops * 1e-9),\"ratio\":\(ratio)"
        }
        return line + ",\"peak\":\(found.peak * 1e-9)}"
    }

    private func rounded(_ value: Double, _ digits: Int) -> String {
        let factor = digits == 0 ? 1.0 : digits == 1 ? 10 : 100
        let scaled = (value * factor).rounded() / factor
        return digits == 0 ? String(Int(scaled)) : String(scaled)
    }

    private func padded(_ text: String, _ width: Int, left: Bool = false) -> String {
        let fill = String(repeating: " ", count: max(0, width - text.count))
        return left ? text + fill : fill + text
    }
}
