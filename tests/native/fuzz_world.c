/* The world of fuzz_world.h: what can be done to a plane. */

#include "fuzz_world.h"

#include "check.h"

#include <arpa/inet.h>
#include <sanitizer/asan_interface.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>

static const unsigned THREAD_OF[PORTS] = {0, 0, 1};
static const sa_family_t FAMILY_OF[PORTS] = {AF_INET, AF_INET6, AF_INET};

struct sockaddr_storage name_of(const struct port *port, unsigned address)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)address)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)address)};
    struct sockaddr_storage name = {0};
    memcpy(&name, port->name_length == sizeof ipv4 ? (void *)&ipv4 : (void *)&ipv6,
           port->name_length);
    return name;
}

/* ---- datagrams ---- */

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
        (struct passed){world->ports[port], address, length, datagram[length - 1], world->now};
}

/* Give a datagram to the plane, in memory that ends where the datagram does. */
static void deliver(struct world *world, unsigned port, unsigned address,
                    const unsigned char *datagram, size_t length)
{
    static _Alignas(64) unsigned char data[SLOT_SIZE];
    struct sockaddr_storage name = name_of(world->ports[port], address);
    size_t taken = length < MAX_DATAGRAM ? length : MAX_DATAGRAM;
    memcpy(data, datagram, taken);
    world->asking_port = port;
    world->asking_address = address;
    ASAN_POISON_MEMORY_REGION(data + taken, sizeof data - taken);
    port_take(world->ports[port], data, length, &name, world->now);
    ASAN_UNPOISON_MEMORY_REGION(data, sizeof data);
    world->datagrams++;
}

/* The level that a voice's energy has grown by, or NO_LEVEL. */
static int level_since(const struct voice *voice, uint64_t energy)
{
    int level = 0;
    if (voice->source.level_energy == energy)
        return NO_LEVEL;
    while (level_power[level] != voice->source.level_energy - energy)
        CHECK(++level < 128);
    return level;
}

void world_take(struct world *world, unsigned port, unsigned address, const unsigned char *datagram,
                size_t length)
{
    struct voice *voice = world->bound[port][address];
    const struct thread *thread = world->threads[THREAD_OF[port]];
    unsigned above = thread->control_head;
    uint64_t rtp = thread->rtp_packets + is_rtp(datagram, length);
    uint64_t packets = voice ? voice->source.packets : 0, before = world_dropped(world);
    uint64_t energy = voice ? voice->source.level_energy : 0;
    uint64_t unheard = world_drops(world, DROP_RTP_NOT_LOUDEST);
    uint64_t stale = world_drops(world, DROP_RTP_STALE), lost = world_drops(world, DROP_INBOX_FULL);
    uint64_t known = world_drops(world, DROP_RTP_REDUNDANT);
    uint64_t recovered = voice ? voice->source.recovered : 0;
    bool has_history = voice && voice->source.history;
    bool answered = world_answers(world, port, address, datagram, length);

    deliver(world, port, address, datagram, length);
    bool passed = thread->control_head != above, took = voice && voice->source.packets != packets;
    bool admitted = took && world_admits(world, voice, level_since(voice, energy));
    enum place place = took ? place_of(voice, admitted) : FOLLOWS;
    bool is_known = world_drops(world, DROP_RTP_REDUNDANT) != known;
    bool is_stale = world_drops(world, DROP_RTP_STALE) != stale;
    if (place != FOLLOWS || world_drops(world, DROP_INBOX_FULL) != lost)
        world_loosen(world, voice);
    /* What was restored comes in the packet's place to some ears, and not at all to others. */
    for (uint64_t n = recovered; took && n <= voice->source.recovered && voice->source.red; n++)
        world_loosen(world, voice);
    world_check_heard(world);
    if (passed)
        expect_above(world, port, address, datagram, length);
    CHECK(thread->rtp_packets == rtp);
    if (took)
        CHECK(is_stale == (place == IS_STALE) || (is_stale && has_history && place == IS_LATE));
    CHECK(!is_known || (took && has_history && place == IS_LATE));
    CHECK(!took || voice->source.red || voice->source.recovered == recovered);
    bool not_loudest = took && !admitted && !voice->source.muted;
    CHECK(world_drops(world, DROP_RTP_NOT_LOUDEST) - unheard == not_loudest);
    /* It is passed up, taken or dropped; of what is taken, some is dropped later. */
    bool both = took && (!admitted || is_stale || is_known);
    CHECK(answered + passed + took + world_dropped(world) - before - both == 1);
    CHECK(!answered || !passed);
    world->answered += answered;
}

void world_take_inbox(struct world *world, unsigned thread, unsigned most)
{
    double arrival = world->now;
    for (unsigned n = 0; n < most && thread_take_inbox(world->threads[thread], &arrival); n++)
        CHECK(arrival <= world->now);
    world_check_heard(world);
}

