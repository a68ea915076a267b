#ifndef CPLAW_H
#define CPLAW_H

/// x86-64 microarchitecture level of this CPU: 4, 3 or 2; 0 on other architectures.
int plaw_cpu_level(void);

/// Asks the kernel to kill this process when its parent dies.
void plaw_die_with_parent(void);

/// Gets SIGTERM when the process that started this one ends, also after an exec.
void plaw_stop_with_parent(void);

/// Gives way to everybody else: batch scheduling, nice 5, and first to go when memory runs out.
void plaw_run_in_background(void);

/// Ends this process with status 1 and a line on standard error after some seconds, whatever its threads do: by the kernel's alarm, which
/// needs none of them.
void plaw_end_after(unsigned seconds);

/// Bytes of this process that RLIMIT_DATA counts, and what a sanitizer may still take; 0 where the kernel does not say.
long plaw_data_bytes(void);

/// Makes every large allocation a mapping of its own, which goes back to the kernel when it is freed.
/// (Otherwise the C library takes to keeping them, and a daemon that once read a large file stays large.)
void plaw_map_large_allocations(void);

#endif
