/* Preloaded into the daemon: its clock, and no other one, is SHIFT seconds away. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t which, struct timespec *now)
{
    int failed = (int)syscall(SYS_clock_gettime, which, now);
    const char *shift = getenv("SHIFT");
    if (!failed && which == CLOCK_REALTIME && shift)
        now->tv_sec += atol(shift);
    return failed;
}
