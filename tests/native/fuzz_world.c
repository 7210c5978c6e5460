#include "fuzz_world.h"

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sanitizer/asan_interface.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>

static const unsigned THREAD_OF[PORTS] = {0, 0, 1};
static const sa_family_t FAMILY_OF[PORTS] = {AF_INET, AF_INET6, AF_INET};

static struct world *current; /* for what stands in for libsrtp and for the system */

static uint16_t read16(const unsigned char *data) { return (uint16_t)(data[0] << 8 | data[1]); }

static uint32_t read32(const unsigned char *data)
{
    return (uint32_t)read16(data) << 16 | read16(data + 2);
}

static bool is_ahead(uint16_t sequence, uint16_t of)
{
    return (int16_t)(uint16_t)(sequence - of) > 0;
}

/* The ear that a packet is for: its SSRC is its index. */
static struct ear *ear_of(const struct world *world, const unsigned char *packet)
{
    uint32_t ssrc = read32(packet + 8);
    CHECK(ssrc < EARS);
    return world->ears[ssrc];
}

static struct sockaddr_storage name_of(const struct port *port, unsigned address)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)address)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)address)};
    struct sockaddr_storage name = {0};
    memcpy(&name, port->name_length == sizeof ipv4 ? (void *)&ipv4 : (void *)&ipv6,
           port->name_length);
    return name;
}

static uint64_t over_threads(const struct world *world, const counter *first)
{
    size_t offset = (size_t)((const char *)first - (const char *)world->threads[0]);
    return *first + *(const counter *)((const char *)world->threads[1] + offset);
}

static uint64_t drops(const struct world *world, enum drop_reason reason)
{
    return over_threads(world, &world->threads[0]->drops[reason]);
}

/* ---- what stands in for libsrtp and for the system ---- */

/* A packet for a consumer, before it is protected: its form is checked, its numbers are noted. */
static void observe(struct srtp_double *srtp, const unsigned char *packet, size_t length)
{
    static const unsigned char block[] = {0xBE, 0xDE, 0, 1, 0x10};
    struct world *world = current;
    struct ear *ear = (struct ear *)srtp;
    CHECK(length >= 12 && length <= MAX_DATAGRAM && (packet[1] & 0x7F) == PAYLOAD_TYPE);
    if (packet[0] == 0x90)
        CHECK(length >= 20 && memcmp(packet + 12, block, sizeof block) == 0 && packet[18] == 0 &&
              packet[19] == 0);
    else
        CHECK(packet[0] == 0x80);
    CHECK(ear_of(world, packet) == ear && ear->sink.source);
    CHECK(world->heard_count < EARS * MAX_TAKEN && ear->head - ear->tail < QUEUE);
    world->heard[world->heard_count++] =
        (struct heard){ear, read16(packet + 2), read32(packet + 4), packet[1] & 0x80};
    ear->queue[ear->head++ % QUEUE] = read16(packet + 2);
    world->protected++;
}

/* A message is given to the system: by the right socket, to the right address, in order. */
static void check_message(const struct world *world, int descriptor, const struct msghdr *message)
{
    const unsigned char *packet = message->msg_iov->iov_base;
    CHECK(message->msg_iovlen == 1 && message->msg_iov->iov_len >= 12 + TAG_LENGTH);
    struct ear *ear = ear_of(world, packet);
    const struct sink *sink = &ear->sink;
    CHECK(sink->source && sink->port->descriptor == descriptor);
    CHECK(message->msg_namelen == sink->port->name_length);
    CHECK(memcmp(message->msg_name, &sink->name, message->msg_namelen) == 0);
    CHECK(ear->tail != ear->head && ear->queue[ear->tail++ % QUEUE] == read16(packet + 2));
}

static int fail(int error)
{
    errno = error;
    return -1;
}

