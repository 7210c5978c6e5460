/* The way of what is not RTP: the usual checks of connected peers are answered here, all else goes up to the
   event loop through a ring.

   A connected peer's answers and reports come at moments of their own, and waking the event loop costs
   more than looking at them. So they wait in the ring until something else wakes it, or for CONTROL_WAIT,
   and carry the time they came at. */

#include "plane.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

enum { SENDER_REPORT = 200, RECEIVER_REPORT = 201 }; /* RFC 3550 §6.4 */

static void send_answer(struct port *port, const struct sockaddr_storage *name,
                        const unsigned char *answer, size_t length)
{
    struct thread *thread = port->thread;
    int error = EINTR;
    for (unsigned n = 0; error == EINTR && n < FAILURES_BEFORE_PAUSE; n++) {
        ssize_t sent = sendto(port->descriptor, answer, length, MSG_DONTWAIT,
                              (const struct sockaddr *)name, port->name_length);
        error = sent < 0 ? errno : 0;
    }
    if (!error)
        return;
    bool full = error == EAGAIN || error == ENOBUFS; /* as in relay/udp.py */
    count(full ? &thread->answers_blocked : &thread->answers_refused, 1);
    count_error(thread->send_errors, error, 1);
}

/* Whether a settled peer's datagram is a Binding success response, or RTCP that begins with a report. */
static bool may_wait(const struct responder *responder, const unsigned char *data)
{
    if (data[0] == 0x01)
        return data[1] == 0x01;
    return responder->reports_wait && (data[0] & 0xC0) == 0x80 &&
           (data[1] == SENDER_REPORT || data[1] == RECEIVER_REPORT);
}

static void tell(struct thread *thread)
{
    thread->control_told = atomic_load_explicit(&thread->control_head, memory_order_relaxed);
    eventfd_write(thread->upcall, 1);
}

/* Put a datagram into the ring. */
static enum drop_reason hand_up(struct port *port, const unsigned char *data, size_t length,
                                const struct sockaddr_storage *name, double arrival, bool waits)
{
    struct thread *thread = port->thread;
    unsigned head = atomic_load_explicit(&thread->control_head, memory_order_relaxed);
    unsigned waiting = head - atomic_load_explicit(&thread->control_tail, memory_order_acquire);
    if (waiting >= CONTROL_RING ||
        (waiting >= CONTROL_RING - CONTROL_RESERVE && !port_favours(port, name, arrival)))
        return DROP_CONTROL_QUEUE_FULL;
    struct control_entry *entry = &thread->control[head % CONTROL_RING];
    entry->port = port;
    entry->length = length;
    entry->arrival = arrival;
    entry->name = *name;
    memcpy(entry->data, data, length);
    atomic_store_explicit(&thread->control_head, head + 1, memory_order_release);
    if (!waits)
        tell(thread);
    return NOT_DROPPED;
}

double control_wait(struct thread *thread, double now)
{
    unsigned head = atomic_load_explicit(&thread->control_head, memory_order_relaxed);
    unsigned tail = atomic_load_explicit(&thread->control_tail, memory_order_acquire);
    if (head - tail < head - thread->control_told)
        thread->control_told = tail; /* the reader came by itself */
    if (thread->control_told == head)
        return -1;
    double left = thread->control[thread->control_told % CONTROL_RING].arrival + CONTROL_WAIT - now;
    if (left > 0 && head - tail < CONTROL_RING / 2)
        return left;
    tell(thread);
    return -1;
}

enum drop_reason control_take(struct port *port, const unsigned char *data, size_t length,
                              const struct sockaddr_storage *name, double arrival)
{
    unsigned char answer[MAX_ANSWER];
    struct responder *responder = port_responder(port, name);
    size_t answer_length =
        responder ? responder_answer(responder, name, data, length, arrival, answer) : 0;
    if (!answer_length)
        return hand_up(port, data, length, name, arrival, responder && may_wait(responder, data));
    count(&port->thread->answered, 1);
    send_answer(port, name, answer, answer_length);
    return NOT_DROPPED;
}

const struct control_entry *control_peek(struct thread *thread)
{
    unsigned tail = atomic_load_explicit(&thread->control_tail, memory_order_relaxed);
    if (tail == atomic_load_explicit(&thread->control_head, memory_order_acquire))
        return NULL;
    return &thread->control[tail % CONTROL_RING];
}

void control_done(struct thread *thread)
{
    atomic_fetch_add_explicit(&thread->control_tail, 1, memory_order_release);
}
