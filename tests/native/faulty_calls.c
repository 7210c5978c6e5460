/* A library for LD_PRELOAD: it lets calls of one descriptor fail, as often as a test says. Both media planes
   call the same functions, so one suite can do this to both (tests/relay/faulty_suite.py). */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum call { RECVMMSG, SENDMMSG, EPOLL_WAIT, CALLS };

static struct fault {
    atomic_int descriptor, error, left; /* left: how often it still fails */
    atomic_uint calls;                  /* of this descriptor, since it was told to fail */
} faults[CALLS];

void faulty_set(int call, int descriptor, int error, int times);
void faulty_set(int call, int descriptor, int error, int times)
{
    struct fault *fault = &faults[call];
    atomic_store(&fault->left, 0);
    atomic_store(&fault->calls, 0);
    atomic_store(&fault->error, error);
    atomic_store(&fault->descriptor, descriptor);
    atomic_store(&fault->left, times);
}

unsigned faulty_calls(int call);
unsigned faulty_calls(int call) { return atomic_load(&faults[call].calls); }

int faulty_left(int call);
int faulty_left(int call) { return atomic_load(&faults[call].left); }

static bool fails(enum call call, int descriptor)
{
    struct fault *fault = &faults[call];
    if (atomic_load(&fault->descriptor) != descriptor)
        return false;
    atomic_fetch_add(&fault->calls, 1);
    if (atomic_load(&fault->left) <= 0)
        return false;
    atomic_fetch_sub(&fault->left, 1);
    errno = atomic_load(&fault->error);
    return true;
}

int recvmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags,
             struct timespec *timeout)
{
    int (*real)(int, struct mmsghdr *, unsigned, int, struct timespec *) = dlsym(RTLD_NEXT, "recvmmsg");
    return fails(RECVMMSG, descriptor) ? -1 : real(descriptor, messages, count, flags, timeout);
}

int sendmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags)
{
    int (*real)(int, struct mmsghdr *, unsigned, int) = dlsym(RTLD_NEXT, "sendmmsg");
    return fails(SENDMMSG, descriptor) ? -1 : real(descriptor, messages, count, flags);
}

int epoll_wait(int descriptor, struct epoll_event *events, int most, int timeout)
{
    int (*real)(int, struct epoll_event *, int, int) = dlsym(RTLD_NEXT, "epoll_wait");
    return fails(EPOLL_WAIT, descriptor) ? -1 : real(descriptor, events, most, timeout);
}
