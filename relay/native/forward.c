/* The way of a packet; relay/forward.py is the reference. */

#include "fetch.h"
#include "plane.h"

#include <string.h>
#include <sys/eventfd.h>

enum { AUTHENTICATION_FAILED = 7, REPLAYED = 9, REPLAYED_OLD = 10 }; /* srtp_err_status_t */

/* ---- on its way to the sinks ---- */

static void tell_gap(struct thread *thread, struct source *source)
{
    unsigned head = atomic_load_explicit(&thread->gap_head, memory_order_relaxed);
    if (source->gap_told ||
        head - atomic_load_explicit(&thread->gap_tail, memory_order_acquire) >= GAP_RING)
        return;
    source->gap_told = true;
    thread->gaps[head % GAP_RING] = source->number;
    atomic_store_explicit(&thread->gap_head, head + 1, memory_order_release);
    eventfd_write(thread->upcall, 1);
}

/* Hand a plain packet to another thread, for so many sinks there. */
static void post(struct thread *thread, struct thread *other, struct source *source,
                 const struct packet *packet, unsigned sinks)
{
    pthread_mutex_lock(&other->inbox_mutex);
    bool room = other->inbox_head - other->inbox_tail < INBOX_RING;
    if (room) {
        struct inbox_entry *entry = &other->inbox[other->inbox_head % INBOX_RING];
        entry->source = source;
        entry->packet = *packet;
        memcpy(entry->data, packet->data, packet->length);
        other->inbox_head++;
    }
    pthread_mutex_unlock(&other->inbox_mutex);
    if (room)
        eventfd_write(other->wake, 1);
    else
        count(&thread->drops[DROP_INBOX_FULL], sinks); /* copies that nobody gets */
}

bool thread_take_inbox(struct thread *thread, double *arrival)
{
    struct inbox_entry entry;
    pthread_mutex_lock(&thread->inbox_mutex);
    bool some = thread->inbox_tail != thread->inbox_head;
    if (some)
        entry = thread->inbox[thread->inbox_tail++ % INBOX_RING];
    pthread_mutex_unlock(&thread->inbox_mutex);
    if (some && entry.source) {
        entry.packet.data = entry.data;
        leg_fan_out(thread, &entry.source->legs[thread->index], &entry.packet);
    }
    if (some)
        *arrival = entry.packet.arrival;
    return some;
}

/* Give a packet of the timeline, whose latest was `before` until then, to all sinks; or tell why not. */
static enum drop_reason put_out(struct thread *thread, struct source *source,
                                const struct packet *packet, int64_t before)
{
    if (source->history) {
        if (history_holds(source->history, packet->sequence))
            return DROP_RTP_REDUNDANT;
        if (packet->sequence <= source->timeline.highest - HISTORY_PACKETS)
            return DROP_RTP_STALE;
        history_keep(source->history, packet);
        if (source->nack && packet->sequence > before + 1)
            tell_gap(thread, source);
    }
    for (unsigned t = 0; t < thread->thread_count; t++) {
        struct leg *leg = &source->legs[t];
        unsigned sinks = atomic_load_explicit(&leg->size, memory_order_relaxed);
        if (sinks && t == thread->index)
            leg_fan_out(thread, leg, packet);
        else if (sinks)
            post(thread, thread->threads[t], source, packet, sinks);
    }
    return NOT_DROPPED;
}

/* Put out those packets before a RED packet that never came, from what it holds of them. */
static void recover(struct thread *thread, struct source *source, const unsigned char *data,
                    const struct red *red, double arrival)
{
    struct timeline *timeline = &source->timeline;
    unsigned char buffer[SLOT_SIZE];
    for (unsigned i = 0; i < red->count; i++) {
        const struct red_block *block = &red->blocks[i];
        uint16_t sequence = (uint16_t)(read16(data + 2) - (red->count - i));
        int64_t before = timeline->highest, place = extend(timeline->source_highest, sequence) +
                                                    timeline->sequence_offset;
        if (!block->length || place < timeline->floor || place <= before - HISTORY_PACKETS ||
            place >= before + HISTORY_PACKETS /* a jump, no loss */ ||
            history_holds(source->history, place))
            continue;
        struct packet packet = {.restored = true, .arrival = arrival};
        red_restore(data, block, &packet, buffer);
        timeline_map(timeline, sequence, read32(data + 4) - block->timestamp_offset, &packet);
        source->recovered++;
        count(&thread->recovered, 1);
        put_out(thread, source, &packet, before);
    }
}

/* Add up what a packet says of its level; 0 to 127 in -dBov. */
static int note_level(struct source *source, unsigned char said)
{
    int level = said & 0x7F;
    uint64_t levels = atomic_load_explicit(&source->level_count, memory_order_relaxed);
    count(&source->level_energy, level_power[level]);
    atomic_store_explicit(&source->level_count, levels + 1, memory_order_release); /* the energy first */
    return level;
}

/* ---- from a datagram to a packet ---- */

struct incoming { /* a packet of a source, as far as it is known */
    unsigned char *data;
    size_t length, header;
    double arrival;
    uint32_t timestamp, ssrc;
    uint16_t sequence;
    bool is_red;
    struct red red; /* when it is */
};

