#ifndef CPLAWTESTING_H
#define CPLAWTESTING_H

#include <sys/types.h>

/// A stream socket connected to a path by this thread as another user, whom the other side sees; -1 with errno where that fails.
/// Only root may. Other threads stay who they are.
int plaw_connect_as(uid_t user, const char *path);

#endif
