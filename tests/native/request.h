/* The check that a settled peer repeats: an authentic Binding request (RFC 8489). */

#ifndef RTP_RELAY_TESTS_REQUEST_H
#define RTP_RELAY_TESTS_REQUEST_H

#include "../../relay/native/plane.h"

enum { REQUEST_FRAME = 52 }; /* bytes of it beside the body */

/* Write one, of MAX_CHECK bytes at most; its length. `number` makes its transaction's id. */
size_t write_request(unsigned char *request, const char *password, const unsigned char *body,
                     size_t body_length, uint32_t number);

#endif
