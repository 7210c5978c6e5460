/* What request.h says. SHA-1 is the plane's own: tests/relay/test_forward_answers.py compares that with
   another. */

#include "request.h"

#include <string.h>

static uint32_t crc32(const unsigned char *data, size_t length)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < 8 * length; i++) {
        uint32_t bit = (crc ^ (uint32_t)data[i / 8] >> i % 8) & 1;
        crc = crc >> 1 ^ (bit ? 0xEDB88320 : 0);
    }
    return ~crc;
}

size_t write_request(unsigned char *request, const char *password, const unsigned char *body,
                     size_t body_length, uint32_t number)
{
    static const unsigned char head[8] = {0x00, 0x01, 0, 0, 0x21, 0x12, 0xA4, 0x42};
    static const unsigned char integrity[4] = {0x00, 0x08, 0x00, 0x14}, mark[4] = {0x80, 0x28, 0, 4};
    struct hmac_key key = hmac_key((const unsigned char *)password, strlen(password));
    size_t length = body_length + 24;
    memset(request, 0, 20);
    memcpy(request, head, sizeof head);
    memcpy(request + 8, &number, sizeof number);
    memcpy(request + 20, body, body_length);
    request[2] = (unsigned char)(length >> 8);
    request[3] = (unsigned char)length;
    memcpy(request + 20 + body_length, integrity, sizeof integrity);
    hmac_sha1(&key, request, 20 + body_length, request + 24 + body_length);
    length += 8;
    request[2] = (unsigned char)(length >> 8);
    request[3] = (unsigned char)length;
    uint32_t checksum = htonl(crc32(request, 20 + length - 8) ^ 0x5354554E);
    memcpy(request + 20 + length - 8, mark, sizeof mark);
    memcpy(request + 20 + length - 4, &checksum, sizeof checksum);
    return 20 + length;
}
