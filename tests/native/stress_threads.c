/* Threads of the plane under load while others edit their tables: a program for ThreadSanitizer and
   AddressSanitizer. stress_threads SECONDS

   Speakers send over loopback, editors make, bind, mute, attach, move and free sources and sinks as fast
   as they can, settle and unsettle the speakers' checks, and a reader takes what goes up. Who lets go of a thread's mutex has sent
   everything that it had: that is what makes freeing a sink safe, and is checked at each unlock. */

#include "check.h"
#include "request.h"
#include "srtp_double.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 3, EDITORS = 2, SOURCES = 4, SINKS = 12, SPEAKERS = EDITORS * SOURCES };

static const char PASSWORD[] = "secret", BODY[4] = "body";

static struct thread *threads[THREADS];
static struct port *ports[THREADS];
static struct sockaddr_storage locals[THREADS], listener;
static int speakers[SPEAKERS];
static struct sockaddr_storage speaker_names[SPEAKERS];
static atomic_bool over;

struct slot { /* a sink and its keys */
    struct sink sink;
    struct srtp_double srtp;
};

struct voice { /* a source and its keys */
    struct source source;
    struct srtp_double srtp;
};

struct editor {
    unsigned index, random;
    struct voice *voices[SOURCES];
    struct slot *slots[SINKS];
    unsigned long edits;
};

int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    for (unsigned t = 0; t < THREADS; t++)
        if (threads[t] && mutex == &threads[t]->mutex)
            for (unsigned p = 0; p < threads[t]->port_count; p++)
                CHECK(threads[t]->ports[p]->send_count == 0);
    return __real_pthread_mutex_unlock(mutex);
}

