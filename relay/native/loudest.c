/* Which of many sources are forwarded; relay/loudest.py explains it, and has the same numbers. */

#include "plane.h"

#include <string.h>

enum {
    SLOT_SHIFT = 8, /* 2^8 ms */
    MARGIN = 6,     /* dB */
    PERSISTENCE = 3,
    QUIET = 127 - 50,
    WHISPER = 127 - 60,
    UNKNOWN = QUIET,
};

static int loudness_of(const struct contender *contender, int64_t slot)
{
    int64_t passed = slot - contender->slot;
    int loudness = 0;
    for (int i = 0; i < LOUDNESS_SLOTS - (passed > 0 ? passed : 0); i++)
        if (contender->peaks[i] > loudness)
            loudness = contender->peaks[i];
    return loudness;
}

static void note(struct contender *contender, int loudness, int64_t slot)
{
    int64_t passed = slot - contender->slot;
    if (passed > 0) {
        for (int i = LOUDNESS_SLOTS - 1; i >= 0; i--)
            contender->peaks[i] = i >= passed ? contender->peaks[i - passed] : 0;
        contender->slot = slot;
    }
    if (loudness > contender->peaks[0])
        contender->peaks[0] = loudness;
}

/* The quietest holder, the oldest if there are several, and how loud it is. */
static struct contender *find_quietest(const struct stage *stage, int64_t slot, int *quietest)
{
    struct contender *found = NULL;
    for (unsigned i = 0; i < stage->count; i++) {
        int theirs = loudness_of(stage->seated[i], slot);
        if (!found || theirs < *quietest) {
            found = stage->seated[i];
            *quietest = theirs;
        }
    }
    return found;
}

static bool takes_seat(struct contender *contender, int loudness, int64_t slot)
{
    struct stage *stage = contender->stage;
    if (stage->count == stage->seats) {
        int quietest = 0;
        struct contender *holder =
            loudness < WHISPER ? NULL : find_quietest(stage, slot, &quietest);
        if (!holder || loudness < quietest + MARGIN) {
            contender->louder = 0;
            return false;
        }
        if (++contender->louder < PERSISTENCE && quietest > QUIET)
            return false;
        stage_leave(holder);
    }
    stage->seated[stage->count++] = contender;
    contender->seated = true;
    contender->louder = 0;
    return true;
}

bool stage_admits(struct contender *contender, int level, double arrival)
{
    int64_t slot = (int64_t)(arrival * 1000) >> SLOT_SHIFT;
    int loudness = level == NO_LEVEL ? UNKNOWN : 127 - level;
    note(contender, loudness, slot);
    return contender->seated || takes_seat(contender, loudness, slot);
}

void stage_leave(struct contender *contender)
{
    struct stage *stage = contender->stage;
    unsigned place = 0;
    contender->louder = 0;
    if (!contender->seated)
        return;
    while (stage->seated[place] != contender)
        place++;
    stage->count--;
    memmove(stage->seated + place, stage->seated + place + 1,
            (stage->count - place) * sizeof(struct contender *));
    contender->seated = false;
}

void stage_enter(struct contender *contender, struct stage *stage)
{
    if (contender->stage)
        stage_leave(contender);
    *contender = (struct contender){.stage = stage};
}
