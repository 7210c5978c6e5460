/* Takes any bytes for a course of events on a media plane: datagrams, edits, trouble with the system.

   The first four bytes seed the plane's hash. An event is a byte, and the bytes that it wants; those that
   are missing are zero, those out of bounds are taken modulo. Of the first byte, bits 6 and 7 tell how
   often it happens (1, 8, 64, 512 times), bit 4 that more comes in the same batch, bits 0 to 3 what it is:

     0  a datagram from outside   1  packets of a voice   2  the voice jumps   3  bind, settle   4  unbind, unsettle
     5  attach   6  detach        7  direct               8  another source    9  another sink
     A  mute, enter the stage, leave it                   B  srtp_protect fails
     C  the system's mood         D  time              E  the inbox        F  what went up is read

   `tests/vectors/plane/` has examples. */

#include "fuzz_plane.h"

#include "fuzz_world.h"

#include <string.h>

enum { MAX_EVENTS = 4096 };

struct input {
    const unsigned char *data;
    size_t length;
};

static unsigned take(struct input *input)
{
    if (!input->length)
        return 0;
    input->length--;
    return *input->data++;
}

static uint16_t take16(struct input *input)
{
    unsigned high = take(input);
    return (uint16_t)(high << 8 | take(input));
}

static uint32_t take32(struct input *input)
{
    uint32_t high = take16(input);
    return high << 16 | take16(input);
}

/* What speaks from an address; it goes on from packet to packet. */
struct mouth {
    uint16_t sequence;
    uint32_t timestamp, ssrc;
};

struct course {
    struct world world;
    struct mouth mouths[ADDRESSES];
};

/* A peer's check. Bytes: port, address, secret, which byte is changed, by which bits. */
static void ask(struct course *course, struct input *input, unsigned port, unsigned times)
{
    unsigned address = take(input) % ADDRESSES, secret = take(input) % SECRETS, at = take(input);
    unsigned char bits = (unsigned char)take(input);
    while (times--)
        world_ask(&course->world, port, address, secret, at, bits);
}

/* Any datagram. Bytes: port, address, length / 6, how many bytes follow, those. Bit 7 of the port stands for
   a check. */
static void any_datagram(struct course *course, struct input *input, unsigned times)
{
    unsigned char data[255 * 6 + 1] = {0};
    unsigned first = take(input), port = (first & 127) % PORTS;
    if (first & 128) {
        ask(course, input, port, times);
        return;
    }
    unsigned address = take(input) % ADDRESSES;
    size_t length = 6u * take(input), given = take(input);
    length = length ? length : given;
    for (size_t i = 0; i < given; i++)
        data[i] = (unsigned char)take(input);
    while (times--)
        world_take(&course->world, port, address, data, length);
}

/* Write a header extension; how long it is. Bytes: the profile's last, number of words, those. */
static size_t write_extension(unsigned char *data, struct input *input)
{
    unsigned last = take(input), words = take(input) % 8;
    data[0] = last == 0xDE ? 0xBE : 0x10; /* RFC 8285's profiles: BEDE and 100X */
    data[1] = (unsigned char)last;
    data[2] = 0;
    data[3] = (unsigned char)words;
    for (unsigned i = 0; i < 4 * words; i++)
        data[4 + i] = (unsigned char)take(input);
    return 4 + 4 * words;
}

/* Begin a RED payload: as many older frames as its length / 6 tells, 20 ms before one another, a byte each. */
static void write_red(unsigned char *data, size_t payload)
{
    unsigned older = (unsigned)(payload / 6) % (MAX_REDUNDANT_BLOCKS + 1);
    while (5 * older + 2 > payload)
        older--;
    for (unsigned i = 0; i < older; i++) {
        write32(data + 4 * i, 0x80000001u | (uint32_t)PAYLOAD_TYPE << 24 | (960 * (older - i)) << 10);
        data[5 * older + 1 - (older - i)] = (unsigned char)(0xA0 + i);
    }
    data[4 * older] = PAYLOAD_TYPE;
}

/* A voice's next packets. Bytes: port, address; the packet's first, its second XOR 111; how much more than 1
   the sequence number steps, and than 960 the timestamp, in 120 ticks; step of the SSRC; payload's
   length / 6; last byte of the payload, if there is padding; first byte of the tag (srtp_double.h); then
   the extension, if there is one. */
