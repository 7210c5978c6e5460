/* How old a datagram is by its time stamp; relay/clock.py is the reference. */

#include "plane.h"

#include <math.h>

double stamp_age(struct stamp_clock *clock, double real, double monotonic, double stamp)
{
    double offset = real - monotonic;
    double moved = fabs(offset - clock->offset);
    bool stepped =
        clock->known && moved > STEP_TOLERANCE + STEP_DRIFT * fmax(0, monotonic - clock->at);
    clock->known = true;
    clock->offset = offset;
    clock->at = monotonic;
    double age = real - stamp;
    return stepped || age < 0 ? 0 : age;
}
