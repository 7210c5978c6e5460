/* Answers to the check that a connected peer repeats for hours; relay/responder.py is the reference, and
   relay/binding.py tells what stands where in a message. */

#include "plane.h"

#include <stdlib.h>
#include <string.h>

enum {
    HEADER = 20,
    INTEGRITY = 4 + SHA1_LENGTH, /* MESSAGE-INTEGRITY */
    FINGERPRINT = 8,
    TRAILER = INTEGRITY + FINGERPRINT, /* HEADER + MAX_BODY + TRAILER: MAX_CHECK */
    COOKIE_HIGH = 0x2112,
};

static const unsigned char COOKIE[4] = {0x21, 0x12, 0xA4, 0x42};
static const unsigned char INTEGRITY_HEAD[4] = {0x00, 0x08, 0x00, SHA1_LENGTH};
static const unsigned char FINGERPRINT_HEAD[4] = {0x80, 0x28, 0x00, 0x04};

struct responder *responder_new(const unsigned char *password, size_t password_length,
                                const unsigned char *body, size_t body_length, bool reports_wait)
{
    struct responder *responder = malloc(sizeof *responder + body_length);
    if (!responder)
        return NULL;
    responder->key = hmac_key(password, password_length);
    responder->budget = (struct budget){.left = ANSWER_BURST};
    responder->reports_wait = reports_wait;
    responder->quiet = false;
    responder->body_length = body_length;
    if (body_length)
        memcpy(responder->body, body, body_length);
    return responder;
}

/* CRC-32 (ITU-T V.42) with the mask of FINGERPRINT (RFC 8489 §14.7), four bits at a time. */
static uint32_t fingerprint(const unsigned char *data, size_t length)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
        0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < length; i++) {
        crc = crc >> 4 ^ table[(crc ^ data[i]) & 15];
        crc = crc >> 4 ^ table[(crc ^ data[i] >> 4) & 15];
    }
    return ~crc ^ 0x5354554E;
}

/* Put MESSAGE-INTEGRITY and FINGERPRINT behind the `length` bytes of a message; its length then. */
static size_t seal(const struct hmac_key *key, unsigned char *message, size_t length)
{
    write16(message + 2, (uint32_t)(length + INTEGRITY - HEADER));
    memcpy(message + length, INTEGRITY_HEAD, sizeof INTEGRITY_HEAD);
    hmac_sha1(key, message, length, message + length + sizeof INTEGRITY_HEAD);
    length += INTEGRITY;
    write16(message + 2, length + FINGERPRINT - HEADER);
    uint32_t checksum = fingerprint(message, length);
    memcpy(message + length, FINGERPRINT_HEAD, sizeof FINGERPRINT_HEAD);
    write32(message + length + 4, checksum);
    return length + FINGERPRINT;
}

/* Whether two messages are the same, in a time that does not tell where they differ. */
static bool equal(const unsigned char *one, const unsigned char *other, size_t length)
{
    unsigned char difference = 0;
    for (size_t i = 0; i < length; i++)
        difference |= one[i] ^ other[i];
    return difference == 0;
}

/* Whether a datagram is the familiar request, sealed as it would be under the key. */
static bool is_familiar(const struct responder *responder, const unsigned char *data, size_t length)
{
    unsigned char expected[MAX_CHECK];
    size_t signed_length = HEADER + responder->body_length;
    if (length != signed_length + TRAILER || data[0] != 0x00 || data[1] != 0x01 ||
        memcmp(data + 4, COOKIE, sizeof COOKIE) != 0 ||
        memcmp(data + HEADER, responder->body, responder->body_length) != 0)
        return false;
    memcpy(expected, data, signed_length);
    seal(&responder->key, expected, signed_length);
    return equal(expected, data, length);
}

/* Put XOR-MAPPED-ADDRESS (RFC 8489 §14.2) behind a message's header; its length then. */
static size_t write_mapped_address(unsigned char *message, const struct sockaddr_storage *name)
{
    const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)name;
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)name;
    bool is_ipv4 = name->ss_family == AF_INET;
    const unsigned char *host = is_ipv4 ? (const unsigned char *)&ipv4->sin_addr
                                        : (const unsigned char *)&ipv6->sin6_addr;
    size_t size = is_ipv4 ? sizeof ipv4->sin_addr : sizeof ipv6->sin6_addr;
    unsigned char *value = message + HEADER;
    write16(value, 0x0020);
    write16(value + 2, 4 + size);
    write16(value + 4, is_ipv4 ? 1 : 2);
    write16(value + 6, ntohs(is_ipv4 ? ipv4->sin_port : ipv6->sin6_port) ^ COOKIE_HIGH);
    for (size_t i = 0; i < size; i++) /* the mask is the cookie, and then the transaction's id */
        value[8 + i] = host[i] ^ message[4 + i];
    return HEADER + 8 + size;
}

bool budget_take(struct budget *budget, double now, double rate, double burst)
{
    double passed = now > budget->at ? now - budget->at : 0;
    double left = budget->left + passed * rate;
    left = left < burst ? left : burst;
    budget->at = now;
    budget->left = left < 1 ? left : left - 1;
    return left >= 1;
}

size_t responder_answer(struct responder *responder, const struct sockaddr_storage *name,
                        const unsigned char *data, size_t length, double arrival,
                        unsigned char answer[MAX_ANSWER])
{
    if (!is_familiar(responder, data, length) ||
        !budget_take(&responder->budget, arrival, ANSWER_RATE, ANSWER_BURST))
        return 0;
    memcpy(answer, data, HEADER);
    write16(answer, 0x0101);
    return seal(&responder->key, answer, write_mapped_address(answer, name));
}