static void speak(struct course *course, struct input *input, unsigned times)
{
    unsigned char data[2048] = {0};
    unsigned port = take(input) % PORTS, address = take(input) % ADDRESSES;
    struct mouth *mouth = &course->mouths[address];
    data[0] = (unsigned char)(0x80 | (take(input) & 0x3F));
    data[1] = (unsigned char)(take(input) ^ PAYLOAD_TYPE);
    int16_t step = (int8_t)(take(input) + 1), ticks = (int16_t)(120 * (int8_t)(take(input) + 8));
    mouth->ssrc += (uint32_t)(int8_t)take(input);
    size_t payload = 6u * take(input), end = 12 + 4u * (data[0] & 15u);
    unsigned char padding = (unsigned char)take(input), tag = (unsigned char)take(input);
    if (data[0] & 0x10)
        end += write_extension(data + end, input);
    if ((data[1] & 0x7F) == RED_PAYLOAD_TYPE && payload >= 6)
        write_red(data + end, payload);
    end += payload;
    data[end - 1] = data[0] & 0x20 ? padding : data[end - 1];
    data[end] = tag;
    while (times--) {
        mouth->sequence = (uint16_t)(mouth->sequence + step);
        mouth->timestamp += (uint32_t)ticks;
        data[2] = (unsigned char)(mouth->sequence >> 8);
        data[3] = (unsigned char)mouth->sequence;
        write32(data + 4, mouth->timestamp);
        write32(data + 8, mouth->ssrc);
        world_take(&course->world, port, address, data, end + TAG_LENGTH);
    }
}

/* Bytes: address, sequence number, timestamp. */
static void jump(struct course *course, struct input *input)
{
    struct mouth *mouth = &course->mouths[take(input) % ADDRESSES];
    mouth->sequence = take16(input);
    mouth->timestamp = take32(input);
}

/* Bytes: voice, port, first address; or port, first address. One after the other, as many as `times`. Bit 7
   of the port stands for a peer whose checks are answered; the voice is its secret then. Bit 6 lets those be
   answered no more who stay known. */
static void bind_many(struct world *world, struct input *input, bool bound, unsigned times)
{
    unsigned what = bound ? take(input) : 0, first = take(input), port = (first & 127) % PORTS;
    bool settles = first & 128;
    for (unsigned address = take(input); times--; address++) {
        if (bound && settles)
            world_settle(world, port, address % ADDRESSES, what % SECRETS);
        else if (settles && first & 64)
            world_hush(world, port, address % ADDRESSES);
        else if (settles)
            world_unsettle(world, port, address % ADDRESSES);
        else if (bound)
            world_bind(world, port, address % ADDRESSES, what % VOICES);
        else
            world_unbind(world, port, address % ADDRESSES);
    }
}

/* Bytes: which voice or ear, and to what; of a mute, bit 1 stands for the stage, bit 2 for leaving it; of a
   replacement, bit 4 for RED, bit 5 for NACK; of a refusal, bit 4 for a NACK in its place: first number. */
static void edit(struct world *world, struct input *input, unsigned what)
{
    unsigned one = take(input), other = take(input);
    switch (what) {
    case 0x5:
        world_attach(world, one % EARS, other % VOICES);
        break;
    case 0x6:
        world_detach(world, one % EARS);
        break;
    case 0x7:
        world_direct(world, one % EARS, other % PORTS, take(input) % ADDRESSES);
        break;
    case 0x8:
        world_replace_voice(world, one % VOICES, (other & 15) % THREADS, other & 16, other & 32);
        break;
    case 0x9:
    {
        uint16_t sequence = take16(input);
        world_replace_ear(world, one % EARS, (other & 15) % PORTS, sequence, take32(input), other & 16,
                          other & 32);
        break;
    }
    case 0xA:
        if (other & 2)
            world_enter(world, one % VOICES);
        else if (other & 4)
            world_leave(world, one % VOICES);
        else
            world_mute(world, one % VOICES, other & 1);
        break;
    default:
        if (other & 16)
            world_retransmit(world, one % EARS, take16(input), other >> 5 ? 8u << (other >> 5) : 1);
        else
            world->ears[one % EARS]->srtp.refuses = other & 1;
    }
}

/* Bytes: `enum network`, hundredths of a second, or a thread. */
static void surround(struct world *world, struct input *input, unsigned what, unsigned times)
{
    unsigned one = take(input);
    switch (what) {
    case 0xC:
        world->network = one % NETWORKS;
        break;
    case 0xD:
        world->now += one * 0.01 * times;
        break;
    case 0xE:
        world_take_inbox(world, one % THREADS, times < MAX_TAKEN ? times : MAX_TAKEN);
        break;
    default:
        world_read_control(world, one % THREADS, times);
        world_look_for_missing(world, one % THREADS);
    }
}

static void happen(struct course *course, struct input *input, unsigned what, unsigned times)
{
    if (what == 0x0)
        any_datagram(course, input, times);
    else if (what == 0x1)
        speak(course, input, times);
    else if (what == 0x2)
        jump(course, input);
    else if (what <= 0x4)
        bind_many(&course->world, input, what == 0x3, times);
    else if (what <= 0xB)
        edit(&course->world, input, what);
    else
        surround(&course->world, input, what, times);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    static struct course course;
    struct input input = {data, length};
    memset(course.mouths, 0, sizeof course.mouths);
    world_open(&course.world, take32(&input));
    for (unsigned events = 0; input.length && events < MAX_EVENTS;) {
        unsigned first = take(&input), times = 1u << 3 * (first >> 6);
        happen(&course, &input, first & 15, times);
        if (!(first & 0x10))
            world_flush(&course.world);
        world_check(&course.world);
        events += times;
    }
    world_close(&course.world);
    return 0;
}
