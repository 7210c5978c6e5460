/* A small fuzzer guided by coverage, for gcc, which has none: fuzz_main SECONDS FAILURE FILE...

   Runs every FILE (bytes in hexadecimal, # begins a comment), then changes of them for SECONDS. What
   reaches code that nothing before it did is kept and changed further. The random numbers begin at the
   same place each time. An input that fails is written to FAILURE, in the form of a FILE. */

#include "fuzz_plane.h"

#include "check.h"

#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_INPUT = 2048,
    MAX_KEPT = 4096,
    MAP_SIZE = 1 << 16,
    PATIENCE = 20, /* s for one input */
};

struct bytes {
    uint8_t data[MAX_INPUT];
    size_t length;
};

static struct bytes kept[MAX_KEPT], input;
static unsigned kept_count, edges;
static uint64_t runs;
static uint8_t seen[MAP_SIZE], reached[MAP_SIZE];
static uintptr_t previous;
static const char *failure;
static uint64_t random_state = 0x5EED;

/* ---- coverage: pairs of places that follow each other, and roughly how often ---- */

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    uintptr_t place = (uintptr_t)__builtin_return_address(0) * 0x9E3779B1u;
    uint8_t *count = &reached[(place ^ previous >> 1) >> 8 & (MAP_SIZE - 1)];
    *count += *count < 255;
    previous = place;
}

/* 1, 2, 3, 4-7, 8-15, 16-31, 32-127, more: a bit each. */
static uint8_t bucket(uint8_t count)
{
    unsigned bits = 0;
    for (unsigned rest = count; rest; rest >>= 1)
        bits++;
    return (uint8_t)(count < 4 ? 1 << (count - 1) : 1 << (bits > 7 ? 7 : bits));
}

static bool reached_new(void)
{
    bool new = false;
    for (unsigned i = 0; i < MAP_SIZE; i++) {
        uint8_t bits = reached[i] ? bucket(reached[i]) : 0;
        edges += bits && !seen[i];
        new |= (bits & ~seen[i]) != 0;
        seen[i] |= bits;
    }
    return new;
}

/* ---- inputs ---- */

static unsigned random_below(unsigned bound) /* splitmix64 */
{
    uint64_t mixed = random_state += 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
    return (unsigned)((mixed ^ mixed >> 31) % bound);
}

/* Put `length` bytes at `at`, or take them out when `from` is NULL. */
static void splice(size_t at, const uint8_t *from, size_t length)
{
    size_t rest = input.length - at;
    if (from && input.length + length <= MAX_INPUT) {
        memmove(input.data + at + length, input.data + at, rest);
        memcpy(input.data + at, from, length);
        input.length += length;
    } else if (!from && length <= rest) {
        memmove(input.data + at, input.data + at + length, rest - length);
        input.length -= length;
    }
}

static void change(void)
{
    static const uint8_t telling[] = {0x00, 0x01, 0x7F, 0x80, 0x90, 0xBE, 0xDE, 0xF0, 0xFF};
    uint8_t copy[64];
    size_t at = random_below((unsigned)input.length + 1), length = 1 + random_below(sizeof copy);
    const struct bytes *other = &kept[random_below(kept_count)];
    size_t from = random_below((unsigned)other->length + 1);
    length = length <= other->length - from ? length : other->length - from;
    memcpy(copy, other->data + from, length);
    switch (random_below(7)) {
    case 0:
        splice(at, copy, length);
        break;
    case 1:
        splice(at, NULL, 1 + random_below(16));
        break;
    case 2:
        if (at + length <= input.length)
            memcpy(input.data + at, copy, length);
        break;
    case 3:
        splice(at, (const uint8_t[]){(uint8_t)random_below(256)}, 1);
        break;
    case 4:
        if (at < input.length)
            input.data[at] = telling[random_below(sizeof telling)];
        break;
    case 5:
        if (at < input.length)
            input.data[at] = (uint8_t)(input.data[at] + random_below(17) - 8);
        break;
    default:
        if (at < input.length)
            input.data[at] ^= (uint8_t)(1 << random_below(8));
    }
}

static void run(void)
{
    memset(reached, 0, sizeof reached);
    previous = 0;
    alarm(PATIENCE);
    LLVMFuzzerTestOneInput(input.data, input.length);
    runs++;
    if (reached_new() && kept_count < MAX_KEPT)
        kept[kept_count++] = input;
}

static void read_input(const char *path)
{
    FILE *file = fopen(path, "r");
    bool comment = false;
    CHECK(file);
    int digits = 0, value = 0;
    input.length = 0;
    for (int c; (c = fgetc(file)) != EOF;) {
        comment = c == '#' || (comment && c != '\n');
        if (comment || isspace(c))
            continue;
        CHECK(isxdigit(c) && input.length < MAX_INPUT);
        value = (value & 15) << 4 | (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
        if (++digits % 2 == 0)
            input.data[input.length++] = (uint8_t)value;
    }
    CHECK(digits % 2 == 0);
    fclose(file);
}

/* ---- what fails ---- */

const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "abort_on_error=1"; }

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void) { return "abort_on_error=1:print_stacktrace=1"; }

static void write_failure(void)
{
    FILE *file = fopen(failure, "w");
    for (size_t i = 0; file && i < input.length; i++)
        fprintf(file, "%02x%c", input.data[i], i % 32 == 31 ? '\n' : ' ');
    if (file)
        fclose(file);
    fprintf(stderr, "the input that failed is in %s\n", failure);
}

static void end(int signal_number)
{
    write_failure();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

int main(int count, char **arguments)
{
    CHECK(count > 3);
    time_t until = time(NULL) + atoi(arguments[1]);
    failure = arguments[2];
    signal(SIGABRT, end);
    signal(SIGALRM, end);
    for (int i = 3; i < count; i++) {
        read_input(arguments[i]);
        run();
    }
    CHECK(edges > 0 && kept_count > 0); /* else coverage is not measured */
    while (time(NULL) < until) {
        input = kept[random_below(kept_count)];
        for (unsigned changes = 1 + random_below(8); changes; changes--)
            change();
        run();
    }
    printf("%llu inputs, %u kept, %u edges\n", (unsigned long long)runs, kept_count, edges);
    return 0;
}