/* Take the protection off. */
static enum drop_reason unprotect(struct thread *thread, struct source *source, struct incoming *in)
{
    int length = (int)in->length;
    if (in->length < FIXED_HEADER)
        return DROP_RTP_MALFORMED;
    fetch_ahead(&source->legs[thread->index], 0);
    int status = thread->srtp->unprotect(source->srtp, in->data, &length);
    if (status == AUTHENTICATION_FAILED)
        return DROP_SRTP_UNAUTHENTICATED;
    if (status == REPLAYED || status == REPLAYED_OLD)
        return DROP_SRTP_REPLAYED;
    in->length = (size_t)length;
    return status ? DROP_SRTP_FAILED : NOT_DROPPED;
}

/* Read the header once, and bring the packet into the form that consumers get. */
static enum drop_reason cut(struct thread *thread, struct source *source, struct incoming *in)
{
    unsigned char *data = in->data, type = data[1] & 0x7F;
    in->sequence = read16(data + 2);
    in->timestamp = read32(data + 4);
    in->ssrc = read32(data + 8);
    bool other_ssrc = !source->has_ssrc || in->ssrc != source->ssrc;
    if (other_ssrc)
        source_admit(source, in->ssrc, thread->srtp);
    in->is_red = type == RED_PAYLOAD_TYPE && source->red;
    if (type != PAYLOAD_TYPE && !in->is_red)
        return DROP_RTP_UNKNOWN_PAYLOAD_TYPE;
    in->header = rtp_make_plain(data, &in->length);
    if (!in->header)
        return DROP_RTP_MALFORMED;
    if (in->is_red && !red_parse(data, in->header, in->length, &in->red))
        return DROP_RED_MALFORMED;
    if (other_ssrc && source_is_late(source, in->ssrc, in->arrival))
        return DROP_RTP_STALE;
    if (other_ssrc)
        source_begin(source, in->ssrc, in->sequence, in->timestamp, in->arrival);
    return NOT_DROPPED;
}

/* Count it; whether anybody may hear it now. */
static enum drop_reason admit(struct source *source, const struct incoming *in)
{
    reception_take(&source->reception, in->sequence, in->timestamp, in->arrival);
    source->packets++;
    source->payload_bytes += in->length - in->header;
    if (source->muted) {
        if (source->contender.stage)
            stage_leave(&source->contender);
        return DROP_RTP_MUTED;
    }
    int level = in->header > FIXED_HEADER ? note_level(source, in->data[17]) : NO_LEVEL;
    if (source->contender.stage && !stage_admits(&source->contender, level, in->arrival)) {
        source->timeline.joined = false;
        return DROP_RTP_NOT_LOUDEST;
    }
    return NOT_DROPPED;
}

/* Put it on the source's timeline, and out. */
static enum drop_reason place(struct thread *thread, struct source *source, const struct incoming *in)
{
    struct timeline *timeline = &source->timeline;
    unsigned char marker = in->data[1] & 0x80;
    if (!timeline->joined) {
        timeline_join(timeline, in->sequence);
        marker = 0x80;
    }
    if (in->is_red)
        recover(thread, source, in->data, &in->red, in->arrival);
    int64_t before = timeline->highest;
    struct packet packet = {.data = in->data,
                            .length = in->length,
                            .payload = in->length - in->header,
                            .arrival = in->arrival};
    if (!timeline_map(timeline, in->sequence, in->timestamp, &packet))
        return DROP_RTP_STALE;
    in->data[1] = (in->is_red ? RED_PAYLOAD_TYPE : PAYLOAD_TYPE) | marker;
    /* Listeners would hear what came before a pause, such as a mute, from the redundancy behind it. */
    int64_t since = packet.sequence - timeline->floor; /* packets of this piece that were before it */
    if (in->is_red && in->red.count > since)
        red_trim(&packet, &in->red, in->red.count - (unsigned)since);
    return put_out(thread, source, &packet, before);
}

static enum drop_reason forward(struct thread *thread, struct source *source, unsigned char *data,
                                size_t length, double arrival)
{
    struct incoming in;
    in.data = data;
    in.length = length;
    in.arrival = arrival;
    enum drop_reason reason = unprotect(thread, source, &in);
    if (reason == NOT_DROPPED)
        reason = cut(thread, source, &in);
    if (reason == NOT_DROPPED)
        reason = admit(source, &in);
    return reason == NOT_DROPPED ? place(thread, source, &in) : reason;
}

void port_take(struct port *port, unsigned char *data, size_t length,
               const struct sockaddr_storage *name, double arrival)
{
    struct thread *thread = port->thread;
    enum drop_reason reason;
    if (length > MAX_DATAGRAM) {
        reason = DROP_OVERSIZED;
    } else if (length < 2) {
        reason = DROP_UNKNOWN_PROTOCOL;
    } else if ((data[0] & 0xC0) != 0x80 || (data[1] & 0xE0) == 0xC0) {
        reason = control_take(port, data, length, name, arrival);
    } else {
        count(&thread->rtp_packets, 1);
        struct source *source = port_find(port, name);
        reason = source ? forward(thread, source, data, length, arrival) : DROP_RTP_UNKNOWN_ADDRESS;
        if (reason == NOT_DROPPED)
            count(&thread->accepted, 1);
    }
    count(&thread->datagrams, 1);
    if (reason != NOT_DROPPED)
        count(&thread->drops[reason], 1);
}
