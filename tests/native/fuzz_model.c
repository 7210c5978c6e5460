/* The model of fuzz_world.h: what a plane must do. */

#include "fuzz_world.h"

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

struct world *world_current;

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

static uint64_t over_threads(const struct world *world, const counter *first)
{
    size_t offset = (size_t)((const char *)first - (const char *)world->threads[0]);
    return *first + *(const counter *)((const char *)world->threads[1] + offset);
}

uint64_t world_drops(const struct world *world, enum drop_reason reason)
{
    return over_threads(world, &world->threads[0]->drops[reason]);
}

uint64_t world_dropped(const struct world *world)
{
    uint64_t sum = 0;
    for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++)
        sum += world_drops(world, reason);
    return sum - world_drops(world, DROP_SEND_BUFFER_FULL) - world_drops(world, DROP_SEND_FAILED) -
           world_drops(world, DROP_INBOX_FULL) - world->refused_by_srtp;
}

/* ---- what stands in for libsrtp and for the system ---- */

/* Two texts under one number are what AES-GCM does not forgive: an ear that may get a packet twice gets the
   same to the last bit, also what the header says. */
static void check_text(struct ear *ear, const unsigned char *packet, size_t length)
{
    int16_t step = (int16_t)(uint16_t)(read16(packet + 2) - (uint16_t)ear->latest);
    int64_t index = ear->latest + step;
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ packet[i]) * 0x100000001B3u;
    if (!ear->sink.nack || ear->srtp.refused)
        return; /* libsrtp refuses to protect again; or a number was left out, and the estimate is off */
    if (step > 0)
        ear->latest = index;
    CHECK(ear->texts[(uint64_t)index % TEXTS].index != index ||
          ear->texts[(uint64_t)index % TEXTS].hash == hash);
    ear->texts[(uint64_t)index % TEXTS].index = index;
    ear->texts[(uint64_t)index % TEXTS].hash = hash;
}

/* A packet for a consumer, before it is protected: its form is checked, its numbers are noted. */
void world_observe(struct srtp_double *srtp, const unsigned char *packet, size_t length)
{
    static const unsigned char block[] = {0xBE, 0xDE, 0, 1, 0x10};
    struct world *world = world_current;
    struct ear *ear = (struct ear *)srtp;
    unsigned type = packet[1] & 0x7F;
    CHECK(length >= 12 && length <= MAX_DATAGRAM);
    CHECK(type == PAYLOAD_TYPE || (type == RED_PAYLOAD_TYPE && ear->sink.red));
    if (packet[0] == 0x90)
        CHECK(length >= 20 && memcmp(packet + 12, block, sizeof block) == 0 && packet[18] == 0 &&
              packet[19] == 0);
    else
        CHECK(packet[0] == 0x80);
    CHECK(ear_of(world, packet) == ear && ear->sink.source);
    check_text(ear, packet, length);
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
    struct world *world = world_current;
    enum network network = world->network;
    bool some = network == SENDS_SOME || network == FILLS_UP;
    unsigned gone = some ? (count + 1) / 2 : network == REFUSES || network == HAS_NO_BUFFERS ? 1 : count;
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
void world_loosen(struct world *world, const struct voice *voice)
{
    for (unsigned i = 0; i < EARS; i++) {
        struct ear *ear = world->ears[i];
        const struct thread *thread = ear->sink.port->thread;
        if (ear->sink.source == &voice->source)
            ear->loose += 1 + thread->inbox_head - thread->inbox_tail;
    }
}

/* How the packet that a voice was just heard with stands to the ones before. */
enum place place_of(struct voice *voice, bool admitted)
{
    uint16_t sequence = read16(voice->srtp.latest + 2);
    uint32_t ssrc = read32(voice->srtp.latest + 8);
    bool first = !voice->joined || ssrc != voice->ssrc;
    voice->ssrc = ssrc;
    voice->joined = admitted;
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

/* ---- the model of a stage: relay/loudest.py ---- */

static int64_t slot_of(const struct world *world) { return (int64_t)(world->now * 1000) / 256; }

static int loudness_of(const struct voice *voice, int64_t slot)
{
    int loudest = 0;
    for (unsigned i = 0; i < 4; i++)
        if (voice->said[i].slot > slot - 3 && voice->said[i].loudness > loudest)
            loudest = voice->said[i].loudness;
    return loudest;
}

static struct voice *quietest_of(const struct world *world, int64_t slot)
{
    struct voice *quietest = world->seated[0];
    for (unsigned i = 1; i < SEATS; i++)
        if (loudness_of(world->seated[i], slot) < loudness_of(quietest, slot))
            quietest = world->seated[i];
    return quietest;
}

void world_unseat(struct world *world, struct voice *voice)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < world->seated_count; i++)
        if (world->seated[i] != voice)
            world->seated[kept++] = world->seated[i];
    world->seated_count = kept;
    voice->seated = false;
    voice->louder = 0;
}

