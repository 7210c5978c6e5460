/* Stages of the native plane. It is compiled together with relay/native/, and calls what the relay's own
   thread calls; libsrtp is left out where another stage is to be seen. */

#include "../../relay/native/plane.h"

#include "common.h"

#include "stages.h"

#include <stdlib.h>

enum { TAG_SIZE = 16, BLOCK = 512 };

struct stage_plane {
    struct srtp_api idle, real;
    struct thread *threads[1];
    struct port *port;
    struct source *source;
    struct sockaddr_storage known, unknown;
    struct sink *sinks;
    unsigned sink_count;
    uint32_t sequence;
};

static int idle_protect(void *context, void *packet, int *length)
{
    (void)context;
    (void)packet;
    *length += TAG_SIZE;
    return 0;
}

static int idle_unprotect(void *context, void *packet, int *length)
{
    (void)context;
    (void)packet;
    *length -= TAG_SIZE;
    return 0;
}

static struct sockaddr_storage packed(const void *name)
{
    struct sockaddr_storage storage = {0};
    memcpy(&storage, name, sizeof(struct sockaddr_in));
    return storage;
}

struct stage_plane *stage_new(int descriptor, const char *names, unsigned sinks, void *inbound,
                              void *const *outbound, uintptr_t protect, uintptr_t unprotect,
                              uintptr_t remove_stream)
{
    struct stage_plane *stages = calloc(1, sizeof *stages);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(9)};
    stages->real = (struct srtp_api){(srtp_function)protect, (srtp_function)unprotect,
                                     (int (*)(void *, uint32_t))remove_stream};
    stages->idle = (struct srtp_api){idle_protect, idle_unprotect, stages->real.remove_stream};
    stages->threads[0] = thread_new(&stages->real, stages->threads, 0, 1);
    stages->port = thread_open(stages->threads[0], descriptor, sizeof name);
    stages->source = calloc(1, sizeof *stages->source);
    stages->source->srtp = inbound;
    stages->source->home = stages->threads[0];
    stages->known = packed(&name);
    name.sin_port = htons(10);
    stages->unknown = packed(&name);
    port_bind(stages->port, &stages->known, stages->source);
    stages->sinks = calloc(sinks, sizeof *stages->sinks);
    stages->sink_count = sinks;
    for (unsigned i = 0; i < sinks; i++) {
        struct sink *sink = &stages->sinks[i];
        sink->srtp = outbound[i];
        sink->port = stages->port;
        sink->name = packed(names + sizeof name * i);
        sink->ssrc = 1 + i;
    }
    return stages;
}

void stage_free(struct stage_plane *stages)
{
    source_forget(stages->source);
    thread_free(stages->threads[0]);
    free(stages->source);
    free(stages->sinks);
    free(stages);
}

static int64_t take(struct stage_plane *stages, const struct sockaddr_storage *name, unsigned rounds)
{
    unsigned char *data = stages->port->in[0];
    stages->threads[0]->srtp = &stages->idle;
    int64_t begin = clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned round = 0; round < rounds; round++) {
        uint16_t sequence = htons((uint16_t)stages->sequence++);
        memcpy(data + 2, &sequence, 2);
        port_take(stages->port, data, PLAIN_SIZE + TAG_SIZE, name, 0.0);
        stages->port->send_count = 0;
    }
    int64_t used = clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID) - begin;
    stages->threads[0]->srtp = &stages->real;
    return used;
}

int64_t stage_demux(struct stage_plane *stages, unsigned rounds)
{
    write_packet(stages->port->in[0], 0, 1);
    return take(stages, &stages->unknown, rounds);
}

int64_t stage_cut(struct stage_plane *stages, unsigned rounds)
{
    write_packet(stages->port->in[0], 0, 1);
    return take(stages, &stages->known, rounds);
}

int64_t stage_levels(struct stage_plane *stages, unsigned rounds, int levels)
{
    enum { SEATS = 4, LOUD = 20, LOUDER = 10 };
    static struct stage stage;
    static struct contender others[SEATS];
    stage = (struct stage){.seats = SEATS};
    memset(others, 0, sizeof others);
    for (unsigned i = 0; i < SEATS; i++) {
        stage_enter(&others[i], &stage);
        if (levels == UNSEATED)
            stage_admits(&others[i], LOUDER, 0.0);
    }
    if (levels >= SEATED)
        stage_enter(&stages->source->contender, &stage);
    unsigned char *data = stages->port->in[0];
    write_packet(data, 0, 1);
    data[17] = LOUD;
    if (levels == WITHOUT_LEVELS)
        data[0] = 0x80; /* the extension is a part of the payload */
    int64_t used = take(stages, &stages->known, rounds);
    if (levels >= SEATED)
        stage_leave(&stages->source->contender);
    stages->source->contender.stage = NULL;
    return used;
}