int __wrap_sendmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags)
{
    struct world *world = current;
    enum network network = world->network;
    bool some = network == SENDS_SOME || network == FILLS_UP;
    unsigned gone = some ? (count + 1) / 2 : network == REFUSES ? 1 : count;
    CHECK(count > 0 && count <= SEND_BATCH && flags == MSG_DONTWAIT);
    if (network == IS_INTERRUPTED) {
        world->network = SENDS;
        return fail(EINTR);
    }
    for (unsigned i = 0; i < gone; i++)
        check_message(world, descriptor, &messages[i].msg_hdr);
    if (network == IS_FULL || network == HAS_NO_BUFFERS) {
        world->full += gone;
        return fail(network == IS_FULL ? EAGAIN : ENOBUFS);
    }
    if (network == REFUSES) {
        world->refused_by_system++;
        return fail(EPERM);
    }
    if (network == FILLS_UP)
        world->network = IS_FULL;
    world->sent += gone;
    return (int)gone;
}

/* ---- the model of a packet's numbers ---- */

/* A voice's next packet for an ear may be any, and so may those that wait for the ear's thread. */
static void loosen(struct world *world, const struct voice *voice)
{
    for (unsigned i = 0; i < EARS; i++) {
        struct ear *ear = world->ears[i];
        const struct thread *thread = ear->sink.port->thread;
        if (ear->sink.source == &voice->source)
            ear->loose += 1 + thread->inbox_head - thread->inbox_tail;
    }
}

/* How the packet that a voice was just heard with stands to the ones before. */
static enum place place_of(struct voice *voice)
{
    uint16_t sequence = read16(voice->srtp.latest + 2);
    uint32_t ssrc = read32(voice->srtp.latest + 8);
    bool first = !voice->joined || ssrc != voice->ssrc;
    voice->ssrc = ssrc;
    voice->joined = !voice->source.muted;
    if (first || !voice->joined) {
        voice->highest = voice->floor = sequence;
        return FOLLOWS;
    }
    int64_t step = (int16_t)(uint16_t)(sequence - (uint16_t)voice->highest);
    if (step <= 0)
        return voice->highest + step < voice->floor ? IS_STALE : IS_LATE;
    voice->highest += step;
    return step == 1 ? FOLLOWS : LEAVES_A_GAP;
}

static void check_heard(const struct heard *heard)
{
    struct ear *ear = heard->ear;
    CHECK(ear->loose || heard->sequence == (uint16_t)(ear->sequence + 1));
    if (ear->fresh) {
        CHECK(heard->marker);
        CHECK(!ear->begun || (int32_t)(heard->timestamp - ear->timestamp) >= FRAME_TICKS);
    }
    if (ear->fresh || is_ahead(heard->sequence, ear->sequence)) {
        ear->sequence = heard->sequence;
        ear->timestamp = heard->timestamp;
    }
    ear->loose -= ear->loose > 0;
    ear->fresh = false;
    ear->begun = true;
}

/* What the ears heard in this step, and what they missed because it could not be protected. */
static void check_all_heard(struct world *world)
{
    for (unsigned n = 0; n < world->heard_count; n++)
        check_heard(&world->heard[n]);
    world->heard_count = 0;
    for (unsigned i = 0; i < EARS; i++) {
        struct ear *ear = world->ears[i];
        if (ear->srtp.refused == ear->refused)
            continue;
        world->refused_by_srtp += ear->srtp.refused - ear->refused;
        ear->refused = ear->srtp.refused;
        ear->fresh = false;
        ear->loose++;
    }
}

/* ---- datagrams ---- */

static uint64_t dropped(const struct world *world)
{
    uint64_t sum = 0;
    for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++)
        sum += drops(world, reason);
    return sum - drops(world, DROP_SEND_BUFFER_FULL) - drops(world, DROP_SEND_FAILED) -
           drops(world, DROP_INBOX_FULL) - world->refused_by_srtp;
}

/* RFC 7983 and RFC 5761: RTP has its version in the first byte, and in the second no type of RTCP. */
static bool is_rtp(const unsigned char *datagram, size_t length)
{
    return length >= 2 && length <= MAX_DATAGRAM && datagram[0] >= 128 && datagram[0] <= 191 &&
           !(datagram[1] >= 192 && datagram[1] <= 223);
}

