/* Tables and the way of a packet; relay/forward.py is the reference. */

#include "plane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

enum { AUTHENTICATION_FAILED = 7, REPLAYED = 9, REPLAYED_OLD = 10 }; /* srtp_err_status_t */

static void count(counter *value, uint64_t more)
{
    atomic_fetch_add_explicit(value, more, memory_order_relaxed);
}

static uint32_t read32(const unsigned char *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static void write32(unsigned char *data, uint32_t value)
{
    data[0] = (unsigned char)(value >> 24);
    data[1] = (unsigned char)(value >> 16);
    data[2] = (unsigned char)(value >> 8);
    data[3] = (unsigned char)value;
}

/* ---- sources and sinks ---- */

/* Lock the threads of a source and of a sink, in the order of their indices. */
static void lock_both(struct thread **threads, unsigned a, unsigned b)
{
    thread_lock(threads[a < b ? a : b]);
    if (a != b)
        thread_lock(threads[a < b ? b : a]);
}

static void unlock_both(struct thread **threads, unsigned a, unsigned b)
{
    thread_unlock(threads[a]);
    if (a != b)
        thread_unlock(threads[b]);
}

static uint32_t ticks(double seconds) { return (uint32_t)(int64_t)(seconds * CLOCK_RATE); }

bool sink_attach(struct sink *sink, struct source *source, double now, struct thread **threads)
{
    sink_detach(sink, threads);
    unsigned own = sink->port->thread->index;
    struct leg *leg = &source->legs[own];
    const struct timeline *timeline = &source->timeline;
    struct history *history = sink->nack && !source->history ? history_new() : NULL;
    bool attached = !sink->nack || source->history || history;
    lock_both(threads, source->home, own);
    if (history)
        source->history = history;
    if (attached && leg->count == leg->capacity) {
        size_t capacity = leg->capacity ? 2 * leg->capacity : 8;
        struct sink **sinks = realloc(leg->sinks, capacity * sizeof *sinks);
        attached = sinks != NULL;
        if (attached) {
            leg->sinks = sinks;
            leg->capacity = capacity;
        }
    }
    if (attached) {
        sink->source = source;
        sink->edge = sink->reached = sink->first = timeline->highest;
        sink->sequence_offset = sink->sequence - timeline->highest;
        sink->timestamp_offset = sink->timestamp + (sink->begun ? ticks(now - sink->at) : 0) -
                                 timeline->timestamp - ticks(now - timeline->at);
        sink->fresh = true;
        sink->position = leg->count;
        leg->sinks[leg->count++] = sink;
        atomic_store(&leg->size, (unsigned)leg->count);
    }
    unlock_both(threads, source->home, own);
    return attached;
}

void sink_detach(struct sink *sink, struct thread **threads)
{
    struct source *source = sink->source;
    if (!source)
        return;
    unsigned own = sink->port->thread->index;
    lock_both(threads, source->home, own);
    struct leg *leg = &source->legs[own];
    struct sink *last = leg->sinks[--leg->count];
    leg->sinks[sink->position] = last;
    last->position = sink->position;
    atomic_store(&leg->size, (unsigned)leg->count);
    if (!sink->fresh) {
        /* Not the timeline's latest: that may still be in the inbox of our thread. */
        sink->sequence = sink->reached + sink->sequence_offset;
        sink->timestamp = sink->sent_timestamp;
        sink->at = sink->sent_at;
        sink->begun = true;
    }
    sink->source = NULL;
    unlock_both(threads, source->home, own);
}

/* Forget a source's packets that wait for a thread; it may just be working on one. */
static void forget_inbox(const struct source *source, struct thread *thread)
{
    thread_lock(thread);
    pthread_mutex_lock(&thread->inbox_mutex);
    for (unsigned i = thread->inbox_tail; i != thread->inbox_head; i++)
        if (thread->inbox[i % INBOX_RING].source == source)
            thread->inbox[i % INBOX_RING].source = NULL;
    pthread_mutex_unlock(&thread->inbox_mutex);
    thread_unlock(thread);
}

void source_forget(struct source *source, struct thread **threads, unsigned thread_count)
{
    struct thread *home = threads[source->home];
    thread_lock(home);
    for (unsigned p = 0; p < home->port_count && source->references; p++)
        port_forget(home->ports[p], source);
    if (source->contender.stage)
        stage_leave(&source->contender);
    thread_unlock(home);
    for (unsigned t = 0; t < thread_count; t++) {
        forget_inbox(source, threads[t]);
        free(source->legs[t].sinks);
    }
    free(source->history);
}

/* ---- the source's side: statistics and timeline ---- */

static int64_t extend(int64_t highest, uint16_t sequence)
{
    return highest + (int16_t)(uint16_t)(sequence - (uint16_t)highest);
}

static uint64_t reception_lost(const struct reception *reception)
{
    if (!reception->received)
        return 0;
    uint64_t expected = (uint64_t)(reception->highest - reception->base + 1);
    return expected > reception->received ? expected - reception->received : 0;
}

static void receive(struct reception *reception, uint16_t sequence, uint32_t timestamp, double arrival)
{
    int64_t extended = extend(reception->highest, sequence);
    reception->gaps += extended > reception->highest + GAP_PACKETS;
    if (extended > reception->highest)
        reception->highest = extended;
    else if (extended < reception->base)
        reception->base = extended;
    reception->received++;
    double transit = arrival * CLOCK_RATE - timestamp;
    if (reception->has_transit) {
        double moved = transit - reception->transit, turns = moved / 4294967296.0;
        moved -= (double)(int64_t)(turns + (turns < 0 ? -0.5 : 0.5)) * 4294967296.0;
        reception->jitter += ((moved < 0 ? -moved : moved) - reception->jitter) / 16.0;
    }
    reception->transit = transit;
    reception->has_transit = true;
}

static void admit(struct source *source, uint32_t ssrc, const struct srtp_api *srtp)
{
    for (unsigned i = 0; i < source->ssrc_count; i++)
        if (source->ssrcs[i] == ssrc)
            return;
    if (source->ssrc_count == MAX_SSRCS) {
        unsigned oldest = source->ssrcs[0] == source->ssrc ? 1 : 0; /* never the one in use */
        srtp->remove_stream(source->srtp, htonl(source->ssrcs[oldest]));
        memmove(source->ssrcs + oldest, source->ssrcs + oldest + 1,
                (MAX_SSRCS - 1 - oldest) * sizeof *source->ssrcs);
        source->ssrc_count--;
    }
    source->ssrcs[source->ssrc_count++] = ssrc;
}

static void restart(struct timeline *timeline, uint32_t timestamp, double now)
{
    double step = (now - timeline->at) * CLOCK_RATE; /* it may be more than 32 bits hold */
    timeline->joined = false;
    timeline->timestamp_offset =
        timeline->timestamp - timestamp + (step < FRAME_TICKS ? FRAME_TICKS : ticks(now - timeline->at));
}

static void begin(struct source *source, uint32_t ssrc, uint16_t sequence, uint32_t timestamp,
                  double now)
{
    source->lost_before += reception_lost(&source->reception);
    source->reception =
        (struct reception){.base = sequence, .highest = sequence, .gaps = source->reception.gaps};
    restart(&source->timeline, timestamp, now);
    source->left = source->ssrc;
    source->has_left = source->has_ssrc;
    source->began = now;
    source->ssrc = ssrc;
    source->has_ssrc = true;
}

static void join(struct timeline *timeline, uint16_t sequence)
{
    timeline->joined = true;
    timeline->source_highest = sequence;
    timeline->floor = timeline->highest + 1;
    timeline->sequence_offset = timeline->floor - sequence;
}

static bool map(struct timeline *timeline, uint16_t sequence, uint32_t timestamp, struct packet *packet)
{
    int64_t source = extend(timeline->source_highest, sequence);
    int64_t mapped = source + timeline->sequence_offset;
    if (mapped < timeline->floor)
        return false;
    packet->sequence = mapped;
    packet->timestamp = timestamp + timeline->timestamp_offset;
    if (mapped > timeline->highest) {
        timeline->source_highest = source;
        timeline->highest = mapped;
        timeline->timestamp = packet->timestamp;
        timeline->at = packet->arrival;
    }
    return true;
}

/* ---- the way of a packet ---- */

static void flush(struct thread *thread, struct port *port)
{
    unsigned start = 0, total = port->send_count, full = 0, refused = 0;
    port->send_count = 0;
    for (unsigned interrupted = 0; start < total;) {
        int sent = sendmmsg(port->descriptor, port->sent + start, total - start, MSG_DONTWAIT);
        if (sent > 0) {
            start += (unsigned)sent;
            continue;
        }
        int error = errno;
        if (error == EINTR && ++interrupted < FAILURES_BEFORE_PAUSE)
            continue;
        /* Our own buffer has no room for anybody; a queue on the way to one, or a refusal, is of that one. */
        unsigned lost = error == EAGAIN ? total - start : 1;
        *(error == EAGAIN || error == ENOBUFS ? &full : &refused) += lost;
        count(&thread->send_errors[error < ERROR_COUNT ? error : 0], lost);
        start += lost;
    }
    if (full)
        count(&thread->drops[DROP_SEND_BUFFER_FULL], full);
    if (refused)
        count(&thread->drops[DROP_SEND_FAILED], refused);
    count(&thread->forwarded, total - full - refused);
}

void thread_flush(struct thread *thread)
{
    for (unsigned i = 0; i < thread->port_count; i++)
        if (thread->ports[i]->send_count)
            flush(thread, thread->ports[i]);
}

/* The first packet of a source is sent: its timestamp, at least one frame after the last. */
static uint32_t begin_sink(struct sink *sink, uint32_t timestamp)
{
    int64_t behind = FRAME_TICKS - (int64_t)(int32_t)(timestamp - sink->timestamp);
    sink->fresh = false;
    if (!sink->begun || behind <= 0)
        return timestamp;
    sink->timestamp_offset += (uint32_t)behind;
    return timestamp + (uint32_t)behind;
}

/* Copy a plain packet to a sink, under the sink's own numbers; whether it could be protected. Whoever sends
   a packet once more must come to the same bytes here: SRTP's safety rests on that (relay/history.py). */
static bool send_to(struct thread *thread, struct sink *sink, const struct packet *packet)
{
    struct port *port = sink->port;
    if (port->send_count == SEND_BATCH)
        flush(thread, port);
    unsigned slot = port->send_count;
    unsigned char *out = port->out[slot];
    if (packet->sequence - sink->reached > INT16_MAX) {
        /* libsrtp tells turns from 16 bits: a longer step would lead back to numbers that were used. */
        sink->sequence_offset -= packet->sequence - sink->reached - 1;
        sink->edge = sink->reached = packet->sequence - 1;
    }
    memcpy(out, packet->data, packet->length);
    uint16_t sequence = (uint16_t)(packet->sequence + sink->sequence_offset);
    uint32_t timestamp = packet->timestamp + sink->timestamp_offset;
    if (sink->fresh) {
        timestamp = begin_sink(sink, timestamp);
        sink->first = packet->sequence;
    }
    if (packet->sequence == sink->first)
        out[1] |= 0x80;
    out[2] = (unsigned char)(sequence >> 8);
    out[3] = (unsigned char)sequence;
    write32(out + 4, timestamp);
    write32(out + 8, sink->ssrc);
    int length = (int)packet->length;
    if (thread->srtp->protect(sink->srtp, out, &length)) {
        count(&thread->drops[DROP_PROTECT_FAILED], 1);
        return false;
    }
    port->sent_iov[slot].iov_len = (size_t)length;
    port->sent[slot].msg_hdr.msg_name = &sink->name;
    port->send_count = slot + 1;
    sink->packets++;
    sink->payload_bytes += packet->payload;
    if (packet->sequence > sink->reached) {
        sink->reached = packet->sequence;
        sink->sent_timestamp = timestamp;
        sink->sent_at = packet->arrival;
    }
    return true;
}

static bool is_red(const struct packet *packet)
{
    return (packet->data[1] & 0x7F) == RED_PAYLOAD_TYPE;
}

/* Copy a plain packet to every sink of a leg. */
static void fan_out(struct thread *thread, struct leg *leg, const struct packet *packet)
{
    unsigned char buffer[SLOT_SIZE];
    struct packet unwrapped;
    const struct packet *opus = packet;
    if (is_red(packet)) {
        red_unwrap(packet, &unwrapped, buffer);
        opus = &unwrapped;
    }
    for (size_t i = 0; i < leg->count; i++) {
        struct sink *sink = leg->sinks[i];
        if (packet->sequence <= sink->edge || (packet->restored && sink->red))
            continue; /* from before this sink began, or in the packet behind it */
        send_to(thread, sink, sink->red ? packet : opus);
    }
}

static bool send_again(struct sink *sink, uint16_t number)
{
    struct thread *thread = sink->port->thread;
    unsigned char buffer[MAX_KEPT_LENGTH];
    struct packet packet, unwrapped;
    int64_t sequence = extend(sink->reached + sink->sequence_offset, number) - sink->sequence_offset;
    if (sequence <= sink->edge || sequence > sink->reached ||
        !history_find(sink->source->history, sequence, &packet))
        return false;
    bool unwraps = is_red(&packet) && !sink->red;
    if (unwraps)
        red_unwrap(&packet, &unwrapped, buffer);
    if (send_to(thread, sink, unwraps ? &unwrapped : &packet)) {
        sink->retransmitted++;
        count(&thread->retransmitted, 1);
    }
    return true;
}

unsigned sink_retransmit(struct sink *sink, const uint16_t *sequences, unsigned count,
                         struct thread **threads)
{
    struct source *source = sink->source;
    if (!source || !sink->nack)
        return 0;
    unsigned own = sink->port->thread->index, there = 0;
    lock_both(threads, source->home, own);
    for (unsigned i = 0; i < count && !sink->fresh; i++)
        there += send_again(sink, sequences[i]);
    if (source->home != own)
        thread_unlock(threads[source->home]); /* which need not wait for the system */
    thread_flush(threads[own]);
    thread_unlock(threads[own]);
    return there;
}

/* ---- gaps, for whoever asks the publisher for what is missing ---- */

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

uint64_t gap_take(struct thread *thread)
{
    unsigned tail = atomic_load_explicit(&thread->gap_tail, memory_order_relaxed);
    if (tail == atomic_load_explicit(&thread->gap_head, memory_order_acquire))
        return 0;
    uint64_t number = thread->gaps[tail % GAP_RING];
    atomic_store_explicit(&thread->gap_tail, tail + 1, memory_order_release);
    return number;
}

struct missing source_missing(struct source *source, struct thread **threads)
{
    const struct timeline *timeline = &source->timeline;
    thread_lock(threads[source->home]);
    struct missing missing = {.has_ssrc = source->has_ssrc, .ssrc = source->ssrc};
    source->gap_told = false;
    int64_t sequence = timeline->highest - MISSING_WINDOW;
    if (sequence < timeline->floor)
        sequence = timeline->floor;
    for (; source->history && timeline->joined && sequence < timeline->highest; sequence++)
        if (!history_holds(source->history, sequence))
            missing.sequences[missing.count++] = (uint16_t)(sequence - timeline->sequence_offset);
    thread_unlock(threads[source->home]);
    return missing;
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
        fan_out(thread, &entry.source->legs[thread->index], &entry.packet);
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
        if (t == thread->index)
            fan_out(thread, leg, packet);
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
        uint16_t sequence = (uint16_t)((data[2] << 8 | data[3]) - (int)(red->count - i));
        int64_t before = timeline->highest, place = extend(timeline->source_highest, sequence) +
                                                    timeline->sequence_offset;
        if (!block->length || place < timeline->floor || place <= before - HISTORY_PACKETS ||
            place >= before + HISTORY_PACKETS /* a jump, no loss */ ||
            history_holds(source->history, place))
            continue;
        struct packet packet = {.restored = true, .arrival = arrival};
        red_restore(data, block, &packet, buffer);
        map(timeline, sequence, read32(data + 4) - block->timestamp_offset, &packet);
        source->recovered++;
        count(&thread->recovered, 1);
        put_out(thread, source, &packet, before);
    }
}

