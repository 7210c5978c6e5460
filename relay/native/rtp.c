/* RTP packets brought into the form that consumers get; relay/rtp.py explains it. */

#include "plane.h"

#include <string.h>

enum { LEVEL_BLOCK = 8, AUDIO_LEVEL_ID = 1 };
enum { ONE_BYTE_PROFILE = 0xBEDE, TWO_BYTE_PROFILE = 0x1000, MALFORMED = -2 };

/* The audio level among the extension elements at data[start..end), NO_LEVEL, or MALFORMED. */
static int find_level(const unsigned char *data, size_t start, size_t end, bool one_byte)
{
    int level = NO_LEVEL;
    while (start < end) {
        unsigned id = one_byte ? data[start] >> 4 : data[start];
        if (id == 0) { /* padding between elements */
            start++;
            continue;
        }
        if (one_byte && id == 15) /* ends the block, RFC 8285 section 4.2 */
            break;
        if (!one_byte && start + 1 == end)
            return MALFORMED;
        size_t length = one_byte ? (data[start] & 15u) + 1u : data[start + 1];
        start += one_byte ? 1 : 2;
        if (start + length > end)
            return MALFORMED;
        if (id == AUDIO_LEVEL_ID && length == 1 && level == NO_LEVEL)
            level = data[start];
        start += length;
    }
    return level;
}

size_t rtp_make_plain(unsigned char *data, size_t *length)
{
    static const unsigned char block[] = {0xBE, 0xDE, 0, 1, AUDIO_LEVEL_ID << 4};
    if (*length < FIXED_HEADER || data[0] >> 6 != 2)
        return 0;
    if (data[0] == 0x80)
        return FIXED_HEADER;
    if (data[0] == 0x90 && *length >= FIXED_HEADER + LEVEL_BLOCK && data[18] == 0 && data[19] == 0 &&
        memcmp(data + FIXED_HEADER, block, sizeof block) == 0)
        return FIXED_HEADER + LEVEL_BLOCK;

    size_t start = FIXED_HEADER + 4u * (data[0] & 15u), end = *length;
    int level = NO_LEVEL;
    if (data[0] & 0x10) {
        if (start + 4 > end)
            return 0;
        unsigned profile = read16(data + start);
        size_t payload = start + 4 + 4u * read16(data + start + 2);
        if (payload > end)
            return 0;
        if (profile == ONE_BYTE_PROFILE || (profile & 0xFFF0) == TWO_BYTE_PROFILE)
            level = find_level(data, start + 4, payload, profile == ONE_BYTE_PROFILE);
        start = payload;
    }
    if (level == MALFORMED || start > end)
        return 0;
    if (data[0] & 0x20) {
        size_t padding = data[end - 1];
        if (padding == 0 || end - start < padding)
            return 0;
        end -= padding;
    }
    size_t header = FIXED_HEADER + (level == NO_LEVEL ? 0 : LEVEL_BLOCK);
    memmove(data + header, data + start, end - start);
    if (level != NO_LEVEL) {
        memcpy(data + FIXED_HEADER, block, sizeof block);
        data[17] = (unsigned char)level;
        data[18] = data[19] = 0;
    }
    data[0] = level == NO_LEVEL ? 0x80 : 0x90;
    *length = header + (end - start);
    return header;
}
