/* The native media plane: the same as relay/python_plane.py, on a thread of its own without the GIL.

   A thread owns sockets (ports). RTP of a known address is unprotected, put on its source's timeline,
   and fanned out to the source's sinks; the usual checks of connected peers are answered, and everything
   else goes up through a ring of bounded size. A source belongs to the thread whose sockets it comes by;
   its sinks may be on any thread. A packet crosses to another thread in plain form, through that thread's
   inbox, and is protected and sent there.

   Locking: a thread holds its mutex while it works on packets. Who edits its tables says so first
   (thread_lock), and gets the mutex before the next packet. The time of an edit is a few pointer
   writes; nobody who holds a mutex waits for Python. */

#ifndef RTP_RELAY_PLANE_H
#define RTP_RELAY_PLANE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* recvmmsg, sendmmsg */
#endif
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sequence.h"

enum {
    MAX_DATAGRAM = 1500, /* bytes; longer ones are dropped */
    SLOT_SIZE = 1664,    /* a datagram, libsrtp's trailer, and alignment to 64 */
    RECEIVE_BATCH = 64,
    SEND_BATCH = 256,
    MAX_ROUNDS = 4,   /* batches of one socket before the others get their turn */
    MAX_THREADS = 16,
    MAX_PORTS = 64,   /* sockets of one thread */
    MAX_SSRCS = 4,    /* of one publisher; the oldest is forgotten when one more comes */
    CONTROL_RING = 1024, /* datagrams on their way up; a power of two */
    CONTROL_RESERVE = 256, /* of these, for who is connected: strangers keep nobody's consent from us, and */
    RESERVE_RATE = 100, /* so many a second for each of these, and */
    RESERVE_BURST = 32, /* so many at once: nor do they keep each other's */
    LATE_AFTER_RESTART = 1, /* s for which packets of an SSRC that was left are late ones */
    INBOX_RING = 1024,   /* plain packets from other threads; a power of two */
    GAP_RING = 256,      /* sources whose gaps the event loop does not know yet; a power of two */
    HISTORY_PACKETS = 128, /* of a publisher that are kept: relay/history.py */
    MAX_KEPT_LENGTH = 512, /* bytes of such a packet; of a longer one only the number is known */
    MISSING_WINDOW = 32,   /* packets that are looked back for missing ones: relay/plane.py */
    MAX_REDUNDANT_BLOCKS = 4, /* of a RED packet: relay/red.py */
    MAX_SEATS = 64,      /* of a stage */
    LOUDNESS_SLOTS = 3,
    NO_LEVEL = -1,       /* a packet without an audio level */
    FIXED_HEADER = 12, /* bytes of an RTP header without CSRCs and extensions */
    PAYLOAD_TYPE = 111,
    RED_PAYLOAD_TYPE = 63,
    LATENCY_BUCKETS = 161,
    ERROR_COUNT = 134, /* errno's of Linux; others count under 0 */
    FAILURES_BEFORE_PAUSE = 4, /* of a call in a row: relay/udp.py */
    SHA1_LENGTH = 20,
    MAX_CHECK = 576, /* bytes of a STUN message: relay/screening.py */
    MAX_BODY = 524,  /* of its attributes, beside the header, MESSAGE-INTEGRITY and FINGERPRINT */
    MAX_ANSWER = 76, /* the response to a check that came over IPv6 */
    ANSWER_RATE = 10, /* familiar checks a second that are answered here, and */
    ANSWER_BURST = 20, /* so many at once: relay/responder.py */
};

/* Why a packet went no further; the names are relay/stats.py's. */
#define DROP_REASONS(X)                                                                            \
    X(UNKNOWN_PROTOCOL) X(OVERSIZED) X(RTP_UNKNOWN_ADDRESS) X(RTP_MALFORMED)                       \
    X(RTP_UNKNOWN_PAYLOAD_TYPE) X(RTP_MUTED) X(RTP_NOT_LOUDEST) X(RTP_STALE)                       \
    X(SRTP_UNAUTHENTICATED) X(SRTP_REPLAYED) X(SRTP_FAILED) X(SEND_BUFFER_FULL)                    \
    X(SEND_FAILED) X(CONTROL_QUEUE_FULL) X(INBOX_FULL) X(RTP_REDUNDANT) X(RED_MALFORMED)           \
    X(PROTECT_FAILED)

