/* A plane without sockets and without running threads, and a model of what it must do.

   Sources are `voices` and sinks are `ears` here: each is the plane's part, the stand-in for its libsrtp
   context, and what the model knows. Every step compares the two. */

#ifndef RTP_RELAY_TESTS_FUZZ_WORLD_H
#define RTP_RELAY_TESTS_FUZZ_WORLD_H

#include "srtp_double.h"

enum {
    THREADS = 2,
    PORTS = 3, /* two of the first thread, one of the second */
    ADDRESSES = 64,
    VOICES = 4,
    SEATS = 2,
    EARS = 8,
    SECRETS = 4,           /* of peers whose checks are answered: passwords and what they ask */
    MAX_TAKEN = 64,        /* packets from an inbox in one step */
    QUEUE = 2 * SEND_BATCH, /* more packets than wait to be sent */
    TEXTS = 1024            /* packets of an ear that are remembered, to see that none is sent otherwise */
};

#define RINGS_BEGIN (UINT32_MAX - 7) /* the rings' indices wrap in almost every course of events */

/* What the system makes of a sendmmsg. */
enum network {
    SENDS,
    SENDS_SOME,
    FILLS_UP, /* sends some, and then is full */
    IS_INTERRUPTED,
    IS_FULL,
    HAS_NO_BUFFERS,
    REFUSES,
    NETWORKS
};

struct voice {
    struct srtp_double srtp;
    struct source source;
    bool joined; /* the next packet goes on where the one before ended */
    uint32_t ssrc;
    int64_t highest, floor; /* since it joined */
    bool on_stage, seated;
    struct { /* the loudest packet of a slot of time, by slot modulo 4 */
        int64_t slot;
        int loudness;
    } said[4];
    unsigned louder; /* packets in a row that were loud enough for a speaker's seat */
};

struct ear {
    struct srtp_double srtp; /* first: the context tells whose it is */
    struct sink sink;
    bool fresh, begun;
    uint16_t sequence; /* of the packet furthest on */
    uint32_t timestamp;
    unsigned loose; /* packets that need not follow the one before */
    uint64_t refused;
    uint16_t queue[QUEUE]; /* numbers that were protected and not yet sent */
    unsigned head, tail;
    int64_t latest; /* extended number of the packet furthest on, as libsrtp would estimate it */
    struct {
        int64_t index; /* 0: nothing yet */
        uint64_t hash;
    } texts[TEXTS];
};

struct settled { /* a peer whose checks are answered, and how many may be */
    bool is, quiet;
    unsigned secret;
    double left, at;
};

struct heard { /* a packet that was protected in this step */
    struct ear *ear;
    uint16_t sequence;
    uint32_t timestamp;
    bool marker;
};

struct passed { /* a datagram on its way up */
    const struct port *port;
    unsigned address;
    size_t length;
    unsigned char last;
    double arrival;
};

struct world {
    struct thread *threads[THREADS]; /* these two first: they stay from one course of events to the next */
    struct port *ports[PORTS];
    struct voice *voices[VOICES];
    struct ear *ears[EARS];
    struct voice *bound[PORTS][ADDRESSES];
    struct settled settled[PORTS][ADDRESSES];
    unsigned asking_port, asking_address; /* of the datagram that is just delivered */
    uint32_t asked;                       /* checks so far */
    uint64_t answered, answers_blocked, answers_refused;
    struct passed passed[THREADS][CONTROL_RING];
    unsigned read[THREADS];
    struct stage stage;               /* of the first thread */
    struct voice *seated[SEATS];      /* as the model has it, the oldest first */
    unsigned seated_count;
    enum network network;
    double now;
    uint64_t datagrams, protected, refused_by_srtp, sent, full, refused_by_system;
    struct heard heard[EARS * MAX_TAKEN];
    unsigned heard_count;
};

enum place { FOLLOWS, LEAVES_A_GAP, IS_LATE, IS_STALE }; /* a packet, after the one before */

/* Begin anew, in zeroed memory or where another course of events was closed. seed: of the addresses' hash. */
void world_open(struct world *world, uint32_t seed);
void world_close(struct world *world);

/* Steps; indices within the bounds above. */
void world_take(struct world *world, unsigned port, unsigned address, const unsigned char *datagram,
                size_t length);
void world_take_inbox(struct world *world, unsigned thread, unsigned most);
void world_read_control(struct world *world, unsigned thread, unsigned most);
void world_flush(struct world *world);
void world_bind(struct world *world, unsigned port, unsigned address, unsigned voice);
void world_unbind(struct world *world, unsigned port, unsigned address);
void world_settle(struct world *world, unsigned port, unsigned address, unsigned secret);
void world_unsettle(struct world *world, unsigned port, unsigned address);
void world_hush(struct world *world, unsigned port, unsigned address);
/* The check of a peer that has that secret, but for some bits of the byte `at`. */
void world_ask(struct world *world, unsigned port, unsigned address, unsigned secret, unsigned at,
               unsigned char bits);
void world_attach(struct world *world, unsigned ear, unsigned voice);
void world_enter(struct world *world, unsigned voice);
void world_leave(struct world *world, unsigned voice);
void world_mute(struct world *world, unsigned voice, bool muted);
void world_detach(struct world *world, unsigned ear);
void world_direct(struct world *world, unsigned ear, unsigned port, unsigned address);
void world_retransmit(struct world *world, unsigned ear, uint16_t first, unsigned count);
void world_look_for_missing(struct world *world, unsigned thread);
void world_replace_voice(struct world *world, unsigned voice, unsigned home, bool red, bool nack);
void world_replace_ear(struct world *world, unsigned ear, unsigned port, uint16_t sequence,
                       uint32_t timestamp, bool red, bool nack);

/* Between two steps: all counters and tables are as they should be. */
void world_check(struct world *world);

/* What fuzz_world.c, which does things, and fuzz_model.c, which compares, have of each other. */
extern struct world *world_current; /* for what stands in for libsrtp and for the system */
struct sockaddr_storage name_of(const struct port *port, unsigned address);
uint64_t world_drops(const struct world *world, enum drop_reason reason);
uint64_t world_dropped(const struct world *world); /* of what came, for whatever reason */
bool world_answers(struct world *world, unsigned port, unsigned address,
                   const unsigned char *datagram, size_t length);
void world_observe(struct srtp_double *srtp, const unsigned char *packet, size_t length);
void world_loosen(struct world *world, const struct voice *voice);
bool world_admits(struct world *world, struct voice *voice, int level);
void world_unseat(struct world *world, struct voice *voice);
enum place place_of(struct voice *voice, bool admitted);
void world_check_heard(struct world *world);

#endif
