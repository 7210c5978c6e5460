/* From a plain packet to the sinks of a source; relay/fan.py is the reference. */

#include "fetch.h"
#include "plane.h"

#include <errno.h>
#include <string.h>

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
        count_error(thread->send_errors, error, lost);
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
    write16(out + 2, sequence);
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

void leg_fan_out(struct thread *thread, struct leg *leg, const struct packet *packet)
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
        fetch_ahead(leg, i + 1);
        if (packet->sequence <= sink->edge || (packet->restored && sink->red))
            continue; /* from before this sink began, or in the packet behind it */
        send_to(thread, sink, sink->red ? packet : opus);
    }
}

bool sink_send_again(struct sink *sink, uint16_t number)
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