/* Whether a packet that came just now is to be forwarded. */
bool world_admits(struct world *world, struct voice *voice, int level)
{
    if (voice->source.muted)
        world_unseat(world, voice);
    if (voice->source.muted || !voice->on_stage)
        return !voice->source.muted;
    int64_t slot = slot_of(world);
    int loudness = level == NO_LEVEL ? 77 : 127 - level;
    unsigned at = (unsigned)(slot % 4);
    if (voice->said[at].slot != slot || voice->said[at].loudness < loudness) {
        voice->said[at].slot = slot;
        voice->said[at].loudness = loudness;
    }
    if (voice->seated)
        return true;
    if (world->seated_count == SEATS) {
        struct voice *quietest = quietest_of(world, slot);
        int theirs = loudness_of(quietest, slot);
        bool louder = loudness >= 67 && loudness >= theirs + 6;
        voice->louder = louder ? voice->louder + 1 : 0;
        if (!louder || (theirs > 77 && voice->louder < 3))
            return false;
        world_unseat(world, quietest);
    }
    world->seated[world->seated_count++] = voice;
    voice->seated = true;
    voice->louder = 0;
    return true;
}

static void check_stage(const struct world *world)
{
    CHECK(world->stage.count == world->seated_count);
    for (unsigned i = 0; i < world->seated_count; i++)
        CHECK(world->stage.seated[i] == &world->seated[i]->source.contender);
    for (unsigned i = 0; i < VOICES; i++)
        CHECK(world->voices[i]->seated == world->voices[i]->source.contender.seated);
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
void world_check_heard(struct world *world)
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

/* ---- what holds between steps ---- */

static void check_table(const struct world *world, unsigned port)
{
    size_t bound = 0;
    for (unsigned a = 0; a < ADDRESSES; a++) {
        struct sockaddr_storage name = name_of(world->ports[port], a);
        const struct voice *voice = world->bound[port][a];
        CHECK(port_find(world->ports[port], &name) == (voice ? &voice->source : NULL));
        const struct settled *settled = &world->settled[port][a];
        CHECK(!port_responder(world->ports[port], &name) == (!settled->is || settled->quiet));
        bound += voice != NULL || settled->is;
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

/* A Binding success response, a sender report or a receiver report; whose address was settled. */
static bool may_wait(const unsigned char *data)
{
    return (data[0] == 0x01 && data[1] == 0x01) ||
           (data[0] >= 128 && data[0] <= 191 && (data[1] == 200 || data[1] == 201));
}

/* Whoever reads what goes up is woken for all of it in time. */
static void check_waiting(const struct world *world, struct thread *thread)
{
    double wait = control_wait(thread, world->now);
    unsigned untold = thread->control_head - thread->control_told;
    CHECK(untold <= thread->control_head - thread->control_tail);
    CHECK(wait == -1 ? untold == 0 : wait > 0 && wait < CONTROL_WAIT + 1e-9 && untold > 0);
    CHECK(wait == -1 || thread->control_head - thread->control_tail < CONTROL_RING / 2);
    for (unsigned i = thread->control_told; i != thread->control_head; i++) {
        const struct control_entry *entry = &thread->control[i % CONTROL_RING];
        CHECK(may_wait(entry->data) && world->now - entry->arrival < CONTROL_WAIT + 1e-9);
    }
}

void world_check(struct world *world)
{
    uint64_t waiting = 0, passed = 0;
    for (unsigned t = 0; t < THREADS; t++) {
        struct thread *thread = world->threads[t];
        check_waiting(world, thread);
        CHECK(thread->control_tail == world->read[t]);
        CHECK(thread->control_head - thread->control_tail <= CONTROL_RING);
        CHECK(thread->inbox_head - thread->inbox_tail <= INBOX_RING);
        passed += thread->control_head - RINGS_BEGIN;
    }
    for (unsigned p = 0; p < PORTS; p++) {
        waiting += world->ports[p]->send_count;
        check_table(world, p);
    }
    for (unsigned i = 0; i < VOICES; i++)
        check_voice(world, world->voices[i]);
    check_stage(world);
    for (unsigned i = 0; i < EARS; i++)
        CHECK(world->ears[i]->sink.packets == world->ears[i]->srtp.protected);
    CHECK(over_threads(world, &world->threads[0]->datagrams) == world->datagrams);
    CHECK(world->datagrams == over_threads(world, &world->threads[0]->rtp_packets) + passed +
                                  world->answered +
                                  world_drops(world, DROP_OVERSIZED) +
                                  world_drops(world, DROP_UNKNOWN_PROTOCOL) +
                                  world_drops(world, DROP_CONTROL_QUEUE_FULL));
    CHECK(over_threads(world, &world->threads[0]->forwarded) == world->sent);
    CHECK(over_threads(world, &world->threads[0]->answered) == world->answered);
    CHECK(over_threads(world, &world->threads[0]->answers_blocked) == world->answers_blocked);
    CHECK(over_threads(world, &world->threads[0]->answers_refused) == world->answers_refused);
    CHECK(world_drops(world, DROP_SEND_BUFFER_FULL) == world->full);
    CHECK(world_drops(world, DROP_SEND_FAILED) == world->refused_by_system);
    CHECK(world->protected == world->sent + world->full + world->refused_by_system + waiting);
}
