// What Swift has no word for. Inline and static only: no symbol of it reaches the linker (docs/kernels.md, rules).
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

#endif
