#ifndef CCPU_H
#define CCPU_H
/// x86-64 microarchitecture level of this CPU: 4, 3 or 2; 0 on other architectures.
int plaw_cpu_level(void);
#endif
