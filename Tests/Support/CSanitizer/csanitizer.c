// What the thread sanitizer must know of Swift's locks. Linked by `scripts/sanitize thread` alone (Package.swift).
//
// Synchronization.Mutex is an atomic word and a futex. A lock that nobody waits for is an atomic operation, inlined into code that is
// built with the sanitizer, which sees it. Where threads wait for each other the library takes and gives the lock itself; it is not
// built with the sanitizer, which then knows of no order between the two and reports what the lock guards. These functions stand before
// the library's slow paths, call them, and tell the sanitizer of the order at the word that its atomic operations are known by.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__x86_64__) || defined(__aarch64__)

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *

extern void __tsan_acquire(void *word);
extern void __tsan_release(void *word);

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

static void *next(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    // Another Swift library would lock in another way.
    if (!found) abort();
    return found;
}

SWIFT void plaw_lock_slow(uint32_t thread, SELF self) __asm__(LOCK);
SWIFT void plaw_lock_slow(uint32_t thread, SELF self) {
    ((SWIFT void (*)(uint32_t, SELF))next(LOCK))(thread, self);
    __tsan_acquire(self);
}

SWIFT bool plaw_try_lock_slow(SELF self) __asm__(TRY);
SWIFT bool plaw_try_lock_slow(SELF self) {
    bool taken = ((SWIFT bool (*)(SELF))next(TRY))(self);
    if (taken) __tsan_acquire(self);
    return taken;
}

SWIFT void plaw_unlock_slow(SELF self) __asm__(UNLOCK);
SWIFT void plaw_unlock_slow(SELF self) {
    __tsan_release(self);
    ((SWIFT void (*)(SELF))next(UNLOCK))(self);
}

#endif