/* Add up what a packet says of its level; 0 to 127 in -dBov. */
static int note_level(struct source *source, unsigned char said)
{
    int level = said & 0x7F;
    uint64_t energy = atomic_load_explicit(&source->level_energy, memory_order_relaxed);
    uint64_t levels = atomic_load_explicit(&source->level_count, memory_order_relaxed);
    atomic_store_explicit(&source->level_energy, energy + level_power[level], memory_order_relaxed);
    atomic_store_explicit(&source->level_count, levels + 1, memory_order_release);
    source->voice_count += said >> 7;
    return level;
}

static enum drop_reason forward(struct thread *thread, struct source *source, unsigned char *data,
                                size_t length, double arrival)
{
    if (length < FIXED_HEADER)
        return DROP_RTP_MALFORMED;
    int plain_length = (int)length;
    int status = thread->srtp->unprotect(source->srtp, data, &plain_length);
    if (status == AUTHENTICATION_FAILED)
        return DROP_SRTP_UNAUTHENTICATED;
    if (status == REPLAYED || status == REPLAYED_OLD)
        return DROP_SRTP_REPLAYED;
    if (status)
        return DROP_SRTP_FAILED;
    length = (size_t)plain_length;
    uint16_t sequence = (uint16_t)(data[2] << 8 | data[3]);
    uint32_t timestamp = read32(data + 4), ssrc = read32(data + 8);
    bool other_ssrc = !source->has_ssrc || ssrc != source->ssrc;
    if (other_ssrc)
        admit(source, ssrc, thread->srtp);
    unsigned char type = data[1] & 0x7F;
    bool is_red = type == RED_PAYLOAD_TYPE && source->red;
    if (type != PAYLOAD_TYPE && !is_red)
        return DROP_RTP_UNKNOWN_PAYLOAD_TYPE;
    size_t header = rtp_make_plain(data, &length);
    if (!header)
        return DROP_RTP_MALFORMED;
    struct red red;
    if (is_red && !red_parse(data, header, length, &red))
        return DROP_RED_MALFORMED;
    if (other_ssrc && source->has_left && ssrc == source->left &&
        arrival - source->began < LATE_AFTER_RESTART)
        return DROP_RTP_STALE;
    if (other_ssrc)
        begin(source, ssrc, sequence, timestamp, arrival);
    receive(&source->reception, sequence, timestamp, arrival);
    source->packets++;
    source->payload_bytes += length - header;
    if (atomic_load_explicit(&source->muted, memory_order_relaxed)) {
        source->timeline.joined = false;
        if (source->contender.stage)
            stage_leave(&source->contender);
        return DROP_RTP_MUTED;
    }
    int level = header > FIXED_HEADER ? note_level(source, data[17]) : NO_LEVEL;
    if (source->contender.stage && !stage_admits(&source->contender, level, arrival)) {
        source->timeline.joined = false;
        return DROP_RTP_NOT_LOUDEST;
    }
    unsigned char marker = data[1] & 0x80;
    if (!source->timeline.joined) {
        join(&source->timeline, sequence);
        marker = 0x80;
    }
    if (is_red)
        recover(thread, source, data, &red, arrival);
    int64_t before = source->timeline.highest;
    struct packet packet = {
        .data = data, .length = length, .payload = length - header, .arrival = arrival};
    if (!map(&source->timeline, sequence, timestamp, &packet))
        return DROP_RTP_STALE;
    data[1] = type | marker;
    /* Listeners would hear what came before a pause, such as a mute, from the redundancy behind it. */
    if (is_red && packet.sequence - red.count < source->timeline.floor)
        red_strip(&packet, red.primary);
    return put_out(thread, source, &packet, before);
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
