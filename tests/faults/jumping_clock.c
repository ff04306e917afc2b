/* The wall clock jumps by an hour, forth and back, every tenth of a second.

   The main thread is spared: there a worker's event loop sleeps until a time of the wall clock, and
   so many jumps would put it to sleep for an hour. Trainings run in another one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int (*real)(clockid_t, struct timespec *);

static long jump(void) {
    struct timespec now;
    if (gettid() == getpid()) return 0;
    real(CLOCK_MONOTONIC, &now);
    return ((now.tv_nsec / 100000000) % 3 - 1) * 3600;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += jump();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (result) *result = exact.tv_sec;
    return exact.tv_sec;
}