int64_t stage_rewrite(struct stage_plane *stages, unsigned rounds)
{
    for (unsigned i = 0; i < stages->sink_count; i++)
        sink_attach(&stages->sinks[i], stages->source, 0.0);
    int64_t used = stage_cut(stages, rounds);
    for (unsigned i = 0; i < stages->sink_count; i++)
        sink_detach(&stages->sinks[i]);
    return used;
}

int64_t stage_send(struct stage_plane *stages, unsigned rounds)
{
    struct port *port = stages->port;
    for (unsigned i = 0; i < stages->sink_count; i++) {
        write_packet(port->out[i], 0, 1 + i);
        port->sent_iov[i].iov_len = PLAIN_SIZE + TAG_SIZE;
        port->sent[i].msg_hdr.msg_name = &stages->sinks[i].name;
    }
    int64_t begin = clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned round = 0; round < rounds; round++) {
        port->send_count = stages->sink_count;
        thread_flush(stages->threads[0]);
    }
    return clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID) - begin;
}

static unsigned char block[BLOCK][SLOT];
static volatile uint32_t result;

int64_t floor_demux(unsigned rounds)
{
    int64_t begin = clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned round = 0; round < rounds; round++) {
        const unsigned char *data = block[round % BLOCK];
        result = (data[0] & 0xC0) == 0x80 && (data[1] & 0xE0) != 0xC0;
    }
    return clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID) - begin;
}

int64_t floor_cut(unsigned rounds)
{
    int64_t begin = clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned round = 0; round < rounds; round++) {
        uint16_t sequence;
        uint32_t numbers[2];
        memcpy(&sequence, block[round % BLOCK] + 2, 2);
        memcpy(numbers, block[round % BLOCK] + 4, 8);
        result = ntohs(sequence) + ntohl(numbers[0]) + ntohl(numbers[1]);
    }
    return clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID) - begin;
}

int64_t floor_rewrite(unsigned copies)
{
    unsigned char plain[SLOT];
    write_packet(plain, 0, 1);
    int64_t begin = clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned copy = 0; copy < copies; copy++) {
        unsigned char *data = block[copy % BLOCK];
        uint16_t sequence = htons((uint16_t)copy);
        uint32_t numbers[2] = {htonl(copy), htonl(copy)};
        memcpy(data, plain, PLAIN_SIZE);
        memcpy(data + 2, &sequence, 2);
        memcpy(data + 4, numbers, 8);
        result = data[2];
    }
    return clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID) - begin;
}

int64_t floor_unprotect(void *inbound, void *outbound, uintptr_t protect, uintptr_t unprotect,
                        uint32_t sequence, unsigned rounds)
{
    int lengths[BLOCK];
    for (unsigned i = 0; i < rounds; i++) {
        lengths[i] = write_packet(block[i], sequence + i, 1);
        ((srtp_function)protect)(outbound, block[i], &lengths[i]);
    }
    int64_t begin = clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned i = 0; i < rounds; i++)
        if (((srtp_function)unprotect)(inbound, block[i], &lengths[i]) != 0)
            return -1;
    return clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID) - begin;
}

int64_t floor_protect(void *const *outbound, unsigned sinks, uintptr_t protect, uint32_t sequence,
                      unsigned rounds)
{
    for (unsigned i = 0; i < sinks; i++)
        write_packet(block[i], sequence, 1 + i);
    int64_t begin = clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned round = 0; round < rounds; round++) {
        uint16_t low = htons((uint16_t)(sequence + round));
        for (unsigned i = 0; i < sinks; i++) {
            int length = PLAIN_SIZE;
            memcpy(block[i] + 2, &low, 2);
            if (((srtp_function)protect)(outbound[i], block[i], &length) != 0)
                return -1;
        }
    }
    return clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID) - begin;
}
