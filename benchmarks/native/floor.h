/* What forwarding cannot cost less than, and the closed loop that drives a plane against it. */

#include <stdint.h>

struct cpu {
    int64_t nanoseconds;
    int64_t packets;
};

struct receivers { /* sockets that nobody reads while it counts */
    unsigned count;
    const int *descriptors;
    const char *names; /* their sockaddr_in, 16 bytes each */
};

struct burst { /* destinations names[first .. first + count) */
    unsigned first, count;
};

/* Empty their sockets. */
void drain(const struct receivers *receivers);

/* Floor (a): protect a ready packet for each receiver and send all with `sendmmsg`, `rounds` times.
   contexts: an srtp_t for each receiver, for SSRC 1 + its index; NULL: nothing is protected.
   sequence: of the first round. */
struct cpu floor_fan_out(const struct receivers *receivers, int sender, void *const *contexts,
                         uintptr_t protect, uint32_t sequence, unsigned rounds);

/* Floor (b): send ready packets in bursts, one every `interval` nanoseconds, for as many as `ticks`. */
struct cpu floor_bursts(const char *names, const struct burst *bursts, unsigned burst_count, int sender,
                        int64_t interval, unsigned ticks);

struct sender { /* a publisher, of SSRC 1 */
    int descriptor;
    char name[16]; /* sockaddr_in of the plane */
    void *context; /* an srtp_t */
    uintptr_t protect;
    uint32_t sequence; /* of the next packet */
};

/* Send packets one at a time, each when the last receiver got the one before; how many went through
   before one took longer than `patience` nanoseconds. */
unsigned feed(struct sender *sender, const struct receivers *receivers, unsigned count,
              int64_t patience);

/* Send packets at once, whatever becomes of them. */
void flood(struct sender *sender, unsigned count);

/* Protected packets of a publisher, `stride` bytes apart; their length. */
int write_packets(struct sender *sender, unsigned char *data, unsigned stride, unsigned count);

/* A plain packet for each of `count` SSRCs from 1 up, `stride` bytes apart; their length. */
int write_copies(unsigned char *data, unsigned stride, unsigned count, uint32_t sequence);
