/* The stages of the native plane, each by itself, and what they cannot cost less than. All return
   nanoseconds of CPU time for `rounds` packets (or copies). */

#include <stdint.h>

struct stage_plane; /* one port with one source, its sinks, and one thread that never runs */

/* names: a sockaddr_in for each sink; inbound: an srtp_t; outbound: one for each sink. */
struct stage_plane *stage_new(int descriptor, const char *names, unsigned sinks, void *inbound,
                              void *const *outbound, uintptr_t protect, uintptr_t unprotect,
                              uintptr_t remove_stream);
void stage_free(struct stage_plane *stages);

int64_t stage_demux(struct stage_plane *stages, unsigned rounds);
int64_t stage_cut(struct stage_plane *stages, unsigned rounds);     /* and demux */
int64_t stage_rewrite(struct stage_plane *stages, unsigned rounds); /* and demux and cut, once a round */
int64_t stage_send(struct stage_plane *stages, unsigned rounds);

/* As stage_cut, of a source that speaks: its packets say nothing of levels, or a level, or compete for a seat
   besides, which the source has, or has not and finds all taken by louder ones. */
enum levels { WITHOUT_LEVELS, WITH_LEVELS, SEATED, UNSEATED };
int64_t stage_levels(struct stage_plane *stages, unsigned rounds, int levels);

int64_t floor_demux(unsigned rounds);
int64_t floor_cut(unsigned rounds);
int64_t floor_rewrite(unsigned copies);
int64_t floor_unprotect(void *inbound, void *outbound, uintptr_t protect, uintptr_t unprotect,
                        uint32_t sequence, unsigned rounds); /* at most 512 */
int64_t floor_protect(void *const *outbound, unsigned sinks, uintptr_t protect, uint32_t sequence,
                      unsigned rounds);
