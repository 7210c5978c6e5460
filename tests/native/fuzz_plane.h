/* What a fuzzer calls: libFuzzer, or fuzz_main.c where that is not to be had. */

#ifndef RTP_RELAY_TESTS_FUZZ_PLANE_H
#define RTP_RELAY_TESTS_FUZZ_PLANE_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

#endif