enum drop_reason {
#define ENUMERATE(name) DROP_##name,
    DROP_REASONS(ENUMERATE)
#undef ENUMERATE
        DROP_REASON_COUNT,
    NOT_DROPPED = DROP_REASON_COUNT
};

/* libsrtp's functions, whose addresses come from pylibsrtp's binding: there is no second libsrtp. */
typedef int srtp_transform(void *context, void *packet, int *length);
typedef int srtp_removal(void *context, uint32_t ssrc);

struct srtp_api {
    srtp_transform *protect, *unprotect;
    srtp_removal *remove_stream;
};

typedef atomic_uint_fast64_t counter; /* written under its thread's mutex, read by any */

static inline void count(counter *value, uint64_t more)
{
    uint64_t before = atomic_load_explicit(value, memory_order_relaxed);
    atomic_store_explicit(value, before + more, memory_order_relaxed);
}

static inline uint16_t read16(const unsigned char *data)
{
    return (uint16_t)(data[0] << 8 | data[1]);
}

static inline uint32_t read32(const unsigned char *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static inline void write16(unsigned char *data, uint32_t value)
{
    data[0] = (unsigned char)(value >> 8);
    data[1] = (unsigned char)value;
}

static inline void write32(unsigned char *data, uint32_t value)
{
    write16(data, value >> 16);
    write16(data + 2, value);
}

struct leg { /* the sinks that a source has on one thread */
    struct sink **sinks;
    size_t count, capacity;
    atomic_uint size; /* the count, for another thread that asks without the mutex */
};

struct contender { /* relay/loudest.py: a source, as its stage sees it */
    struct stage *stage; /* NULL: it is always forwarded */
    bool seated;
    int64_t slot;
    int peaks[LOUDNESS_SLOTS]; /* of that slot of time, of the one before and of the one before that */
    unsigned louder;
};

struct stage { /* belongs to one thread, as its sources do */
    struct thread *home;
    unsigned seats, count;
    struct contender *seated[MAX_SEATS];
};

struct source {
    void *srtp;
    struct thread *home;
    bool muted;
    bool red, nack;  /* it may send RED; it sends lost packets again when asked */
    bool gap_told;   /* there is a gap, and nobody asked yet which it is */
    uint64_t number; /* for whoever made it, to be told of gaps */
    struct history *history; /* of what went to its sinks; NULL as long as nothing needs it */
    bool has_ssrc;
    uint32_t ssrc;
    uint32_t ssrcs[MAX_SSRCS];
    double left[MAX_SSRCS]; /* when each of them was left; -INFINITY: never */
    unsigned ssrc_count;
    uint64_t lost_before;
    struct reception reception;
    struct timeline timeline;
    uint64_t packets, payload_bytes, recovered;
    counter level_energy, level_count; /* relay/levels.py */
    struct contender contender;
    unsigned references; /* table entries that name it */
    struct leg legs[MAX_THREADS];
};

struct sink {
    void *srtp;
    struct source *source;
    struct port *port;
    size_t position; /* in its leg */
    struct sockaddr_storage name;
    uint32_t ssrc;
    int64_t sequence, sequence_offset, edge, reached; /* reached: the timeline's latest that was sent */
    int64_t first; /* the timeline's number that was sent first, with the marker */
    uint32_t timestamp, timestamp_offset, sent_timestamp;
    bool red, nack;    /* it takes RED as it is; packets may be sent to it once more */
    bool fresh, begun; /* begun: `at` is when the packet of `timestamp` came */
    double at;
    uint64_t packets, payload_bytes, retransmitted;
    double sent_at;
};

struct hmac_key { /* SHA-1 after the two blocks that depend on the key alone */
    uint32_t inner[5], outer[5];
};

struct budget { /* relay/screening.py: Budget; all zero, it is full from its first use on */
    double left, at;
};

struct responder { /* relay/responder.py: answers the usual check of one peer */
    struct hmac_key key;
    struct budget budget;
    bool reports_wait, quiet; /* quiet: it answers nothing for now */
    size_t body_length;
    unsigned char body[]; /* the attributes of that check */
};

struct binding { /* one entry of a port's address table; empty without either */
    struct sockaddr_storage name;
    struct source *source;
    struct responder *responder; /* the table's own */
    struct budget reserve;       /* of places in the ring when there are few left */
};

struct red { /* where the blocks of a RED packet lie; oldest first, the primary up to the packet's end */
    unsigned count;
    struct red_block {
        uint32_t timestamp_offset;
        size_t start, length;
    } blocks[MAX_REDUNDANT_BLOCKS];
    size_t primary;
};

struct stamp_clock { /* relay/clock.py: StampClock */
    bool known;
    double offset, at;
};

#define CONTROL_WAIT 0.6 /* s that an answer or a report waits at most for the event loop to wake */
#define STEP_TOLERANCE 0.005 /* s */
#define STEP_DRIFT 0.001     /* s for each second */

/* Seconds since a time stamp; 0 when the clock that it is of was stepped. All in seconds. */
double stamp_age(struct stamp_clock *clock, double real, double monotonic, double stamp);

struct port {
    struct stamp_clock clock;
    int descriptor;
    unsigned number; /* for whoever opened it */
    socklen_t name_length;
    unsigned failures; /* to receive, one after the other */
    double again_at;   /* when it is received from again; 0: it is, whenever something came */
    struct thread *thread;
    struct binding *bindings; /* open addressing, linear probing */
    size_t binding_count, binding_capacity;
    struct mmsghdr received[RECEIVE_BATCH], sent[SEND_BATCH];
    struct iovec received_iov[RECEIVE_BATCH], sent_iov[SEND_BATCH];
    struct sockaddr_storage received_names[RECEIVE_BATCH];
    _Alignas(struct cmsghdr) unsigned char control[128]; /* the time stamp of a batch's first datagram */
    unsigned send_count;
    _Alignas(64) unsigned char in[RECEIVE_BATCH][SLOT_SIZE];
    _Alignas(64) unsigned char out[SEND_BATCH][SLOT_SIZE];
};

struct control_entry { /* a datagram on its way up */
    const struct port *port;
    size_t length;
    double arrival;
    struct sockaddr_storage name;
    unsigned char data[MAX_DATAGRAM];
};

struct inbox_entry { /* a plain packet on its way to another thread */
    struct source *source; /* NULL: the source is gone */
    struct packet packet;
    unsigned char data[SLOT_SIZE];
};

struct thread {
    const struct srtp_api *srtp;
    unsigned index;
    struct thread **threads; /* all of the plane, by index */
    unsigned thread_count;
    struct port *ports[MAX_PORTS];
    unsigned port_count;
    pthread_t handle;
    pid_t process; /* that it was started in */
    pthread_mutex_t mutex;
    atomic_uint editors;
    atomic_bool stopping, running;
    int epoll, wake, upcall; /* upcall: an eventfd that becomes readable when the ring has something */
    uint32_t seed;

    struct control_entry *control;
    atomic_uint control_head, control_tail; /* head: ours; tail: the reader's */
    unsigned control_told; /* up to where the reader was woken, or read without that */

    uint64_t gaps[GAP_RING]; /* numbers of sources; as the ring above */
    atomic_uint gap_head, gap_tail;

    pthread_mutex_t inbox_mutex;
    struct inbox_entry *inbox;
    unsigned inbox_head, inbox_tail;

    counter drops[DROP_REASON_COUNT];
    counter datagrams, rtp_packets, accepted, forwarded, retransmitted, recovered;
    counter send_errors[ERROR_COUNT], receive_errors[ERROR_COUNT]; /* by errno: count_error */
    counter answered, answers_blocked, answers_refused; /* checks, and of the answers those not sent */
    counter latency[LATENCY_BUCKETS], latency_nanoseconds, latency_maximum;
};

static inline void count_error(counter errors[ERROR_COUNT], int error, unsigned times)
{
    count(&errors[error < ERROR_COUNT ? error : 0], times);
}

/* Threads. `threads` of a plane are made first, then started; the functions that can fail return NULL or
   false and leave errno. */
struct thread *thread_new(const struct srtp_api *srtp, struct thread **threads, unsigned index,
                          unsigned count);
struct port *thread_open(struct thread *thread, int descriptor, socklen_t name_length);
bool thread_start(struct thread *thread);
/* Let a started thread run before all ordinary ones; whether the system allows it. */
bool thread_hurry(struct thread *thread);
void thread_stop(struct thread *thread);
/* Close a stopped thread's descriptors, once no other thread runs that might wake it. */
void thread_close(struct thread *thread);
void thread_free(struct thread *thread);

/* Whether this is a fork of the process: it has the object and not the thread, which may have held its locks
   when it was forked. */
bool thread_is_forked(const struct thread *thread);

/* Between these calls a thread's tables may be edited; never while holding the GIL. In a fork they do
   nothing. */
void thread_lock(struct thread *thread);
bool thread_try_lock(struct thread *thread);
void thread_unlock(struct thread *thread);

/* Tables; the caller has locked the port's thread. */
struct source *port_find(const struct port *port, const struct sockaddr_storage *name);
bool port_bind(struct port *port, const struct sockaddr_storage *name, struct source *source);
void port_unbind(struct port *port, const struct sockaddr_storage *name);
void port_forget(struct port *port, const struct source *source);
/* The responder is the table's from then on; false, and it is still the caller's, when memory ran out. */
bool port_settle(struct port *port, const struct sockaddr_storage *name, struct responder *responder);
void port_unsettle(struct port *port, const struct sockaddr_storage *name);
/* As if it was not settled, but for port_favours. */
void port_hush(struct port *port, const struct sockaddr_storage *name);
struct responder *port_responder(const struct port *port, const struct sockaddr_storage *name);
/* Whether it is somebody's, who may have a place in the ring that is kept from strangers `now`. */
bool port_favours(struct port *port, const struct sockaddr_storage *name, double now);
void port_clear(struct port *port);

/* Sources and sinks; these lock what they need. */
bool sink_attach(struct sink *sink, struct source *source, double now);
void sink_detach(struct sink *sink);
/* Send packets once more, by the sink's own sequence numbers; how many of them there were. */
unsigned sink_retransmit(struct sink *sink, const uint16_t *sequences, unsigned count);
/* The source's SSRC and its sequence numbers of which no packet came, of the latest MISSING_WINDOW. The next
   gap is told after this call. */
struct missing {
    bool has_ssrc;
    uint32_t ssrc;
    unsigned count;
    uint16_t sequences[MISSING_WINDOW];
};
struct missing source_missing(struct source *source);
/* An authentic packet of a source came under this SSRC; beyond MAX_SSRCS libsrtp forgets the oldest. */
void source_admit(struct source *source, uint32_t ssrc, const struct srtp_api *srtp);
/* The caller has locked the source's thread. */
void source_mute(struct source *source, bool muted);
/* Whether a packet under this SSRC was overtaken by the first ones of an SSRC that came after. */
bool source_is_late(const struct source *source, uint32_t ssrc, double now);
/* A source's sound comes under another SSRC from now on, or for the first time. */
void source_begin(struct source *source, uint32_t ssrc, uint16_t sequence, uint32_t timestamp,
                  double now);
/* Before a source is freed, which no sink follows any more: leave every table. */
void source_forget(struct source *source);

/* One datagram that lies at `data` with room for SLOT_SIZE bytes; the caller has locked the thread. */
void port_take(struct port *port, unsigned char *data, size_t length,
               const struct sockaddr_storage *name, double arrival);
/* Copy a plain packet to every sink of a leg, under the sinks' own numbers, into the batches of their ports. */
void leg_fan_out(struct thread *thread, struct leg *leg, const struct packet *packet);
/* The same of a packet that went under this number of the sink's own; whether it is there. */
bool sink_send_again(struct sink *sink, uint16_t number);
/* Send what lies in the batches. */
void thread_flush(struct thread *thread);

/* Fan out the oldest packet from another thread, which came at `arrival`; false when there is none. */
bool thread_take_inbox(struct thread *thread, double *arrival);

/* Answer what is not RTP, or put it into the ring, for the event loop. */
enum drop_reason control_take(struct port *port, const unsigned char *data, size_t length,
                              const struct sockaddr_storage *name, double arrival);
/* Seconds from `now` until the event loop is to be woken for what may wait, or -1 when nothing waits: it is
   woken when that is due or the ring is half full. The caller has locked the thread, as above. */
double control_wait(struct thread *thread, double now);
/* The oldest datagram of the ring, or NULL; control_done gives its place back. */
const struct control_entry *control_peek(struct thread *thread);
void control_done(struct thread *thread);

struct hmac_key hmac_key(const unsigned char *key, size_t length);
void hmac_sha1(const struct hmac_key *key, const unsigned char *data, size_t length,
               unsigned char digest[SHA1_LENGTH]);

/* Who answers requests with these attributes, up to MAX_BODY, under a password; NULL when memory ran out.
   It is freed with free(). */
struct responder *responder_new(const unsigned char *password, size_t password_length,
                                const unsigned char *body, size_t body_length, bool reports_wait);
/* Whether there was something left of a budget of so many a second, and so many at once. */
bool budget_take(struct budget *budget, double now, double rate, double burst);
/* The length of the answer to a datagram; 0 when somebody else has to look at it. */
size_t responder_answer(struct responder *responder, const struct sockaddr_storage *name,
                        const unsigned char *data, size_t length, double arrival,
                        unsigned char answer[MAX_ANSWER]);

/* Stages; the caller has locked their thread. level: 0 to 127 in -dBov, or NO_LEVEL. */
bool stage_admits(struct contender *contender, int level, double arrival);
void stage_enter(struct contender *contender, struct stage *stage);
void stage_leave(struct contender *contender);

/* The power of an audio level, 0 to 127 in -dBov; 2^45 is that of 0 dBov. */
extern const uint64_t level_power[128];
/* The number of the oldest source in the ring of gaps, or 0. */
uint64_t gap_take(struct thread *thread);

/* The blocks of the RED payload at data[start..end); false when it is none (relay/red.py: parse_red). */
bool red_parse(const unsigned char *data, size_t start, size_t end, struct red *red);
/* Leave out so many of a RED packet's redundant blocks, the oldest, in place; what `red` says holds no more. */
void red_trim(struct packet *packet, const struct red *red, unsigned older);
/* The Opus packet of a RED packet that was taken apart before, in a buffer that is as long as that. */
void red_unwrap(const struct packet *packet, struct packet *opus, unsigned char *buffer);
/* The Opus packet that a redundant block stands for: data, length and payload of it. */
void red_restore(const unsigned char *data, const struct red_block *block, struct packet *opus,
                 unsigned char *buffer);

/* What is kept of a publisher's latest packets (relay/history.py); history_new may return NULL. */
struct history *history_new(void);
bool history_holds(struct history *history, int64_t sequence);
void history_keep(struct history *history, const struct packet *packet);
bool history_find(struct history *history, int64_t sequence, struct packet *packet);

/* Bring an RTP packet into the form that consumers get (relay/rtp.py: plain), in place; `length` follows.
   Returns the length of its header, or 0 when it is no RTP packet. */
size_t rtp_make_plain(unsigned char *data, size_t *length);

#endif
