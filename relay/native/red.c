/* Redundant audio (RFC 2198): packets that hold the frames before once more; relay/red.py explains it. */

#include "plane.h"

#include <string.h>

bool red_parse(const unsigned char *data, size_t start, size_t end, struct red *red)
{
    size_t lengths[MAX_REDUNDANT_BLOCKS];
    red->count = 0;
    for (;;) {
        if (start >= end || (data[start] & 0x7F) != PAYLOAD_TYPE)
            return false;
        if (!(data[start] & 0x80))
            break;
        if (start + 4 > end || red->count == MAX_REDUNDANT_BLOCKS)
            return false;
        red->blocks[red->count].timestamp_offset = (uint32_t)data[start + 1] << 6 | data[start + 2] >> 2;
        lengths[red->count++] = (size_t)(data[start + 2] & 3) << 8 | data[start + 3];
        start += 4;
    }
    start++;
    for (unsigned i = 0; i < red->count; i++) {
        red->blocks[i].start = start;
        red->blocks[i].length = lengths[i];
        start += lengths[i];
    }
    red->primary = start;
    return start < end;
}

void red_trim(struct packet *packet, const struct red *red, unsigned older)
{
    size_t header = packet->length - packet->payload, heads = 4 * (red->count - older) + 1;
    size_t kept = older < red->count ? red->blocks[older].start : red->primary;
    memmove(packet->data + kept - heads, packet->data + header + 4 * older, heads);
    memmove(packet->data + kept - heads - header, packet->data, header);
    packet->data += kept - heads - header;
    packet->length -= kept - heads - header;
    packet->payload -= kept - heads - header;
}

void red_unwrap(const struct packet *packet, struct packet *opus, unsigned char *buffer)
{
    struct red red;
    size_t header = packet->length - packet->payload;
    bool parsed = red_parse(packet->data, header, packet->length, &red); /* as it was before */
    size_t primary = parsed ? red.primary : header;
    memcpy(buffer, packet->data, header);
    memcpy(buffer + header, packet->data + primary, packet->length - primary);
    buffer[1] = (unsigned char)(PAYLOAD_TYPE | (buffer[1] & 0x80));
    *opus = *packet;
    opus->data = buffer;
    opus->length -= primary - header;
    opus->payload -= primary - header;
}

void red_restore(const unsigned char *data, const struct red_block *block, struct packet *opus,
                 unsigned char *buffer)
{
    memcpy(buffer, data, FIXED_HEADER);
    buffer[0] = 0x80;
    buffer[1] = PAYLOAD_TYPE;
    memcpy(buffer + FIXED_HEADER, data + block->start, block->length);
    opus->data = buffer;
    opus->payload = block->length;
    opus->length = FIXED_HEADER + block->length;
}
