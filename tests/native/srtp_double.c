/* See srtp_double.h. */

#include "srtp_double.h"

#include "check.h"

#include <string.h>

static unsigned find_stream(const struct srtp_double *srtp, uint32_t ssrc)
{
    unsigned at = 0;
    while (at < srtp->stream_count && srtp->streams[at] != ssrc)
        at++;
    return at;
}

static int unprotect(void *context, void *packet, int *length)
{
    struct srtp_double *srtp = context;
    const unsigned char *data = packet;
    uint32_t ssrc; /* as on the wire, here and in libsrtp's own interface */
    CHECK(((uintptr_t)packet & 3) == 0); /* libsrtp reads words */
    if (*length < (int)sizeof srtp->latest + TAG_LENGTH)
        return ANY_FAILURE;
    *length -= TAG_LENGTH;
    if (data[*length] >= FIRST_STATUS)
        return data[*length] - FIRST_STATUS + ANY_FAILURE;
    memcpy(srtp->latest, data, sizeof srtp->latest);
    memcpy(&ssrc, data + 8, sizeof ssrc);
    if (find_stream(srtp, ssrc) == srtp->stream_count) {
        CHECK(srtp->stream_count < MAX_STREAMS); /* else their number is not bounded */
        srtp->streams[srtp->stream_count++] = ssrc;
    }
    return 0;
}

static int protect(void *context, void *packet, int *length)
{
    struct srtp_double *srtp = context;
    CHECK(((uintptr_t)packet & 3) == 0);
    if (srtp->refuses) {
        srtp->refused++;
        return ANY_FAILURE;
    }
    if (srtp->observe)
        srtp->observe(srtp, packet, (size_t)*length);
    memset((unsigned char *)packet + *length, 0, TAG_LENGTH);
    *length += TAG_LENGTH;
    srtp->protected++;
    return 0;
}

static int remove_stream(void *context, uint32_t ssrc)
{
    struct srtp_double *srtp = context;
    unsigned at = find_stream(srtp, ssrc);
    CHECK(at < srtp->stream_count);
    srtp->streams[at] = srtp->streams[--srtp->stream_count];
    return 0;
}

const struct srtp_api SRTP_DOUBLE = {protect, unprotect, remove_stream};
