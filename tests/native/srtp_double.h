/* What stands in for libsrtp: packets are in clear, with a tag of 16 bytes behind them.

   The first byte of the tag tells what unprotecting gives: from FIRST_STATUS on, the first failure of
   srtp_err_status_t and those that come after it, below that success. So whoever makes datagrams gets
   through whenever they want to. */

#ifndef RTP_RELAY_TESTS_SRTP_DOUBLE_H
#define RTP_RELAY_TESTS_SRTP_DOUBLE_H

#include "../../relay/native/plane.h"

enum { TAG_LENGTH = 16, FIRST_STATUS = 0xF0, ANY_FAILURE = 1, MAX_STREAMS = MAX_SSRCS + 1 };

struct srtp_double {
    bool refuses; /* to protect */
    uint64_t refused, protected;
    unsigned char latest[12]; /* header of the latest authentic packet */
    uint32_t streams[MAX_STREAMS]; /* SSRCs of authentic packets, until they are removed */
    unsigned stream_count;
    /* Sees each packet before it is protected, unless it is NULL. */
    void (*observe)(struct srtp_double *srtp, const unsigned char *packet, size_t length);
};

extern const struct srtp_api SRTP_DOUBLE;

#endif
