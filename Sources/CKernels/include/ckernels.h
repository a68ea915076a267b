// What Swift has no word for. Inline and static only: no symbol of it reaches the linker (docs/contributors/kernels.md, rules).
#ifndef CKERNELS_H
#define CKERNELS_H

/// Asks for the line at p, to be read soon.
static inline __attribute__((always_inline)) void k_prefetch(const float *p) { __builtin_prefetch(p, 0, 3); }

/// Asks for the line at p, to be written soon.
static inline __attribute__((always_inline)) void k_prefetch_write(const float *p) { __builtin_prefetch(p, 1, 3); }

/// Tells the CPU that the caller is waiting in a loop.
static inline __attribute__((always_inline)) void k_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Blocks and the scratch memory they take. Here, so that the kernels that lay scratch out and those who allocate it share one number.

enum {
    // Longest inner loop of a product before the accumulators go back to memory: a panel of it fits the first-level cache.
    K_INNER_BLOCK = 384,
    // Columns and rows that the product works on at a time: as much of B and A for an inner block as the second-level cache holds, so
    // that A is read from further away only once for so many columns.
    K_BLOCK_COLUMNS = 256,
    K_BLOCK_ROWS = 192,
    // Columns of A that are copied together where A is transposed and lies badly: beside the block of B they leave room in the
    // second-level cache.
    K_COPIED_COLUMNS = 96,
    // Rows that are computed aside where a panel is narrower than its vectors, and columns of the widest panel of any variant.
    K_EDGE_ROWS = 12,
    K_WIDEST_PANEL = 32,

    // Scratch of a product, in floats: packed panels of a block, then a tile's spill, then copied columns of A.
    K_GEMM_SPILL = K_INNER_BLOCK * K_BLOCK_COLUMNS,
    K_GEMM_COPY = K_GEMM_SPILL + K_EDGE_ROWS * K_WIDEST_PANEL,
    K_GEMM_SCRATCH = K_GEMM_COPY + K_INNER_BLOCK * K_COPIED_COLUMNS,

    // Rows of a block of attention: a multiple of the tiles' rows. Sequences from this length on, and heads up to this width, go by
    // blocks.
    K_ATTENTION_ROWS = 24,
    K_BLOCKED_LENGTH = 16,
    K_BLOCKED_WIDTH = 128,

    // Positions of a pack of short sequences, and what a column of them takes with 16 zeros before and after; most distances of a
    // pack; numbers that describe one (rows, reaches, counters, squares of the length).
    K_PACK_LANES = 64,
    K_PACK_MARGIN = 16,
    K_PACK_STRIDE = K_PACK_LANES + 2 * K_PACK_MARGIN,
    K_PACK_DISTANCES = 16,
    K_PACK_NUMBERS = 4 * K_PACK_LANES,
    // Columns that narrow heads fill together.
    K_PACK_COLUMNS = 16,
};

/// Rows or columns in whole panels of any variant.
static inline __attribute__((always_inline)) long k_whole(long count) {
    return (count + K_WIDEST_PANEL - 1) / K_WIDEST_PANEL * K_WIDEST_PANEL;
}

/// Floats between the rows of a block of scores: whole panels and a vector.
static inline __attribute__((always_inline)) long k_block_stride(long length) { return k_whole(length) + 16; }

/// Floats of scratch of attention and its backward pass: that of its products, two blocks of scores, factors of one row, and a head's
/// transpose; number by number, two rows.
static inline __attribute__((always_inline)) long k_attention_scratch(long length) {
    long blocks = K_GEMM_SCRATCH + (2 * K_ATTENTION_ROWS + 1) * k_block_stride(length) + K_BLOCKED_WIDTH * k_whole(length);
    long rows = 2 * (length + 16) + 16;
    return blocks > rows ? blocks : rows;
}

/// Floats of scratch of attention in packs: seven matrices of the heads turned over at once, weights, slopes, and room behind them.
static inline __attribute__((always_inline)) long k_short_scratch(long width) {
    long columns = width > K_PACK_COLUMNS ? width : K_PACK_COLUMNS;
    return K_PACK_STRIDE * (7 * columns + 2 * K_PACK_DISTANCES + K_PACK_MARGIN);
}

/// Floats of scratch of rank counts: rows turned over, and for each its limit and two counts; a vector of what was not finite.
static inline __attribute__((always_inline)) long k_rank_scratch(long rows, long dim) {
    return k_whole(rows) * (dim + 3) + 16;
}

#endif
