/* A thread of the native plane: it waits for its sockets, and works a batch off at a time. */

#include "plane.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PAUSE 0.01 /* s; each one is twice as long as the one before */
#define LONGEST_PAUSE 1  /* s */

struct thread *thread_new(const struct srtp_api *srtp, struct thread **threads, unsigned index,
                          unsigned thread_count)
{
    struct thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    thread->srtp = srtp;
    thread->threads = threads;
    thread->index = index;
    thread->thread_count = thread_count;
    /* Who holds one for a moment, while a media thread at real-time priority waits for it, has its priority:
       otherwise any other program could keep both waiting. */
    pthread_mutexattr_t inheriting;
    pthread_mutexattr_init(&inheriting);
    pthread_mutexattr_setprotocol(&inheriting, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&thread->mutex, &inheriting);
    pthread_mutex_init(&thread->inbox_mutex, &inheriting);
    pthread_mutexattr_destroy(&inheriting);
    thread->control = calloc(CONTROL_RING, sizeof *thread->control);
    thread->inbox = calloc(INBOX_RING, sizeof *thread->inbox);
    thread->epoll = epoll_create1(EPOLL_CLOEXEC);
    thread->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    thread->upcall = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    bool made = thread->control && thread->inbox && thread->epoll >= 0 && thread->wake >= 0 &&
                thread->upcall >= 0 && getrandom(&thread->seed, sizeof thread->seed, 0) > 0 &&
                epoll_ctl(thread->epoll, EPOLL_CTL_ADD, thread->wake, &event) == 0;
    if (!made) {
        thread_free(thread);
        return NULL;
    }
    return thread;
}

void thread_close(struct thread *thread)
{
    int *descriptors[] = {&thread->epoll, &thread->wake, &thread->upcall};
    for (unsigned i = 0; i < 3; i++) {
        if (*descriptors[i] >= 0)
            close(*descriptors[i]);
        *descriptors[i] = -1;
    }
    for (unsigned i = 0; i < thread->port_count; i++)
        thread->ports[i]->descriptor = -1; /* its number is somebody else's once its owner closes it */
}

void thread_free(struct thread *thread)
{
    thread_close(thread);
    for (unsigned i = 0; i < thread->port_count; i++) {
        port_clear(thread->ports[i]);
        free(thread->ports[i]);
    }
    free(thread->control);
    free(thread->inbox);
    pthread_mutex_destroy(&thread->mutex);
    pthread_mutex_destroy(&thread->inbox_mutex);
    free(thread);
}

struct port *thread_open(struct thread *thread, int descriptor, socklen_t name_length)
{
    errno = EMFILE;
    if (thread->port_count == MAX_PORTS)
        return NULL;
    struct port *port = aligned_alloc(_Alignof(struct port), sizeof *port);
    if (!port)
        return NULL;
    memset(port, 0, sizeof *port);
    port->descriptor = descriptor;
    port->name_length = name_length;
    port->thread = thread;
    for (unsigned i = 0; i < SEND_BATCH; i++) {
        port->sent_iov[i].iov_base = port->out[i];
        port->sent[i].msg_hdr = (struct msghdr){
            .msg_namelen = name_length, .msg_iov = &port->sent_iov[i], .msg_iovlen = 1};
    }
    thread_lock(thread); /* no datagram is taken until the port is in the table */
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = port};
    bool added = epoll_ctl(thread->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
    if (added)
        thread->ports[thread->port_count++] = port;
    thread_unlock(thread);
    if (!added) {
        free(port);
        return NULL;
    }
    return port;
}

bool thread_is_forked(const struct thread *thread)
{
    return thread->process && thread->process != getpid();
}

void thread_lock(struct thread *thread)
{
    if (thread_is_forked(thread))
        return;
    atomic_fetch_add(&thread->editors, 1);
    pthread_mutex_lock(&thread->mutex);
    atomic_fetch_sub(&thread->editors, 1);
}

bool thread_try_lock(struct thread *thread)
{
    return thread_is_forked(thread) || pthread_mutex_trylock(&thread->mutex) == 0;
}

void thread_unlock(struct thread *thread)
{
    if (!thread_is_forked(thread))
        pthread_mutex_unlock(&thread->mutex);
}

