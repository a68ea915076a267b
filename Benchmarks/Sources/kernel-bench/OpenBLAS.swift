import Glibc
import Kernels

/// OpenBLAS, loaded at run time on one thread: what the products are compared with.
struct OpenBLAS {
    private typealias Sgemm =
        @convention(c) (
            Int32, Int32, Int32, Int32, Int32, Int32, Float, UnsafePointer<Float>, Int32, UnsafePointer<Float>, Int32,
            Float, UnsafeMutablePointer<Float>, Int32
        ) -> Void
    private typealias Text = @convention(c) () -> UnsafePointer<CChar>?

    private let sgemm: Sgemm
    /// Version, and the kernels that it has chosen.
    let description: String

    /// Nil when the library cannot be loaded.
    init?(path: String) {
        setenv("OPENBLAS_NUM_THREADS", "1", 1)
        guard let handle = dlopen(path, RTLD_NOW), let symbol = dlsym(handle, "cblas_sgemm") else { return nil }
        sgemm = unsafeBitCast(symbol, to: Sgemm.self)
        let config = dlsym(handle, "openblas_get_config").map { unsafeBitCast($0, to: Text.self) }
        description = config.flatMap { $0() }.map { String(cString: $0) } ?? path
    }

    func multiply(
        _ layout: Kernels.Layout, _ m: Int, _ n: Int, _ k: Int, _ a: UnsafePointer<Float>, _ lda: Int,
        _ b: UnsafePointer<Float>, _ ldb: Int, _ c: UnsafeMutablePointer<Float>, _ ldc: Int
    ) {
        // CblasRowMajor 101, CblasNoTrans 111, CblasTrans 112
        sgemm(
            101, layout == .tn ? 112 : 111, layout == .nt ? 112 : 111, Int32(m), Int32(n), Int32(k), 1, a, Int32(lda),
            b, Int32(ldb), 0, c, Int32(ldc))
    }
}
