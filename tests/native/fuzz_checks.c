/* The world of fuzz_world.h: peers whose checks the plane answers, and a model of when it does. */

#include "fuzz_world.h"

#include "check.h"
#include "request.h"

#include <errno.h>
#include <string.h>

static const char *const PASSWORDS[SECRETS] = {"", "one", "a longer one", "the last"};
static const unsigned char BODY[4 * SECRETS] = "a body of words";

/* The check of a peer that has a secret; its length. */
static size_t check_of(unsigned char *request, unsigned secret, uint32_t number)
{
    return write_request(request, PASSWORDS[secret], BODY, 4 * secret, number);
}

void world_settle(struct world *world, unsigned port, unsigned address, unsigned secret)
{
    struct sockaddr_storage name = name_of(world->ports[port], address);
    const char *password = PASSWORDS[secret];
    struct responder *responder =
        responder_new((const unsigned char *)password, strlen(password), BODY, 4 * secret, secret & 1);
    world_flush(world);
    CHECK(responder && port_settle(world->ports[port], &name, responder));
    struct settled *settled = &world->settled[port][address];
    *settled = settled->is ? (struct settled){true, false, secret, settled->left, settled->at}
                           : (struct settled){true, false, secret, ANSWER_BURST, 0};
}

void world_hush(struct world *world, unsigned port, unsigned address)
{
    struct sockaddr_storage name = name_of(world->ports[port], address);
    port_hush(world->ports[port], &name);
    world->settled[port][address].quiet = true;
}

void world_unsettle(struct world *world, unsigned port, unsigned address)
{
    struct sockaddr_storage name = name_of(world->ports[port], address);
    world_flush(world);
    port_unsettle(world->ports[port], &name);
    world->settled[port][address].is = false;
}

void world_ask(struct world *world, unsigned port, unsigned address, unsigned secret, unsigned at,
               unsigned char bits)
{
    unsigned char request[MAX_CHECK];
    size_t length = check_of(request, secret, ++world->asked);
    request[at % length] ^= bits;
    world_take(world, port, address, request, length);
}

/* Whether a datagram is answered, which takes from the budget. */
bool world_answers(struct world *world, unsigned port, unsigned address,
                   const unsigned char *datagram, size_t length)
{
    struct settled *settled = &world->settled[port][address];
    unsigned char expected[MAX_CHECK];
    uint32_t number;
    if (!settled->is || settled->quiet || length < REQUEST_FRAME)
        return false;
    memcpy(&number, datagram + 8, sizeof number);
    if (check_of(expected, settled->secret, number) != length ||
        memcmp(expected, datagram, length) != 0)
        return false;
    settled->left += (world->now - settled->at) * ANSWER_RATE;
    if (settled->left > ANSWER_BURST)
        settled->left = ANSWER_BURST;
    settled->at = world->now;
    if (settled->left < 1)
        return false;
    settled->left--;
    return true;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

/* An answer goes by the socket that was asked, to whoever asked, and tells their address. */
ssize_t __wrap_sendto(int descriptor, const void *data, size_t length, int flags,
                      const struct sockaddr *name, socklen_t name_length);
ssize_t __wrap_sendto(int descriptor, const void *data, size_t length, int flags,
                      const struct sockaddr *name, socklen_t name_length)
{
    struct world *world = world_current;
    const struct port *port = world->ports[world->asking_port];
    struct sockaddr_storage asker = name_of(port, world->asking_address);
    CHECK(descriptor == port->descriptor && flags == MSG_DONTWAIT);
    CHECK(name_length == port->name_length && memcmp(name, &asker, name_length) == 0);
    CHECK(length == (port->name_length == sizeof(struct sockaddr_in) ? MAX_ANSWER - 12 : MAX_ANSWER));
    CHECK(memcmp(data, "\x01\x01\x00", 3) == 0);
    if (world->network == IS_INTERRUPTED) {
        world->network = SENDS;
        return fail(EINTR);
    }
    if (world->network == IS_FULL || world->network == HAS_NO_BUFFERS) {
        world->answers_blocked++;
        return fail(world->network == IS_FULL ? EAGAIN : ENOBUFS);
    }
    if (world->network == REFUSES) {
        world->answers_refused++;
        return fail(EPERM);
    }
    return (ssize_t)length;
}
