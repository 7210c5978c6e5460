/* What stands in for libsrtp: packets are in clear, with a tag of 16 bytes behind them.

   The first byte of the tag tells what unprotecting gives: AUTHENTIC, or a status of libsrtp's. So whoever
   makes datagrams gets through whenever they want to. A context counts what happened to it. */

#ifndef RTP_RELAY_TESTS_SRTP_DOUBLE_H
#define RTP_RELAY_TESTS_SRTP_DOUBLE_H

#include "../../relay/native/plane.h"

enum { TAG_LENGTH = 16, AUTHENTIC = 0, FIRST_STATUS = 0xF0, ANY_FAILURE = 1 };

struct srtp_double {
    bool refuses; /* to protect */
    unsigned refused, protected, forgotten;
    unsigned char latest[12]; /* header of the latest authentic packet */
};

extern const struct srtp_api SRTP_DOUBLE;

#endif