static void expect_above(struct world *world, unsigned port, unsigned address,
                         const unsigned char *datagram, size_t length)
{
    const struct thread *thread = world->threads[THREAD_OF[port]];
    world->passed[THREAD_OF[port]][(thread->control_head - 1) % CONTROL_RING] =
        (struct passed){world->ports[port], address, length, datagram[length - 1]};
}

/* Give a datagram to the plane, in memory that ends where the datagram does. */
static void deliver(struct world *world, unsigned port, unsigned address,
                    const unsigned char *datagram, size_t length)
{
    static _Alignas(64) unsigned char data[SLOT_SIZE];
    struct sockaddr_storage name = name_of(world->ports[port], address);
    size_t taken = length < MAX_DATAGRAM ? length : MAX_DATAGRAM;
    memcpy(data, datagram, taken);
    ASAN_POISON_MEMORY_REGION(data + taken, sizeof data - taken);
    port_take(world->ports[port], data, length, &name, world->now);
    ASAN_UNPOISON_MEMORY_REGION(data, sizeof data);
    world->datagrams++;
}

void world_take(struct world *world, unsigned port, unsigned address, const unsigned char *datagram,
                size_t length)
{
    struct voice *voice = world->bound[port][address];
    const struct thread *thread = world->threads[THREAD_OF[port]];
    unsigned above = thread->control_head;
    uint64_t rtp = thread->rtp_packets + is_rtp(datagram, length);
    uint64_t packets = voice ? voice->source.packets : 0, before = dropped(world);
    uint64_t stale = drops(world, DROP_RTP_STALE), lost = drops(world, DROP_INBOX_FULL);

    deliver(world, port, address, datagram, length);
    bool passed = thread->control_head != above, took = voice && voice->source.packets != packets;
    enum place place = took ? place_of(voice) : FOLLOWS;
    if (place != FOLLOWS || drops(world, DROP_INBOX_FULL) != lost)
        loosen(world, voice);
    check_all_heard(world);
    if (passed)
        expect_above(world, port, address, datagram, length);
    CHECK(thread->rtp_packets == rtp);
    if (took)
        CHECK(drops(world, DROP_RTP_STALE) - stale == (place == IS_STALE));
    /* It is passed up, taken or dropped; of what is taken, some is dropped later. */
    bool both = took && (voice->source.muted || place == IS_STALE);
    CHECK(passed + took + dropped(world) - before - both == 1);
}

void world_take_inbox(struct world *world, unsigned thread, unsigned most)
{
    double arrival = world->now;
    for (unsigned n = 0; n < most && thread_take_inbox(world->threads[thread], &arrival); n++)
        CHECK(arrival <= world->now);
    check_all_heard(world);
}

void world_read_control(struct world *world, unsigned thread, unsigned most)
{
    const struct control_entry *entry;
    while (most-- && (entry = control_peek(world->threads[thread]))) {
        const struct passed *passed = &world->passed[thread][world->read[thread]++ % CONTROL_RING];
        struct sockaddr_storage name = name_of(passed->port, passed->address);
        CHECK(entry->port == passed->port && entry->length == passed->length);
        CHECK(entry->data[entry->length - 1] == passed->last);
        CHECK(memcmp(&entry->name, &name, passed->port->name_length) == 0);
        control_done(world->threads[thread]);
    }
}

void world_flush(struct world *world)
{
    for (unsigned t = 0; t < THREADS; t++)
        thread_flush(world->threads[t]);
}

/* ---- edits; who edits has the batches sent first ---- */

void world_bind(struct world *world, unsigned port, unsigned address, unsigned voice)
{
    struct sockaddr_storage name = name_of(world->ports[port], address);
    if (world->voices[voice]->source.home != THREAD_OF[port])
        return; /* the callers of the plane see to that */
    world_flush(world);
    CHECK(port_bind(world->ports[port], &name, &world->voices[voice]->source));
    world->bound[port][address] = world->voices[voice];
}

