/* SHA-1 (FIPS 180-4) and HMAC with it (RFC 2104), as STUN signs its messages. Nothing that is loaded anyway
   lets its own be reached; a few hundred bytes a second need no fast one. */

#include "plane.h"

#include <string.h>

enum { BLOCK = 64, DIGEST = SHA1_LENGTH, LENGTH_FIELD = 8 };

static const uint32_t INITIAL[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};

static uint32_t rotate(uint32_t value, unsigned bits) { return value << bits | value >> (32 - bits); }

/* The function and the constant of a round, FIPS 180-4 §4.1.1 and §4.2.1. */
static uint32_t mixed(unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
    if (t < 20)
        return ((b & c) ^ (~b & d)) + 0x5A827999;
    if (t < 40)
        return (b ^ c ^ d) + 0x6ED9EBA1;
    if (t < 60)
        return ((b & c) ^ (b & d) ^ (c & d)) + 0x8F1BBCDC;
    return (b ^ c ^ d) + 0xCA62C1D6;
}

/* Take one block into a state: FIPS 180-4 §6.1.2. */
static void compress(uint32_t state[5], const unsigned char block[BLOCK])
{
    uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (unsigned t = 0; t < 16; t++)
        w[t] = read32(block + 4 * t);
    for (unsigned t = 16; t < 80; t++)
        w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    for (unsigned t = 0; t < 80; t++) {
        uint32_t next = rotate(a, 5) + mixed(t, b, c, d) + e + w[t];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

/* Hash the rest of a message, whose first `before` bytes, whole blocks, are in the state. */
static void finish(const uint32_t begun[5], size_t before, const unsigned char *data, size_t length,
                   unsigned char digest[DIGEST])
{
    uint32_t state[5];
    unsigned char last[2 * BLOCK] = {0};
    uint64_t bits = 8 * (uint64_t)(before + length);
    memcpy(state, begun, sizeof state);
    for (; length >= BLOCK; data += BLOCK, length -= BLOCK)
        compress(state, data);
    if (length)
        memcpy(last, data, length);
    last[length] = 0x80;
    size_t end = length + 1 + LENGTH_FIELD <= BLOCK ? BLOCK : 2 * BLOCK;
    for (unsigned i = 0; i < LENGTH_FIELD; i++)
        last[end - 1 - i] = (unsigned char)(bits >> 8 * i);
    compress(state, last);
    if (end > BLOCK)
        compress(state, last + BLOCK);
    for (unsigned i = 0; i < DIGEST; i++)
        digest[i] = (unsigned char)(state[i / 4] >> (24 - 8 * (i % 4)));
}

struct hmac_key hmac_key(const unsigned char *key, size_t length)
{
    struct hmac_key states;
    unsigned char block[BLOCK] = {0};
    if (length > BLOCK)
        finish(INITIAL, 0, key, length, block);
    else if (length)
        memcpy(block, key, length);
    memcpy(states.inner, INITIAL, sizeof INITIAL);
    memcpy(states.outer, INITIAL, sizeof INITIAL);
    for (unsigned i = 0; i < BLOCK; i++)
        block[i] ^= 0x36;
    compress(states.inner, block);
    for (unsigned i = 0; i < BLOCK; i++)
        block[i] ^= 0x36 ^ 0x5C;
    compress(states.outer, block);
    return states;
}

void hmac_sha1(const struct hmac_key *key, const unsigned char *data, size_t length,
               unsigned char digest[SHA1_LENGTH])
{
    unsigned char inner[DIGEST];
    finish(key->inner, BLOCK, data, length, inner);
    finish(key->outer, BLOCK, inner, sizeof inner, digest);
}
