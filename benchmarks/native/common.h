/* What the benchmarks' C sources share: clocks, and packets as a browser sends them. */

#ifndef BENCHMARKS_COMMON_H
#define BENCHMARKS_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* recvmmsg, sendmmsg */
#endif
#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

enum {
    HEADER_SIZE = 20,  /* fixed header and a header extension of one audio level */
    PAYLOAD_SIZE = 76, /* Opus at 30 kbit/s */
    PLAIN_SIZE = HEADER_SIZE + PAYLOAD_SIZE,
    SLOT = 256, /* a packet, and what libsrtp may write behind it */
    PAYLOAD_TYPE_AND_MARKER = 111,
    TICKS_PER_PACKET = 960, /* 20 ms at 48 kHz */
    OPUS_TOC = 0xF8,        /* CELT, full band, 20 ms, mono, one frame: whatever follows decodes */
};

typedef int (*srtp_function)(void *context, void *packet, int *length);

static inline int64_t clock_nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static inline void sleep_until(int64_t due) /* on the monotonic clock */
{
    struct timespec at = {due / 1000000000, due % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0)
        ;
}

/* The packet of a voice with this extended sequence number. Its audio level, which nobody encrypts or
   changes on the way, is the low byte of that number: a receiver can tell which packet it is. */
static inline int write_packet(unsigned char *data, uint32_t sequence, uint32_t ssrc)
{
    const unsigned char block[] = {0xBE, 0xDE, 0, 1, 0x10, (unsigned char)sequence, 0, 0};
    uint16_t low = htons((uint16_t)sequence);
    uint32_t timestamp = htonl(sequence * TICKS_PER_PACKET), source = htonl(ssrc);
    data[0] = 0x90;
    data[1] = PAYLOAD_TYPE_AND_MARKER;
    memcpy(data + 2, &low, 2);
    memcpy(data + 4, &timestamp, 4);
    memcpy(data + 8, &source, 4);
    memcpy(data + 12, block, sizeof block);
    memset(data + HEADER_SIZE, (int)(sequence & 0xFF), PAYLOAD_SIZE);
    data[HEADER_SIZE] = OPUS_TOC;
    return PLAIN_SIZE;
}

#endif
