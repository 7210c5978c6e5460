/* Voices and listeners; load.h tells how they are used. */

#include "common.h"

#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    EVENTS = 64,
    BATCH = 8, /* datagrams of one listener; there is rarely more than one */
    DATAGRAM = 1536,
    GLANCE = 1000000, /* ns from one look at the sockets to the next */
    SAMPLED_LEVEL = 200, /* the level of the packets that are opened, one of 256 */
};

struct state { /* what only this file knows */
    struct load load;
    srtp_function protect, unprotect;
    int epoll, control;
    bool stopping;
};

struct batch {
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    unsigned char stamps[BATCH][64];
    unsigned char data[BATCH][DATAGRAM];
};

struct load *load_new(unsigned listeners, unsigned voices, uint64_t latencies, int control,
                      uintptr_t protect, uintptr_t unprotect)
{
    struct state *state = calloc(1, sizeof *state);
    state->load = (struct load){
        .listeners = calloc(listeners, sizeof(struct listener)),
        .voices = calloc(voices, sizeof(struct voice)),
        .latencies = calloc(latencies, sizeof(uint32_t)),
        .listener_count = listeners,
        .voice_count = voices,
        .latency_capacity = latencies,
    };
    for (unsigned i = 0; i < listeners; i++)
        state->load.listeners[i].descriptor = -1;
    state->control = control;
    state->protect = (srtp_function)protect;
    state->unprotect = (srtp_function)unprotect;
    state->epoll = epoll_create1(EPOLL_CLOEXEC);
    return &state->load;
}

void load_free(struct load *load)
{
    struct state *state = (struct state *)load;
    close(state->epoll);
    free(load->listeners);
    free(load->voices);
    free(load->latencies);
    free(state);
}

int load_watch(struct load *load, unsigned index, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    __atomic_store_n(&load->listeners[index].descriptor, descriptor, __ATOMIC_RELEASE);
    int failed = epoll_ctl(((struct state *)load)->epoll, EPOLL_CTL_ADD, descriptor, &event);
    return failed ? errno : 0;
}

void load_unwatch(struct load *load, unsigned index)
{
    struct listener *listener = &load->listeners[index];
    epoll_ctl(((struct state *)load)->epoll, EPOLL_CTL_DEL, listener->descriptor, NULL);
    __atomic_store_n(&listener->descriptor, -1, __ATOMIC_RELEASE);
}

static void note_latency(struct load *load, int64_t nanoseconds)
{
    uint64_t count = load->latency_count;
    if (count == load->latency_capacity)
        return;
    load->latencies[count] = nanoseconds < 0 ? 0 : (uint32_t)(nanoseconds < UINT32_MAX ? nanoseconds
                                                                                       : UINT32_MAX);
    __atomic_store_n(&load->latency_count, count + 1, __ATOMIC_RELEASE);
}

static void open_sample(struct state *state, struct listener *listener, const unsigned char *data,
                        int length)
{
    unsigned char copy[DATAGRAM], expected[SLOT];
    memcpy(copy, data, (size_t)length);
    write_packet(expected, SAMPLED_LEVEL, 0);
    bool same = state->unprotect(listener->context, copy, &length) == 0 && length == PLAIN_SIZE &&
                memcmp(copy + HEADER_SIZE, expected + HEADER_SIZE, PAYLOAD_SIZE) == 0;
    if (same)
        listener->opened++;
    else
        listener->refused++;
}

static void take_rtp(struct state *state, struct listener *listener, const unsigned char *data,
                     int length, int64_t stamp)
{
    static const unsigned char level_block[] = {0xBE, 0xDE, 0, 1, 0x10};
    uint32_t ssrc;
    memcpy(&ssrc, data + 8, 4);
    if (ntohl(ssrc) != listener->ssrc) {
        state->load.strays++;
        return;
    }
    listener->received++;
    if (!listener->first)
        listener->first = stamp;
    if (length < HEADER_SIZE || memcmp(data + 12, level_block, sizeof level_block) != 0)
        return;
    const struct voice *voice = &state->load.voices[listener->voice];
    note_latency(&state->load, stamp - __atomic_load_n(&voice->sent_at[data[17]], __ATOMIC_RELAXED));
    if (listener->context && data[17] == SAMPLED_LEVEL)
        open_sample(state, listener, data, length);
}