int __real_sendmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags)
{
    for (unsigned i = 0; i < count; i++) { /* the kernel's reading is invisible to sanitizers */
        const struct msghdr *header = &messages[i].msg_hdr;
        CHECK(memcmp(header->msg_name, &listener, header->msg_namelen) == 0);
    }
    return __real_sendmmsg(descriptor, messages, count, flags);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static unsigned next(unsigned *random) /* xorshift */
{
    *random ^= *random << 13;
    *random ^= *random >> 17;
    *random ^= *random << 5;
    return *random;
}

static int open_loopback(struct sockaddr_storage *name)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    CHECK(descriptor >= 0);
    CHECK(bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(setsockopt(descriptor, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0);
    CHECK(getsockname(descriptor, (struct sockaddr *)&address, &length) == 0);
    memset(name, 0, sizeof *name);
    memcpy(name, &address, sizeof address);
    return descriptor;
}

static void ask(int speaker, const struct sockaddr_storage *to, uint32_t number)
{
    unsigned char request[MAX_CHECK];
    size_t length = write_request(request, PASSWORD, (const unsigned char *)BODY, sizeof BODY, number);
    sendto(speaker, request, length, 0, (const struct sockaddr *)to, sizeof(struct sockaddr_in));
}

/* Voice from every speaker to the thread where it may be bound, and now and then something else. */
static void *speak(void *unused)
{
    unsigned char packet[12 + 40 + TAG_LENGTH] = {0x80, PAYLOAD_TYPE};
    unsigned random = 1;
    (void)unused;
    for (uint16_t sequence = 0; !atomic_load(&over); sequence++) {
        for (unsigned s = 0; s < SPEAKERS; s++) {
            packet[0] = next(&random) % 64 ? 0x80 : 0x00;
            if (next(&random) % 64 == 0)
                ask(speakers[s], &locals[s % THREADS], next(&random));
            packet[2] = (unsigned char)(sequence >> 8);
            packet[3] = (unsigned char)sequence;
            packet[8] = sequence % 1024 ? packet[8] : (unsigned char)next(&random);
            const struct sockaddr_storage *to = &locals[s % THREADS];
            sendto(speakers[s], packet, sizeof packet, 0, (const struct sockaddr *)to,
                   sizeof(struct sockaddr_in));
        }
    }
    return NULL;
}

static struct voice *new_voice(struct editor *editor, unsigned index)
{
    unsigned speaker = editor->index * SOURCES + index, home = speaker % THREADS;
    struct voice *voice = calloc(1, sizeof *voice);
    CHECK(voice);
    voice->source.srtp = &voice->srtp;
    voice->source.home = threads[home];
    voice->source.timeline.at = seconds();
    thread_lock(threads[home]);
    CHECK(port_bind(ports[home], &speaker_names[speaker], &voice->source));
    thread_unlock(threads[home]);
    return voice;
}

static void free_voice(struct editor *editor, struct voice *voice)
{
    for (unsigned i = 0; i < SINKS; i++)
        if (editor->slots[i] && editor->slots[i]->sink.source == &voice->source)
            sink_detach(&editor->slots[i]->sink);
    source_forget(&voice->source);
    free(voice);
}

static struct slot *new_slot(struct editor *editor)
{
    struct slot *slot = calloc(1, sizeof *slot);
    CHECK(slot);
    slot->sink.srtp = &slot->srtp;
    slot->sink.port = ports[next(&editor->random) % THREADS];
    slot->sink.name = listener;
    return slot;
}

static void free_slot(struct slot *slot)
{
    sink_detach(&slot->sink);
    free(slot);
}

/* Let the checks of one of the editor's speakers be answered, or no more. */
static void settle(const struct editor *editor, unsigned index, bool settled)
{
    unsigned speaker = editor->index * SOURCES + index, home = speaker % THREADS;
    struct responder *responder =
        settled ? responder_new((const unsigned char *)PASSWORD, strlen(PASSWORD),
                                (const unsigned char *)BODY, sizeof BODY, true)
                : NULL;
    thread_lock(threads[home]);
    if (settled)
        CHECK(responder && port_settle(ports[home], &speaker_names[speaker], responder));
    else
        port_unsettle(ports[home], &speaker_names[speaker]);
    thread_unlock(threads[home]);
}

static void edit(struct editor *editor)
{
    unsigned what = next(&editor->random) % 100, v = next(&editor->random) % SOURCES;
    struct slot **slot = &editor->slots[next(&editor->random) % SINKS];
    struct source *source = &editor->voices[v]->source;
    struct thread *own = (*slot)->sink.port->thread;
    if (what < 5) {
        free_voice(editor, editor->voices[v]);
        editor->voices[v] = new_voice(editor, v);
    } else if (what < 35) {
        free_slot(*slot);
        *slot = new_slot(editor);
    } else if (what < 80) {
        CHECK(sink_attach(&(*slot)->sink, source, seconds()));
    } else if (what < 85) {
        sink_detach(&(*slot)->sink);
    } else if (what < 88) {
        settle(editor, v, next(&editor->random) % 2);
    } else if (what < 92) {
        thread_lock(source->home);
        source_mute(source, next(&editor->random) % 2);
        thread_unlock(source->home);
    } else {
        thread_lock(own);
        (*slot)->sink.name = listener;
        CHECK((*slot)->sink.packets == (*slot)->srtp.protected);
        thread_unlock(own);
    }
    editor->edits++;
}

static void *keep_editing(void *argument)
{
    struct editor *editor = argument;
    for (unsigned v = 0; v < SOURCES; v++)
        editor->voices[v] = new_voice(editor, v);
    for (unsigned i = 0; i < SINKS; i++)
        editor->slots[i] = new_slot(editor);
    while (!atomic_load(&over))
        edit(editor);
    for (unsigned v = 0; v < SOURCES; v++)
        free_voice(editor, editor->voices[v]);
    for (unsigned i = 0; i < SINKS; i++)
        free_slot(editor->slots[i]);
    return NULL;
}

/* Take what goes up, as the event loop does; how much it was. */
static uint64_t read_control(void)
{
    uint64_t taken = 0;
    for (unsigned t = 0; t < THREADS; t++) {
        const struct control_entry *entry;
        while ((entry = control_peek(threads[t]))) {
            CHECK(entry->port == ports[t] && entry->data[0] == 0x00);
            control_done(threads[t]);
            taken++;
        }
    }
    return taken;
}

static void open_plane(void)
{
    for (unsigned s = 0; s < SPEAKERS; s++)
        speakers[s] = open_loopback(&speaker_names[s]);
    for (unsigned t = 0; t < THREADS; t++)
        CHECK((threads[t] = thread_new(&SRTP_DOUBLE, threads, t, THREADS)));
    for (unsigned t = 0; t < THREADS; t++) {
        CHECK(thread_start(threads[t]));
        ports[t] = thread_open(threads[t], open_loopback(&locals[t]), sizeof(struct sockaddr_in));
        CHECK(ports[t]);
    }
}

static void close_plane(void)
{
    for (unsigned t = 0; t < THREADS; t++)
        thread_close(threads[t]);
    for (unsigned t = 0; t < THREADS; t++) {
        struct thread *thread = threads[t];
        close(ports[t]->descriptor);
        threads[t] = NULL;
        thread_free(thread);
    }
    for (unsigned s = 0; s < SPEAKERS; s++)
        close(speakers[s]);
}

/* Whatever came went on, went up, or was dropped for a reason. */
static void check_counters(uint64_t passed_up, unsigned long edits)
{
    uint64_t datagrams = 0, rtp = 0, forwarded = 0, full = 0, answered = 0;
    for (unsigned t = 0; t < THREADS; t++) {
        datagrams += threads[t]->datagrams;
        rtp += threads[t]->rtp_packets;
        forwarded += threads[t]->forwarded;
        full += threads[t]->drops[DROP_CONTROL_QUEUE_FULL];
        answered += threads[t]->answered;
    }
    printf("%lu edits, %lu datagrams, %lu of them RTP, %lu answered, %lu forwarded\n", edits,
           (unsigned long)datagrams, (unsigned long)rtp, (unsigned long)answered,
           (unsigned long)forwarded);
    CHECK(datagrams == rtp + passed_up + full + answered);
    CHECK(edits && forwarded && passed_up && answered);
}

int main(int count, char **arguments)
{
    static struct editor editors[EDITORS];
    pthread_t speaker, editing[EDITORS];
    uint64_t passed_up = 0;
    unsigned long edits = 0;
    CHECK(count == 2);
    double end = seconds() + atof(arguments[1]);
    int sink = open_loopback(&listener);
    open_plane();
    for (unsigned e = 0; e < EDITORS; e++) {
        editors[e] = (struct editor){.index = e, .random = 77 + e};
        CHECK(pthread_create(&editing[e], NULL, keep_editing, &editors[e]) == 0);
    }
    CHECK(pthread_create(&speaker, NULL, speak, NULL) == 0);
    while (seconds() < end) {
        passed_up += read_control();
        usleep(1000);
    }
    atomic_store(&over, true);
    pthread_join(speaker, NULL);
    for (unsigned e = 0; e < EDITORS; e++) {
        pthread_join(editing[e], NULL);
        edits += editors[e].edits;
    }
    for (unsigned t = 0; t < THREADS; t++)
        thread_stop(threads[t]);
    check_counters(passed_up + read_control(), edits);
    close_plane();
    close(sink);
    return 0;
}
