#define _GNU_SOURCE
#include "cplaw.h"

#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

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

void plaw_stop_with_parent(void) { prctl(PR_SET_PDEATHSIG, SIGTERM); }

void plaw_run_in_background(void) {
    // Each is best effort: a worker that may not give way still trains.
    struct sched_param none = {0};
    sched_setscheduler(0, SCHED_BATCH, &none);
    setpriority(PRIO_PROCESS, 0, 5);
    // Where the kernel groups processes by session, niceness counts within a session alone: a worker's own gives way too.
    if (getsid(0) == getpid()) {
        FILE *group = fopen("/proc/self/autogroup", "we");
        if (group) {
            fputs("5", group);
            fclose(group);
        }
    }
    FILE *file = fopen("/proc/self/oom_score_adj", "we");
    if (!file) return;
    // Raising it needs no privilege.
    fputs("500", file);
    fclose(file);
}

// What a sanitizer keeps of allocations grows with them.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZER_BYTES (1L << 30)
#endif
#endif
#ifndef SANITIZER_BYTES
#define SANITIZER_BYTES 0L
#endif

long plaw_data_bytes(void) {
    FILE *file = fopen("/proc/self/status", "re");
    if (!file) return 0;
    char line[256];
    long kilobytes = 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmData: %ld kB", &kilobytes) == 1) break;
    fclose(file);
    return kilobytes * 1024 + SANITIZER_BYTES;
}

void plaw_map_large_allocations(void) { mallopt(M_MMAP_THRESHOLD, 256 << 10); }

static void end_now(int number) {
    (void)number;
    // <3> is the priority that the journal reads. Nobody is left to tell where the write fails.
    static const char words[] = "<3>plawd: work did not end in time after the signal to stop, and was given up\n";
    ssize_t written = write(STDERR_FILENO, words, sizeof words - 1);
    (void)written;
    _exit(1);
}

void plaw_end_after(unsigned seconds) {
    signal(SIGALRM, end_now);
    alarm(seconds);
}
