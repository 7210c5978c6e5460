/* Arithmetic on sequence numbers and timestamps; relay/sequence.py explains it. Inline, as every packet needs
   it. */

#ifndef RTP_RELAY_SEQUENCE_H
#define RTP_RELAY_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CLOCK_RATE = 48000,
    FRAME_TICKS = 960, /* 20 ms of Opus: the least step over a restart */
    GAP_PACKETS = 5,   /* that never came, one after the other: 100 ms */
};

struct timeline { /* relay/sequence.py: Timeline */
    bool joined;
    int64_t highest, floor, source_highest, sequence_offset;
    uint32_t timestamp, timestamp_offset;
    double at;
};

struct reception { /* relay/sequence.py: Reception */
    int64_t base, highest;
    uint64_t received, gaps;
    double jitter, transit;
    bool has_transit;
};

struct packet { /* a plain packet of a timeline */
    unsigned char *data;
    size_t length, payload;
    int64_t sequence;
    uint32_t timestamp;
    bool restored; /* from the redundancy of a later one: sinks that take RED have it from there */
    double arrival;
};

static inline uint32_t ticks(double seconds) { return (uint32_t)(int64_t)(seconds * CLOCK_RATE); }

static inline int64_t extend(int64_t highest, uint16_t sequence)
{
    return highest + (int16_t)(uint16_t)(sequence - (uint16_t)highest);
}

static inline uint64_t reception_expected(const struct reception *reception)
{
    return reception->received ? (uint64_t)(reception->highest - reception->base + 1) : 0;
}

static inline uint64_t reception_lost(const struct reception *reception)
{
    uint64_t expected = reception_expected(reception);
    return expected > reception->received ? expected - reception->received : 0;
}

static inline void reception_take(struct reception *reception, uint16_t sequence, uint32_t timestamp,
                                  double arrival)
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

static inline void timeline_restart(struct timeline *timeline, uint32_t timestamp, double now)
{
    double passed = now - timeline->at; /* maybe more than 32 bits of ticks */
    uint32_t step = passed * CLOCK_RATE < FRAME_TICKS ? FRAME_TICKS : ticks(passed);
    timeline->joined = false;
    timeline->timestamp_offset = timeline->timestamp + step - timestamp;
}

static inline void timeline_join(struct timeline *timeline, uint16_t sequence)
{
    timeline->joined = true;
    timeline->source_highest = sequence;
    timeline->floor = timeline->highest + 1;
    timeline->sequence_offset = timeline->floor - sequence;
}

static inline bool timeline_map(struct timeline *timeline, uint16_t sequence, uint32_t timestamp,
                                struct packet *packet)
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

#endif
