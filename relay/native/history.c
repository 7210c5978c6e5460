/* The latest packets of a publisher, to send them again; relay/history.py explains it. */

#include "plane.h"

#include <stdlib.h>
#include <string.h>

struct kept {
    int64_t sequence; /* on the timeline, where numbers begin with 1; 0: nothing yet */
    uint32_t timestamp;
    uint16_t length, payload; /* length 0: it was too long to be kept */
    unsigned char data[MAX_KEPT_LENGTH];
};

struct history {
    struct kept packets[HISTORY_PACKETS];
};

struct history *history_new(void) { return calloc(1, sizeof(struct history)); }

static struct kept *slot_of(struct history *history, int64_t sequence)
{
    return &history->packets[(uint64_t)sequence % HISTORY_PACKETS];
}

bool history_holds(struct history *history, int64_t sequence)
{
    return slot_of(history, sequence)->sequence == sequence;
}

void history_keep(struct history *history, const struct packet *packet)
{
    struct kept *kept = slot_of(history, packet->sequence);
    kept->sequence = packet->sequence;
    kept->timestamp = packet->timestamp;
    kept->payload = (uint16_t)packet->payload;
    kept->length = packet->length <= MAX_KEPT_LENGTH ? (uint16_t)packet->length : 0;
    memcpy(kept->data, packet->data, kept->length);
}

bool history_find(struct history *history, int64_t sequence, struct packet *packet)
{
    struct kept *kept = slot_of(history, sequence);
    if (kept->sequence != sequence || !kept->length)
        return false;
    *packet = (struct packet){.data = kept->data,
                              .length = kept->length,
                              .payload = kept->payload,
                              .sequence = sequence,
                              .timestamp = kept->timestamp};
    return true;
}
