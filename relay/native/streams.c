/* Sources and sinks, as Python edits them and asks for them; relay/source.py and relay/sink.py explain them. */

#include "plane.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POLITE_TRIES = 8 }; /* each as long as a packet of the one or the other takes */

/* Lock the threads of a source and of a sink. While one is waited for, the other is not held: its media would
   wait, too, for as long as a large room takes the first. Two that are always busy could keep us out for ever
   so; in the end one waits for the other. The order keeps two editors from waiting for each other. */
static void lock_both(struct thread *one, struct thread *two)
{
    struct thread *held = one, *other = two;
    thread_lock(held);
    for (unsigned tries = 0; held != other && !thread_try_lock(other); tries++) {
        struct thread *busy = other;
        thread_unlock(held);
        if (tries == POLITE_TRIES) {
            thread_lock(one->index < two->index ? one : two);
            thread_lock(one->index < two->index ? two : one);
            return;
        }
        thread_lock(busy);
        other = held;
        held = busy;
    }
}

static void unlock_both(struct thread *one, struct thread *two)
{
    thread_unlock(one);
    if (one != two)
        thread_unlock(two);
}

/* Whether there is room for one more sink. */
static bool leg_has_room(struct leg *leg)
{
    if (leg->count < leg->capacity)
        return true;
    size_t capacity = leg->capacity ? 2 * leg->capacity : 8;
    struct sink **sinks = realloc(leg->sinks, capacity * sizeof *sinks);
    if (!sinks)
        return false;
    leg->sinks = sinks;
    leg->capacity = capacity;
    return true;
}

bool sink_attach(struct sink *sink, struct source *source, double now)
{
    sink_detach(sink);
    struct thread *own = sink->port->thread;
    struct leg *leg = &source->legs[own->index];
    const struct timeline *timeline = &source->timeline;
    struct history *history = sink->nack && !source->history ? history_new() : NULL;
    lock_both(source->home, own);
    if (history)
        source->history = history;
    bool attached = (!sink->nack || source->history) && leg_has_room(leg);
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
    unlock_both(source->home, own);
    return attached;
}

void sink_detach(struct sink *sink)
{
    struct source *source = sink->source;
    if (!source)
        return;
    struct thread *own = sink->port->thread;
    lock_both(source->home, own);
    struct leg *leg = &source->legs[own->index];
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
    unlock_both(source->home, own);
}

unsigned sink_retransmit(struct sink *sink, const uint16_t *sequences, unsigned count)
{
    struct source *source = sink->source;
    if (!source || !sink->nack)
        return 0;
    struct thread *own = sink->port->thread;
    unsigned there = 0;
    lock_both(source->home, own);
    for (unsigned i = 0; i < count && !sink->fresh; i++)
        there += sink_send_again(sink, sequences[i]);
    if (source->home != own)
        thread_unlock(source->home); /* which need not wait for the system */
    thread_flush(own);
    thread_unlock(own);
    return there;
}

/* Forget a source's packets that wait for a thread; it may just be working on one. */
static void forget_inbox(const struct source *source, struct thread *thread)
{
    if (thread_is_forked(thread))
        return;
    thread_lock(thread);
    pthread_mutex_lock(&thread->inbox_mutex);
    for (unsigned i = thread->inbox_tail; i != thread->inbox_head; i++)
        if (thread->inbox[i % INBOX_RING].source == source)
            thread->inbox[i % INBOX_RING].source = NULL;
    pthread_mutex_unlock(&thread->inbox_mutex);
    thread_unlock(thread);
}

void source_forget(struct source *source)
{
    struct thread *home = source->home;
    thread_lock(home);
    for (unsigned p = 0; p < home->port_count && source->references; p++)
        port_forget(home->ports[p], source);
    if (source->contender.stage)
        stage_leave(&source->contender);
    thread_unlock(home);
    for (unsigned t = 0; t < home->thread_count; t++) {
        forget_inbox(source, home->threads[t]);
        free(source->legs[t].sinks);
    }
    free(source->history);
}

/* ---- what a source has come to ---- */

void source_admit(struct source *source, uint32_t ssrc, const struct srtp_api *srtp)
{
    for (unsigned i = 0; i < source->ssrc_count; i++)
        if (source->ssrcs[i] == ssrc)
            return;
    if (source->ssrc_count == MAX_SSRCS) {
        unsigned oldest = source->ssrcs[0] == source->ssrc ? 1 : 0; /* never the one in use */
        srtp->remove_stream(source->srtp, htonl(source->ssrcs[oldest]));
        size_t newer = MAX_SSRCS - 1 - oldest;
        memmove(source->ssrcs + oldest, source->ssrcs + oldest + 1, newer * sizeof *source->ssrcs);
        memmove(source->left + oldest, source->left + oldest + 1, newer * sizeof *source->left);
        source->ssrc_count--;
    }
    source->left[source->ssrc_count] = -INFINITY;
    source->ssrcs[source->ssrc_count++] = ssrc;
}

void source_mute(struct source *source, bool muted)
{
    /* At once, not at the next packet: all that is sent meanwhile may be lost, and come later. */
    source->muted = muted;
    source->timeline.joined &= !muted;
}

bool source_is_late(const struct source *source, uint32_t ssrc, double now)
{
    for (unsigned i = 0; i < source->ssrc_count; i++)
        if (source->ssrcs[i] == ssrc)
            return now - source->left[i] < LATE_AFTER_RESTART;
    return false;
}

void source_begin(struct source *source, uint32_t ssrc, uint16_t sequence, uint32_t timestamp,
                  double now)
{
    source->lost_before += reception_lost(&source->reception);
    source->reception =
        (struct reception){.base = sequence, .highest = sequence, .gaps = source->reception.gaps};
    timeline_restart(&source->timeline, timestamp, now);
    for (unsigned i = 0; i < source->ssrc_count; i++)
        if (source->has_ssrc && source->ssrcs[i] == source->ssrc)
            source->left[i] = now;
    source->ssrc = ssrc;
    source->has_ssrc = true;
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

struct missing source_missing(struct source *source)
{
    const struct timeline *timeline = &source->timeline;
    thread_lock(source->home);
    struct missing missing = {.has_ssrc = source->has_ssrc, .ssrc = source->ssrc};
    source->gap_told = false;
    int64_t sequence = timeline->highest - MISSING_WINDOW;
    if (sequence < timeline->floor)
        sequence = timeline->floor;
    for (; source->history && timeline->joined && sequence < timeline->highest; sequence++)
        if (!history_holds(source->history, sequence))
            missing.sequences[missing.count++] = (uint16_t)(sequence - timeline->sequence_offset);
    thread_unlock(source->home);
    return missing;
}
