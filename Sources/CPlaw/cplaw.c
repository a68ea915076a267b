#include "cplaw.h"

#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>

int plaw_cpu_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4")) return 4;
    if (__builtin_cpu_supports("x86-64-v3")) return 3;
    return 2;
#else
    return 0;
#endif
}

void plaw_die_with_parent(void) { prctl(PR_SET_PDEATHSIG, SIGKILL); }

void plaw_map_large_allocations(void) { mallopt(M_MMAP_THRESHOLD, 256 << 10); }