static void hand_up(struct state *state, uint32_t index, void *data, size_t length)
{
    struct iovec parts[] = {{&index, sizeof index}, {data, length}};
    if (writev(state->control, parts, 2) < 0)
        state->load.control_lost++;
}

static int64_t stamp_of(struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
            return stamp.tv_sec * INT64_C(1000000000) + stamp.tv_nsec;
        }
    }
    return clock_nanoseconds(CLOCK_REALTIME);
}

static void prepare(struct batch *batch, unsigned used)
{
    for (unsigned i = 0; i < used; i++) {
        batch->parts[i] = (struct iovec){batch->data[i], DATAGRAM};
        batch->messages[i].msg_hdr = (struct msghdr){
            .msg_iov = &batch->parts[i],
            .msg_iovlen = 1,
            .msg_control = batch->stamps[i],
            .msg_controllen = sizeof batch->stamps[i],
        };
    }
}

static void serve(struct state *state, struct batch *batch, uint32_t index)
{
    struct listener *listener = &state->load.listeners[index];
    int descriptor = __atomic_load_n(&listener->descriptor, __ATOMIC_ACQUIRE);
    int received = recvmmsg(descriptor, batch->messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < received; i++) {
        unsigned char *data = batch->data[i];
        int length = (int)batch->messages[i].msg_len;
        if (length < 12 || data[0] >> 6 != 2)
            hand_up(state, index, data, (size_t)length);
        else if ((data[1] & 0xE0) == 0xC0)
            state->load.rtcp++;
        else
            take_rtp(state, listener, data, length, stamp_of(&batch->messages[i].msg_hdr));
    }
    prepare(batch, received > 0 ? (unsigned)received : 0);
}

/* It looks at times of its own rather than be woken, since waking somebody costs the sender: the listeners of a
   server are elsewhere. Stamps are the kernel's, so times are true all the same. */
void load_listen(struct load *load)
{
    struct state *state = (struct state *)load;
    struct batch *batch = calloc(1, sizeof *batch);
    struct epoll_event events[EVENTS];
    prepare(batch, BATCH);
    while (!__atomic_load_n(&state->stopping, __ATOMIC_ACQUIRE)) {
        int ready = epoll_wait(state->epoll, events, EVENTS, 0);
        for (int i = 0; i < ready; i++)
            serve(state, batch, events[i].data.u32);
        if (ready < EVENTS)
            sleep_until(clock_nanoseconds(CLOCK_MONOTONIC) + GLANCE);
    }
    free(batch);
}

void load_stop(struct load *load)
{
    __atomic_store_n(&((struct state *)load)->stopping, true, __ATOMIC_RELEASE);
}

static void speak(struct state *state, struct voice *voice)
{
    unsigned char data[SLOT];
    uint32_t sequence = voice->sequence++;
    int length = write_packet(data, sequence, voice->ssrc);
    if (state->protect(voice->context, data, &length) != 0)
        return;
    __atomic_store_n(&voice->sent_at[sequence & 0xFF], clock_nanoseconds(CLOCK_REALTIME),
                     __ATOMIC_RELAXED);
    if (sendto(voice->descriptor, data, (size_t)length, 0, (const struct sockaddr *)voice->name,
               sizeof voice->name) == length)
        voice->sent++;
}

uint64_t load_speak(struct load *load, int64_t interval, uint64_t ticks)
{
    struct state *state = (struct state *)load;
    int64_t due = clock_nanoseconds(CLOCK_MONOTONIC);
    for (uint64_t tick = 0; tick < ticks; tick++, due += interval) {
        if (__atomic_load_n(&state->stopping, __ATOMIC_ACQUIRE))
            return tick;
        sleep_until(due);
        speak(state, &load->voices[tick % load->voice_count]);
    }
    return ticks;
}