void world_unbind(struct world *world, unsigned port, unsigned address)
{
    struct sockaddr_storage name = name_of(world->ports[port], address);
    world_flush(world);
    port_unbind(world->ports[port], &name);
    world->bound[port][address] = NULL;
}

void world_attach(struct world *world, unsigned index, unsigned voice)
{
    struct ear *ear = world->ears[index];
    world_flush(world);
    CHECK(sink_attach(&ear->sink, &world->voices[voice]->source, world->now, world->threads));
    ear->fresh = true;
    ear->loose = 0;
}

void world_detach(struct world *world, unsigned index)
{
    world_flush(world);
    sink_detach(&world->ears[index]->sink, world->threads);
    CHECK(!world->ears[index]->sink.source);
}

void world_direct(struct world *world, unsigned index, unsigned port, unsigned address)
{
    struct sink *sink = &world->ears[index]->sink;
    if (sink->port->thread != world->ports[port]->thread)
        return; /* the callers of the plane see to that */
    world_flush(world);
    sink->port = world->ports[port];
    sink->name = name_of(sink->port, address);
}

static void forget_voice(struct world *world, struct voice *voice)
{
    for (unsigned i = 0; i < EARS; i++)
        if (world->ears[i] && world->ears[i]->sink.source == &voice->source)
            world_detach(world, i);
    for (unsigned p = 0; p < PORTS; p++)
        for (unsigned a = 0; a < ADDRESSES; a++)
            if (world->bound[p][a] == voice)
                world->bound[p][a] = NULL;
    source_forget(&voice->source, world->threads, THREADS);
    free(voice);
}

void world_replace_voice(struct world *world, unsigned index, unsigned home)
{
    struct voice *voice = calloc(1, sizeof *voice);
    CHECK(voice);
    voice->source.srtp = &voice->srtp;
    voice->source.home = home;
    voice->source.timeline.at = world->now;
    if (world->voices[index])
        forget_voice(world, world->voices[index]);
    world->voices[index] = voice;
}

void world_replace_ear(struct world *world, unsigned index, unsigned port, uint16_t sequence,
                       uint32_t timestamp)
{
    struct ear *ear = calloc(1, sizeof *ear);
    CHECK(ear);
    ear->srtp.observe = observe;
    ear->sequence = sequence;
    ear->sink = (struct sink){.srtp = &ear->srtp,
                              .port = world->ports[port],
                              .name = name_of(world->ports[port], index),
                              .ssrc = index,
                              .sequence = sequence,
                              .timestamp = timestamp,
                              .sent_timestamp = timestamp};
    if (world->ears[index]) {
        world_detach(world, index);
        free(world->ears[index]);
    }
    world->ears[index] = ear;
}

/* Threads and ports are made once: their buffers are large, and all else of them can be cleared. */
static void make_threads(struct world *world)
{
    for (unsigned t = 0; t < THREADS; t++)
        CHECK((world->threads[t] = thread_new(&SRTP_DOUBLE, world->threads, t, THREADS)));
    for (unsigned p = 0; p < PORTS; p++) {
        bool ipv4 = FAMILY_OF[p] == AF_INET;
        socklen_t length = ipv4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        world->ports[p] = thread_open(world->threads[THREAD_OF[p]], eventfd(0, EFD_CLOEXEC), length);
        CHECK(world->ports[p]);
    }
}

static void clear_thread(struct thread *thread, uint32_t seed)
{
    thread->seed = seed;
    thread->control_head = thread->control_tail = 0;
    thread->inbox_head = thread->inbox_tail = 0;
    thread->datagrams = thread->rtp_packets = thread->forwarded = 0;
    for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++)
        thread->drops[reason] = 0;
    for (unsigned p = 0; p < thread->port_count; p++) {
        struct port *port = thread->ports[p];
        CHECK(port->binding_count == 0 && port->send_count == 0);
        free(port->bindings);
        port->bindings = NULL;
        port->binding_capacity = 0;
    }
}