/* Let waiting editors have the mutex; a mutex alone would let us take it again before they wake. We sleep,
   since at real-time priority we would not yield to them, and they may need our core. What they free may
   be named in the send batches, so nobody lets go of the mutex before those are sent. */
static void yield_to_editors(struct thread *thread)
{
    if (!atomic_load_explicit(&thread->editors, memory_order_relaxed))
        return;
    static const struct timespec moment = {.tv_nsec = 20000};
    thread_flush(thread);
    do {
        pthread_mutex_unlock(&thread->mutex);
        nanosleep(&moment, NULL);
        pthread_mutex_lock(&thread->mutex);
    } while (atomic_load_explicit(&thread->editors, memory_order_relaxed));
}

static double seconds(const struct timespec *time)
{
    return (double)time->tv_sec + (double)time->tv_nsec * 1e-9;
}

static double monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return seconds(&now);
}

/* Seconds since the kernel received the first datagram of the batch; `now` is monotonic. */
static double batch_age(struct port *port, double now)
{
    struct msghdr *header = &port->received[0].msg_hdr;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec stamp, real;
            memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
            clock_gettime(CLOCK_REALTIME, &real);
            return stamp_age(&port->clock, seconds(&real), now, seconds(&stamp));
        }
    }
    return 0;
}

static void add_latency(struct thread *thread, double passed) /* relay/latency.py */
{
    double octaves = passed > 1e-6 ? log2(passed / 1e-6) : 0;
    size_t bucket = (size_t)(octaves * 8);
    uint64_t nanoseconds = (uint64_t)(passed * 1e9);
    count(&thread->latency[bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1], 1);
    count(&thread->latency_nanoseconds, nanoseconds);
    if (nanoseconds > atomic_load_explicit(&thread->latency_maximum, memory_order_relaxed))
        atomic_store_explicit(&thread->latency_maximum, nanoseconds, memory_order_relaxed);
}

static int receive_batch(struct port *port)
{
    for (unsigned i = 0; i < RECEIVE_BATCH; i++) {
        port->received_iov[i] = (struct iovec){port->in[i], MAX_DATAGRAM};
        port->received[i].msg_hdr = (struct msghdr){
            .msg_name = &port->received_names[i],
            .msg_namelen = sizeof port->received_names[i],
            .msg_iov = &port->received_iov[i],
            .msg_iovlen = 1,
            .msg_control = i ? NULL : port->control, /* one time stamp is enough: the oldest */
            .msg_controllen = i ? 0 : sizeof port->control,
        };
    }
    return recvmmsg(port->descriptor, port->received, RECEIVE_BATCH, MSG_DONTWAIT, NULL);
}

/* Send what a batch left behind; `oldest`: when the first of it came, `before`: how many were forwarded
   then. */
static void finish_batch(struct thread *thread, double oldest, uint64_t before)
{
    thread_flush(thread);
    if (atomic_load_explicit(&thread->forwarded, memory_order_relaxed) != before)
        add_latency(thread, monotonic() - oldest);
}

/* ---- what the system refuses: it is counted, and asked again ever more seldom ---- */

/* A port's call failed: after a few in a row it is left alone for a while, lest we do nothing else. */
static void port_failed(struct port *port, int error)
{
    count_error(port->thread->receive_errors, error, 1);
    if (++port->failures < FAILURES_BEFORE_PAUSE)
        return;
    double pause = ldexp(FIRST_PAUSE, (int)(port->failures - FAILURES_BEFORE_PAUSE));
    epoll_ctl(port->thread->epoll, EPOLL_CTL_DEL, port->descriptor, NULL);
    port->again_at = monotonic() + fmin(pause, LONGEST_PAUSE);
}

/* Take up ports whose pause is over. Returns milliseconds until the next one's is, for epoll_wait. */
static int take_up(struct thread *thread)
{
    double next = INFINITY, now = 0;
    for (unsigned i = 0; i < thread->port_count; i++) {
        struct port *port = thread->ports[i];
        if (port->again_at == 0)
            continue;
        now = now > 0 ? now : monotonic();
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = port};
        if (port->again_at <= now) {
            if (epoll_ctl(thread->epoll, EPOLL_CTL_ADD, port->descriptor, &event) == 0)
                port->again_at = 0;
            else
                port_failed(port, errno);
        }
        if (port->again_at > 0)
            next = fmin(next, port->again_at);
    }
    return isinf(next) ? -1 : 1 + (int)(fmax(0, next - now) * 1000);
}