void world_read_control(struct world *world, unsigned thread, unsigned most)
{
    const struct control_entry *entry;
    while (most-- && (entry = control_peek(world->threads[thread]))) {
        const struct passed *passed = &world->passed[thread][world->read[thread]++ % CONTROL_RING];
        struct sockaddr_storage name = name_of(passed->port, passed->address);
        CHECK(entry->port == passed->port && entry->length == passed->length);
        CHECK(entry->data[entry->length - 1] == passed->last && entry->arrival == passed->arrival);
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
    if (world->voices[voice]->source.home != world->threads[THREAD_OF[port]])
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
    CHECK(sink_attach(&ear->sink, &world->voices[voice]->source, world->now));
    ear->fresh = true;
    ear->loose = 0;
}

void world_enter(struct world *world, unsigned index)
{
    struct voice *voice = world->voices[index];
    if (voice->source.home != world->stage.home)
        return; /* the callers of the plane see to that */
    world_flush(world);
    stage_enter(&voice->source.contender, &world->stage);
    world_unseat(world, voice);
    voice->on_stage = true;
    memset(voice->said, 0, sizeof voice->said);
}

void world_mute(struct world *world, unsigned index, bool muted)
{
    struct voice *voice = world->voices[index];
    source_mute(&voice->source, muted);
    voice->joined &= !muted;
}

void world_leave(struct world *world, unsigned index)
{
    struct voice *voice = world->voices[index];
    if (!voice->on_stage)
        return; /* the callers of the plane see to that */
    world_flush(world);
    stage_leave(&voice->source.contender);
    world_unseat(world, voice);
}

void world_detach(struct world *world, unsigned index)
{
    world_flush(world);
    sink_detach(&world->ears[index]->sink);
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
    world_unseat(world, voice);
    source_forget(&voice->source);
    free(voice);
}

/* Ask for so many packets again, as a NACK does; what of it is there comes as it was. */
void world_retransmit(struct world *world, unsigned index, uint16_t first, unsigned count)
{
    struct ear *ear = world->ears[index];
    uint16_t sequences[MAX_TAKEN];
    unsigned loose = ear->loose;
    count = count < MAX_TAKEN ? count : MAX_TAKEN;
    for (unsigned i = 0; i < count; i++)
        sequences[i] = (uint16_t)(first + i);
    world_flush(world);
    uint64_t before = ear->sink.retransmitted;
    ear->loose += count;
    unsigned there = sink_retransmit(&ear->sink, sequences, count);
    uint64_t sent = ear->sink.retransmitted - before;
    CHECK(there <= count && sent <= there && (sent == there || ear->srtp.refuses));
    CHECK(world->heard_count == sent && (!there || ear->sink.nack));
    world_check_heard(world);
    ear->loose = loose;
}

/* Look what is missing of each voice of a thread that told of a gap. */
void world_look_for_missing(struct world *world, unsigned thread)
{
    uint64_t number;
    while ((number = gap_take(world->threads[thread]))) {
        struct voice *voice = world->voices[(number - 1) % VOICES];
        CHECK(number <= VOICES);
        if (voice->source.home != world->threads[thread] || !voice->source.nack)
            continue; /* it was replaced */
        struct missing missing = source_missing(&voice->source);
        CHECK(missing.count <= MISSING_WINDOW && !voice->source.gap_told);
        for (unsigned i = 1; i < missing.count; i++)
            CHECK((uint16_t)(missing.sequences[i] - missing.sequences[i - 1]) < MISSING_WINDOW);
    }
}

void world_replace_voice(struct world *world, unsigned index, unsigned home, bool red, bool nack)
{
    struct voice *voice = calloc(1, sizeof *voice);
    CHECK(voice);
    voice->source.srtp = &voice->srtp;
    voice->source.home = world->threads[home];
    voice->source.timeline.at = world->now;
    voice->source.red = red;
    voice->source.nack = nack;
    voice->source.number = index + 1;
    if (red || nack)
        CHECK((voice->source.history = history_new()));
    if (world->voices[index])
        forget_voice(world, world->voices[index]);
    world->voices[index] = voice;
}

void world_replace_ear(struct world *world, unsigned index, unsigned port, uint16_t sequence,
                       uint32_t timestamp, bool red, bool nack)
{
    struct ear *ear = calloc(1, sizeof *ear);
    CHECK(ear);
    ear->srtp.observe = world_observe;
    ear->sequence = sequence;
    ear->latest = (1 << 16) + sequence;
    ear->sink = (struct sink){.srtp = &ear->srtp,
                              .port = world->ports[port],
                              .name = name_of(world->ports[port], index),
                              .ssrc = index,
                              .red = red,
                              .nack = nack,
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
    thread->control_head = thread->control_tail = thread->control_told = RINGS_BEGIN;
    thread->inbox_head = thread->inbox_tail = RINGS_BEGIN;
    thread->gap_head = thread->gap_tail = RINGS_BEGIN;
    thread->datagrams = thread->rtp_packets = thread->forwarded = 0;
    thread->answered = thread->answers_blocked = thread->answers_refused = 0;
    for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++)
        thread->drops[reason] = 0;
    for (unsigned p = 0; p < thread->port_count; p++) {
        struct port *port = thread->ports[p];
        CHECK(port->binding_count == 0 && port->send_count == 0);
        port_clear(port);
    }
}

void world_open(struct world *world, uint32_t seed)
{
    if (!world->threads[0])
        make_threads(world);
    memset(&world->voices, 0, sizeof *world - offsetof(struct world, voices));
    world->now = 1000.0;
    world->stage.home = world->threads[0];
    world->stage.seats = SEATS;
    world_current = world;
    for (unsigned t = 0; t < THREADS; t++) {
        clear_thread(world->threads[t], seed);
        world->read[t] = RINGS_BEGIN;
    }
    for (unsigned i = 0; i < VOICES; i++)
        world_replace_voice(world, i, 0, false, false);
    for (unsigned i = 0; i < EARS; i++)
        world_replace_ear(world, i, i % PORTS, (uint16_t)i, i, false, false);
}

void world_close(struct world *world)
{
    world->network = SENDS;
    world_flush(world);
    for (unsigned i = 0; i < VOICES; i++)
        forget_voice(world, world->voices[i]);
    for (unsigned p = 0; p < PORTS; p++)
        for (unsigned a = 0; a < ADDRESSES; a++)
            world_unsettle(world, p, a);
    for (unsigned i = 0; i < EARS; i++)
        free(world->ears[i]);
}