void world_open(struct world *world, uint32_t seed)
{
    if (!world->threads[0])
        make_threads(world);
    memset(&world->voices, 0, sizeof *world - offsetof(struct world, voices));
    world->now = 1000.0;
    current = world;
    for (unsigned t = 0; t < THREADS; t++)
        clear_thread(world->threads[t], seed);
    for (unsigned i = 0; i < VOICES; i++)
        world_replace_voice(world, i, 0);
    for (unsigned i = 0; i < EARS; i++)
        world_replace_ear(world, i, i % PORTS, (uint16_t)i, i);
}

void world_close(struct world *world)
{
    world->network = SENDS;
    world_flush(world);
    for (unsigned i = 0; i < VOICES; i++)
        forget_voice(world, world->voices[i]);
    for (unsigned i = 0; i < EARS; i++)
        free(world->ears[i]);
}

/* ---- what holds between steps ---- */

static void check_table(const struct world *world, unsigned port)
{
    size_t bound = 0;
    for (unsigned a = 0; a < ADDRESSES; a++) {
        struct sockaddr_storage name = name_of(world->ports[port], a);
        const struct voice *voice = world->bound[port][a];
        CHECK(port_find(world->ports[port], &name) == (voice ? &voice->source : NULL));
        bound += voice != NULL;
    }
    CHECK(world->ports[port]->binding_count == bound);
}

/* What names a voice, and which SSRCs of it there are in libsrtp. */
static void check_voice(const struct world *world, const struct voice *voice)
{
    unsigned references = 0;
    for (unsigned p = 0; p < PORTS; p++)
        for (unsigned a = 0; a < ADDRESSES; a++)
            references += world->bound[p][a] == voice;
    CHECK(voice->source.references == references);
    CHECK(voice->source.ssrc_count == voice->srtp.stream_count);
    bool current = !voice->source.has_ssrc;
    for (unsigned i = 0; i < voice->source.ssrc_count; i++) {
        unsigned at = 0;
        while (at < MAX_SSRCS && ntohl(voice->srtp.streams[at]) != voice->source.ssrcs[i])
            at++;
        CHECK(at < voice->srtp.stream_count);
        current |= voice->source.ssrcs[i] == voice->source.ssrc;
    }
    CHECK(current);
}

void world_check(struct world *world)
{
    uint64_t waiting = 0, passed = 0;
    for (unsigned t = 0; t < THREADS; t++) {
        const struct thread *thread = world->threads[t];
        CHECK(thread->control_tail == world->read[t]);
        CHECK(thread->control_head - thread->control_tail <= CONTROL_RING);
        CHECK(thread->inbox_head - thread->inbox_tail <= INBOX_RING);
        passed += thread->control_head;
    }
    for (unsigned p = 0; p < PORTS; p++) {
        waiting += world->ports[p]->send_count;
        check_table(world, p);
    }
    for (unsigned i = 0; i < VOICES; i++)
        check_voice(world, world->voices[i]);
    for (unsigned i = 0; i < EARS; i++)
        CHECK(world->ears[i]->sink.packets == world->ears[i]->srtp.protected);
    CHECK(over_threads(world, &world->threads[0]->datagrams) == world->datagrams);
    CHECK(world->datagrams == over_threads(world, &world->threads[0]->rtp_packets) + passed +
                                  drops(world, DROP_OVERSIZED) +
                                  drops(world, DROP_UNKNOWN_PROTOCOL) +
                                  drops(world, DROP_CONTROL_QUEUE_FULL));
    CHECK(over_threads(world, &world->threads[0]->forwarded) == world->sent);
    CHECK(drops(world, DROP_SEND_BUFFER_FULL) == world->full);
    CHECK(drops(world, DROP_SEND_FAILED) == world->refused_by_system);
    CHECK(world->protected == world->sent + world->full + world->refused_by_system + waiting);
}