static void serve(struct thread *thread, struct port *port)
{
    int received = RECEIVE_BATCH;
    for (unsigned round = 0; round < MAX_ROUNDS && received == RECEIVE_BATCH; round++) {
        received = receive_batch(port);
        if (received < 0 && errno != EAGAIN)
            port_failed(port, errno);
        else
            port->failures = 0;
        if (received <= 0)
            return;
        double now = monotonic(), arrival = now - batch_age(port, now);
        uint64_t before = atomic_load_explicit(&thread->forwarded, memory_order_relaxed);
        for (int i = 0; i < received; i++) {
            const struct mmsghdr *message = &port->received[i];
            size_t length = message->msg_hdr.msg_flags & MSG_TRUNC ? MAX_DATAGRAM + 1u
                                                                   : message->msg_len;
            port_take(port, port->in[i], length, &port->received_names[i], arrival);
            yield_to_editors(thread);
        }
        finish_batch(thread, arrival, before);
    }
}

static void serve_inbox(struct thread *thread)
{
    eventfd_t woken;
    eventfd_read(thread->wake, &woken);
    uint64_t before = atomic_load_explicit(&thread->forwarded, memory_order_relaxed);
    double arrival, oldest = monotonic();
    for (unsigned n = 0; n < INBOX_RING && thread_take_inbox(thread, &arrival); n++) {
        oldest = fmin(oldest, arrival);
        yield_to_editors(thread);
    }
    finish_batch(thread, oldest, before);
}

/* Nobody can tell who has something: ask all, after a pause if that goes on. */
static void serve_unasked(struct thread *thread, unsigned failures)
{
    static const struct timespec pause = {.tv_nsec = (long)(FIRST_PAUSE * 1e9)};
    if (failures >= FAILURES_BEFORE_PAUSE) {
        pthread_mutex_unlock(&thread->mutex);
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&thread->mutex);
    }
    for (unsigned i = 0; i < thread->port_count; i++)
        if (thread->ports[i]->again_at == 0)
            serve(thread, thread->ports[i]);
    serve_inbox(thread);
}

/* How long epoll_wait may take: as long as `timeout` says, and no longer than the event loop may sleep. */
static int patience(struct thread *thread, int timeout)
{
    double wait = control_wait(thread, monotonic());
    int left = wait < 0 ? -1 : 1 + (int)(wait * 1000);
    return timeout < 0 || (left >= 0 && left < timeout) ? left : timeout;
}

static void *run(void *argument)
{
    struct thread *thread = argument;
    struct epoll_event events[MAX_PORTS + 1];
    unsigned failures = 0;
    int timeout = -1;
    while (!atomic_load(&thread->stopping)) {
        int ready = epoll_wait(thread->epoll, events, MAX_PORTS + 1, timeout), error = errno;
        pthread_mutex_lock(&thread->mutex);
        yield_to_editors(thread);
        failures = ready < 0 ? failures + 1 : 0;
        if (ready < 0) {
            if (error != EINTR) /* a debugger's, or who stops the process and lets it go on */
                count_error(thread->receive_errors, error, 1);
            serve_unasked(thread, failures);
        }
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr)
                serve(thread, events[i].data.ptr);
            else
                serve_inbox(thread);
        }
        timeout = patience(thread, take_up(thread));
        pthread_mutex_unlock(&thread->mutex);
    }
    return NULL;
}

bool thread_start(struct thread *thread)
{
    int error = pthread_create(&thread->handle, NULL, run, thread);
    thread->process = getpid();
    atomic_store(&thread->running, error == 0);
    errno = error;
    return error == 0;
}

bool thread_hurry(struct thread *thread)
{
    struct sched_param lowest = {.sched_priority = 1}; /* the lowest of the real-time ones */
    return pthread_setschedparam(thread->handle, SCHED_RR, &lowest) == 0;
}

void thread_stop(struct thread *thread)
{
    if (!atomic_exchange(&thread->running, false) || thread_is_forked(thread))
        return;
    atomic_store(&thread->stopping, true);
    eventfd_write(thread->wake, 1);
    pthread_join(thread->handle, NULL);
}
