#include "srtp_double.h"

#include "check.h"

#include <string.h>

static int unprotect(void *context, void *packet, int *length)
{
    struct srtp_double *srtp = context;
    const unsigned char *data = packet;
    CHECK(((uintptr_t)packet & 3) == 0); /* libsrtp reads words */
    if (*length < (int)sizeof srtp->latest + TAG_LENGTH)
        return ANY_FAILURE;
    *length -= TAG_LENGTH;
    if (data[*length] >= FIRST_STATUS)
        return data[*length] - FIRST_STATUS + ANY_FAILURE;
    memcpy(srtp->latest, data, sizeof srtp->latest);
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
    memset((unsigned char *)packet + *length, AUTHENTIC, TAG_LENGTH);
    *length += TAG_LENGTH;
    srtp->protected++;
    return 0;
}

static int remove_stream(void *context, uint32_t ssrc)
{
    (void)ssrc;
    ((struct srtp_double *)context)->forgotten++;
    return 0;
}

const struct srtp_api SRTP_DOUBLE = {protect, unprotect, remove_stream};
