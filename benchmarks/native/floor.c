/* Floors: the same packets, by the same system calls and the same libsrtp, without a relay. */

#include "common.h"

#include "floor.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    ROUNDS_BETWEEN_DRAINS = 64, /* fits in a receive buffer of the usual size */
    MAX_MESSAGES = 1024,        /* of one sendmmsg: UIO_MAXIOV */
};

struct outgoing {
    struct mmsghdr *messages;
    struct iovec *parts;
    unsigned char *slots;
};

static struct outgoing outgoing_new(const char *names, unsigned count)
{
    struct outgoing out = {calloc(count, sizeof *out.messages), calloc(count, sizeof *out.parts),
                           calloc(count, SLOT)};
    for (unsigned i = 0; i < count; i++) {
        out.parts[i] = (struct iovec){out.slots + (size_t)i * SLOT, PLAIN_SIZE + 16};
        out.messages[i].msg_hdr = (struct msghdr){
            .msg_name = (void *)(names + 16 * (size_t)i),
            .msg_namelen = sizeof(struct sockaddr_in),
            .msg_iov = &out.parts[i],
            .msg_iovlen = 1,
        };
    }
    return out;
}

static void outgoing_free(struct outgoing *out)
{
    free(out->messages);
    free(out->parts);
    free(out->slots);
}

static unsigned send_all(int sender, struct mmsghdr *messages, unsigned count)
{
    unsigned done = 0;
    while (done < count) {
        unsigned most = count - done < MAX_MESSAGES ? count - done : MAX_MESSAGES;
        int sent = sendmmsg(sender, messages + done, most, 0);
        if (sent <= 0)
            return done;
        done += (unsigned)sent;
    }
    return done;
}

void drain(const struct receivers *receivers)
{
    unsigned char data[SLOT];
    for (unsigned i = 0; i < receivers->count; i++)
        while (recv(receivers->descriptors[i], data, sizeof data, MSG_DONTWAIT) > 0)
            ;
}

static void *run_drain(void *receivers)
{
    drain(receivers);
    return NULL;
}

/* On a thread of its own, so that this one's CPU time stays the sender's. */
static void drain_elsewhere(const struct receivers *receivers)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_drain, (void *)receivers) == 0)
        pthread_join(thread, NULL);
}

struct cpu floor_fan_out(const struct receivers *receivers, int sender, void *const *contexts,
                         uintptr_t protect, uint32_t sequence, unsigned rounds)
{
    srtp_function protect_rtp = (srtp_function)protect;
    struct outgoing out = outgoing_new(receivers->names, receivers->count);
    struct cpu used = {0, 0};
    for (unsigned i = 0; i < receivers->count; i++)
        write_packet(out.slots + (size_t)i * SLOT, sequence, 1 + i);
    for (unsigned round = 0; round < rounds;) {
        int64_t start = clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID);
        do {
            uint16_t low = htons((uint16_t)(sequence + round));
            for (unsigned i = 0; i < receivers->count; i++) {
                unsigned char *data = out.slots + (size_t)i * SLOT;
                int length = PLAIN_SIZE;
                memcpy(data + 2, &low, 2);
                if (contexts && protect_rtp(contexts[i], data, &length) == 0)
                    out.parts[i].iov_len = (size_t)length;
            }
            used.packets += send_all(sender, out.messages, receivers->count);
        } while (++round < rounds && round % ROUNDS_BETWEEN_DRAINS);
        used.nanoseconds += clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID) - start;
        drain_elsewhere(receivers);
    }
    outgoing_free(&out);
    return used;
}

struct cpu floor_bursts(const char *names, const struct burst *bursts, unsigned burst_count, int sender,
                        int64_t interval, unsigned ticks)
{
    const struct burst *last = &bursts[burst_count - 1];
    struct outgoing out = outgoing_new(names, last->first + last->count);
    struct cpu used = {0, 0};
    for (unsigned i = 0; i < last->first + last->count; i++)
        write_packet(out.slots + (size_t)i * SLOT, 0, 0);
    int64_t begin = clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    int64_t due = clock_nanoseconds(CLOCK_MONOTONIC);
    for (unsigned tick = 0; tick < ticks; tick++, due += interval) {
        const struct burst *burst = &bursts[tick % burst_count];
        sleep_until(due);
        used.packets += send_all(sender, out.messages + burst->first, burst->count);
    }
    used.nanoseconds = clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID) - begin;
    outgoing_free(&out);
    return used;
}

static void send_packet(struct sender *sender)
{
    unsigned char data[SLOT];
    int length = write_packet(data, sender->sequence++, 1);
    if (((srtp_function)sender->protect)(sender->context, data, &length) == 0)
        sendto(sender->descriptor, data, (size_t)length, 0, (const struct sockaddr *)sender->name,
               sizeof sender->name);
}

unsigned feed(struct sender *sender, const struct receivers *receivers, unsigned count,
              int64_t patience)
{
    int last = receivers->descriptors[receivers->count - 1];
    unsigned char data[SLOT];
    for (unsigned fed = 0; fed < count; fed++) {
        if (fed % ROUNDS_BETWEEN_DRAINS == 0)
            drain(receivers);
        send_packet(sender);
        int64_t deadline = clock_nanoseconds(CLOCK_MONOTONIC) + patience;
        while (recv(last, data, sizeof data, MSG_DONTWAIT) < 0)
            if (clock_nanoseconds(CLOCK_MONOTONIC) > deadline)
                return fed;
    }
    drain(receivers);
    return count;
}

void flood(struct sender *sender, unsigned count)
{
    for (unsigned sent = 0; sent < count; sent++)
        send_packet(sender);
}

int write_packets(struct sender *sender, unsigned char *data, unsigned stride, unsigned count)
{
    int length = 0;
    for (unsigned i = 0; i < count; i++) {
        length = write_packet(data + (size_t)i * stride, sender->sequence++, 1);
        ((srtp_function)sender->protect)(sender->context, data + (size_t)i * stride, &length);
    }
    return length;
}

int write_copies(unsigned char *data, unsigned stride, unsigned count, uint32_t sequence)
{
    for (unsigned i = 0; i < count; i++)
        write_packet(data + (size_t)i * stride, sequence, 1 + i);
    return PLAIN_SIZE;
}
