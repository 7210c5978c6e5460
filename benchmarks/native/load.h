/* The load tool's steady state: voices that speak, and listeners that count what they hear.

   Two threads, which the caller brings: one in `load_listen` until `load_stop`, and one in `load_speak`.
   Datagrams that are neither RTP nor RTCP go to a Unix socket, each behind its listener's index. */

#include <stdint.h>

struct listener {
    int descriptor;    /* -1: nobody */
    int voice;         /* whose packets it hears */
    uint32_t ssrc;     /* that they come under */
    void *context;     /* an srtp_t to open samples with, or NULL */
    int64_t first;     /* when its first packet came: nanoseconds of the real-time clock, 0 before */
    uint64_t received; /* packets of its SSRC */
    uint64_t opened;   /* samples that were what had been sent */
    uint64_t refused;  /* and that were not */
};

struct voice {
    int descriptor;
    char name[16]; /* the relay's sockaddr_in */
    void *context; /* an srtp_t */
    uint32_t ssrc;
    uint32_t sequence; /* of the next packet, extended */
    uint64_t sent;
    int64_t sent_at[256]; /* by audio level: nanoseconds of the real-time clock */
};

struct load {
    struct listener *listeners;
    struct voice *voices;
    uint32_t *latencies; /* nanoseconds */
    uint64_t latency_count;
    unsigned listener_count, voice_count;
    uint64_t latency_capacity;
    uint64_t strays; /* RTP of another SSRC */
    uint64_t rtcp;
    uint64_t control_lost; /* datagrams that the Unix socket had no room for */
};

struct load *load_new(unsigned listeners, unsigned voices, uint64_t latencies, int control,
                      uintptr_t protect, uintptr_t unprotect);
void load_free(struct load *load);

/* Serve a listener's descriptor; 0, or an errno. load_unwatch comes before the descriptor is closed. */
int load_watch(struct load *load, unsigned index, int descriptor);
void load_unwatch(struct load *load, unsigned index);

void load_listen(struct load *load);
void load_stop(struct load *load);

/* Let the voices speak in turn, one every `interval` nanoseconds, `ticks` times; how many did. */
uint64_t load_speak(struct load *load, int64_t interval, uint64_t ticks);
