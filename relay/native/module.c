/* relay._native: the native plane, as relay/native.py uses it.

   Plane(protect, unprotect, remove_stream, threads)   the addresses of libsrtp's functions
   Source(plane, thread, context, owner, now[, red, number])
   Sink(plane, port, name, context, owner, ssrc, sequence, timestamp[, red, nack])
                                                       context: an srtp_t; owner: what keeps it alive;
                                                       number: tells whose gap it is, 0: of no interest
   Stage(plane, thread, seats)
   call_apart(function, first, second)                 of two pointers, on another thread

   A port is an index over all threads; a name is a packed sockaddr. Whatever takes a thread's mutex lets
   go of the GIL first. A source and a sink stay on their threads. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "plane.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

typedef struct {
    PyObject_HEAD
    struct srtp_api srtp;
    struct thread *threads[MAX_THREADS];
    unsigned thread_count;
    struct port *ports[MAX_THREADS * MAX_PORTS];
    unsigned port_count;
} Plane;

typedef struct {
    PyObject_HEAD
    Plane *plane;
    PyObject *owner;
    PyObject *stage; /* the Stage that it entered, or NULL */
    struct source source;
} Source;

typedef struct {
    PyObject_HEAD
    Plane *plane;
    struct stage stage;
} Stage;

typedef struct {
    PyObject_HEAD
    Plane *plane;
    PyObject *owner;
    PyObject *following; /* the Source that it is attached to, or NULL */
    struct sink sink;
} Sink;

static PyTypeObject PlaneType, SourceType, StageType, SinkType;

#define WITHOUT_GIL(...)                                                                           \
    do {                                                                                           \
        Py_BEGIN_ALLOW_THREADS                                                                     \
        __VA_ARGS__;                                                                               \
        Py_END_ALLOW_THREADS                                                                       \
    } while (0)

#define WITH_MUTEX(thread, ...) WITHOUT_GIL(thread_lock(thread); __VA_ARGS__; thread_unlock(thread))

/* The thread of an index, or NULL with an exception. */
static struct thread *find_thread(const Plane *plane, unsigned long index)
{
    if (index < plane->thread_count)
        return plane->threads[index];
    PyErr_SetString(PyExc_ValueError, "no such thread");
    return NULL;
}

/* The port of an index, and a name of its family from packed bytes; NULL with an exception. */
static struct port *find_port(const Plane *plane, unsigned index, const char *packed,
                              Py_ssize_t length, struct sockaddr_storage *name)
{
    if (index >= plane->port_count || length != plane->ports[index]->name_length) {
        PyErr_SetString(PyExc_ValueError, "no such port, or a name of another family");
        return NULL;
    }
    memset(name, 0, sizeof *name);
    memcpy(name, packed, (size_t)length);
    return plane->ports[index];
}

/* ---- Plane ---- */

static PyObject *plane_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    unsigned long long protect, unprotect, remove_stream;
    unsigned thread_count;
    if (!PyArg_ParseTuple(arguments, "KKKI", &protect, &unprotect, &remove_stream, &thread_count))
        return NULL;
    if (thread_count < 1 || thread_count > MAX_THREADS)
        return PyErr_Format(PyExc_ValueError, "1 to %d threads", MAX_THREADS);
    Plane *plane = (Plane *)type->tp_alloc(type, 0);
    if (!plane)
        return NULL;
    plane->srtp = (struct srtp_api){(srtp_transform *)(uintptr_t)protect,
                                    (srtp_transform *)(uintptr_t)unprotect,
                                    (srtp_removal *)(uintptr_t)remove_stream};
    for (; plane->thread_count < thread_count; plane->thread_count++) {
        unsigned index = plane->thread_count;
        plane->threads[index] = thread_new(&plane->srtp, plane->threads, index, thread_count);
        if (!plane->threads[index]) {
            PyErr_SetFromErrno(PyExc_OSError);
            Py_DECREF(plane);
            return NULL;
        }
    }
    return (PyObject *)plane;
}

static void stop(Plane *self)
{
    for (unsigned i = 0; i < self->thread_count; i++)
        thread_stop(self->threads[i]);
    for (unsigned i = 0; i < self->thread_count; i++)
        thread_close(self->threads[i]);
}

static PyObject *plane_stop(Plane *self, PyObject *Py_UNUSED(ignored))
{
    WITHOUT_GIL(stop(self));
    Py_RETURN_NONE;
}

static void plane_dealloc(Plane *self)
{
    WITHOUT_GIL(stop(self));
    for (unsigned i = 0; i < self->thread_count; i++)
        thread_free(self->threads[i]);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *plane_start(Plane *self, PyObject *Py_UNUSED(ignored))
{
    for (unsigned i = 0; i < self->thread_count; i++)
        if (!thread_start(self->threads[i]))
            return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyObject *plane_hurry(Plane *self, PyObject *Py_UNUSED(ignored))
{
    bool allowed = true;
    for (unsigned i = 0; i < self->thread_count; i++)
        allowed = thread_hurry(self->threads[i]) && allowed;
    return PyBool_FromLong(allowed);
}

static PyObject *plane_open(Plane *self, PyObject *arguments)
{
    unsigned index;
    int descriptor, name_length;
    if (!PyArg_ParseTuple(arguments, "Iii", &index, &descriptor, &name_length))
        return NULL;
    if (name_length != sizeof(struct sockaddr_in) && name_length != sizeof(struct sockaddr_in6))
        return PyErr_Format(PyExc_ValueError, "a name is a sockaddr_in or sockaddr_in6");
    struct thread *thread = find_thread(self, index);
    if (!thread)
        return NULL;
    struct port *port;
    WITHOUT_GIL(port = thread_open(thread, descriptor, (socklen_t)name_length));
    if (!port)
        return PyErr_SetFromErrno(PyExc_OSError);
    port->number = self->port_count++;
    self->ports[port->number] = port;
    return PyLong_FromUnsignedLong(port->number);
}

static PyObject *plane_bind(Plane *self, PyObject *arguments)
{
    unsigned index;
    const char *packed;
    Py_ssize_t length;
    Source *source;
    struct sockaddr_storage name;
    if (!PyArg_ParseTuple(arguments, "Iy#O!", &index, &packed, &length, &SourceType, &source))
        return NULL;
    struct port *port = find_port(self, index, packed, length, &name);
    if (!port)
        return NULL;
    if (source->plane != self || source->source.home != port->thread->index)
        return PyErr_Format(PyExc_ValueError, "a source stays on its thread");
    bool bound;
    WITH_MUTEX(port->thread, bound = port_bind(port, &name, &source->source));
    if (!bound)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *plane_unbind(Plane *self, PyObject *arguments)
{
    unsigned index;
    const char *packed;
    Py_ssize_t length;
    struct sockaddr_storage name;
    if (!PyArg_ParseTuple(arguments, "Iy#", &index, &packed, &length))
        return NULL;
    struct port *port = find_port(self, index, packed, length, &name);
    if (!port)
        return NULL;
    WITH_MUTEX(port->thread, port_unbind(port, &name));
    Py_RETURN_NONE;
}

static PyObject *plane_settle(Plane *self, PyObject *arguments)
{
    unsigned index;
    const char *packed;
    const unsigned char *password, *body;
    Py_ssize_t length, password_length, body_length;
    struct sockaddr_storage name;
    int reports_wait;
    if (!PyArg_ParseTuple(arguments, "Iy#y#y#p", &index, &packed, &length, &password,
                          &password_length, &body, &body_length, &reports_wait))
        return NULL;
    struct port *port = find_port(self, index, packed, length, &name);
    if (!port)
        return NULL;
    if (body_length > MAX_CHECK)
        return PyErr_Format(PyExc_ValueError, "a check of at most %d bytes", MAX_CHECK);
    struct responder *responder =
        responder_new(password, (size_t)password_length, body, (size_t)body_length, reports_wait);
    bool settled = responder != NULL;
    if (settled)
        WITH_MUTEX(port->thread, settled = port_settle(port, &name, responder));
    if (!settled) {
        free(responder);
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

static PyObject *plane_unsettle(Plane *self, PyObject *arguments)
{
    unsigned index;
    const char *packed;
    Py_ssize_t length;
    struct sockaddr_storage name;
    int known;
    if (!PyArg_ParseTuple(arguments, "Iy#p", &index, &packed, &length, &known))
        return NULL;
    struct port *port = find_port(self, index, packed, length, &name);
    if (!port)
        return NULL;
    WITH_MUTEX(port->thread, (known ? port_hush : port_unsettle)(port, &name));
    Py_RETURN_NONE;
}

static PyObject *plane_inject(Plane *self, PyObject *arguments)
{
    unsigned index;
    const char *packed, *datagram;
    Py_ssize_t name_length, length;
    double arrival;
    struct sockaddr_storage name;
    _Alignas(64) unsigned char data[SLOT_SIZE];
    if (!PyArg_ParseTuple(arguments, "Iy#y#d", &index, &packed, &name_length, &datagram, &length,
                          &arrival))
        return NULL;
    struct port *port = find_port(self, index, packed, name_length, &name);
    if (!port)
        return NULL;
    memcpy(data, datagram, (size_t)(length < MAX_DATAGRAM ? length : MAX_DATAGRAM));
    WITH_MUTEX(port->thread, port_take(port, data, (size_t)length, &name, arrival);
               thread_flush(port->thread));
    eventfd_write(port->thread->wake, 1); /* it looks whether something waits in the ring */
    Py_RETURN_NONE;
}

static PyObject *plane_upcall(Plane *self, PyObject *index)
{
    const struct thread *thread = find_thread(self, PyLong_AsUnsignedLong(index));
    return thread ? PyLong_FromLong(thread->upcall) : NULL;
}

static PyObject *plane_control(Plane *self, PyObject *arguments)
{
    unsigned index, most;
    if (!PyArg_ParseTuple(arguments, "II", &index, &most))
        return NULL;
    struct thread *thread = find_thread(self, index);
    PyObject *list = thread ? PyList_New(0) : NULL;
    const struct control_entry *entry;
    while (list && most-- && (entry = control_peek(thread))) {
        PyObject *item = Py_BuildValue("Iy#y#d", entry->port->number, &entry->name,
                                       (Py_ssize_t)entry->port->name_length, entry->data,
                                       (Py_ssize_t)entry->length, entry->arrival);
        control_done(thread);
        if (!item || PyList_Append(list, item))
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *plane_gaps(Plane *self, PyObject *index)
{
    struct thread *thread = find_thread(self, PyLong_AsUnsignedLong(index));
    PyObject *list = thread ? PyList_New(0) : NULL;
    for (uint64_t number; list && (number = gap_take(thread));) {
        PyObject *item = PyLong_FromUnsignedLongLong(number);
        if (!item || PyList_Append(list, item))
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

/* `size` counters that lie at `offset` of each thread, over all threads: their sums or maxima. */
static PyObject *over_threads(const Plane *self, size_t offset, unsigned size, bool maxima)
{
    PyObject *values = PyTuple_New(size);
    for (unsigned i = 0; values && i < size; i++) {
        uint64_t whole = 0;
        for (unsigned t = 0; t < self->thread_count; t++) {
            counter *counters = (counter *)((char *)self->threads[t] + offset);
            uint64_t value = atomic_load_explicit(&counters[i], memory_order_relaxed);
            whole = !maxima ? whole + value : value > whole ? value : whole;
        }
        PyTuple_SET_ITEM(values, i, PyLong_FromUnsignedLongLong(whole));
    }
    return values;
}

static PyObject *plane_counters(Plane *self, PyObject *Py_UNUSED(ignored))
{
#define OVER_THREADS(member, size, maxima)                                                         \
    over_threads(self, offsetof(struct thread, member), size, maxima)
    return Py_BuildValue("NNNNNNNNNNNNNNN", OVER_THREADS(datagrams, 1, false),
                         OVER_THREADS(rtp_packets, 1, false), OVER_THREADS(forwarded, 1, false),
                         OVER_THREADS(drops, DROP_REASON_COUNT, false),
                         OVER_THREADS(latency, LATENCY_BUCKETS, false),
                         OVER_THREADS(latency_nanoseconds, 1, false),
                         OVER_THREADS(latency_maximum, 1, true),
                         OVER_THREADS(retransmitted, 1, false), OVER_THREADS(recovered, 1, false),
                         OVER_THREADS(accepted, 1, false),
                         OVER_THREADS(send_errors, ERROR_COUNT, false),
                         OVER_THREADS(receive_errors, ERROR_COUNT, false),
                         OVER_THREADS(answered, 1, false), OVER_THREADS(answers_blocked, 1, false),
                         OVER_THREADS(answers_refused, 1, false));
#undef OVER_THREADS
}

static PyMethodDef plane_methods[] = {
    {"start", (PyCFunction)plane_start, METH_NOARGS, "Start every thread."},
    {"hurry", (PyCFunction)plane_hurry, METH_NOARGS,
     "Ask for real-time priority for every started thread; whether the system allows it."},
    {"stop", (PyCFunction)plane_stop, METH_NOARGS, "Stop every thread for good, and wait for it."},
    {"open", (PyCFunction)plane_open, METH_VARARGS,
     "open(thread, descriptor, name_length) -> port: serve a bound UDP socket."},
    {"bind", (PyCFunction)plane_bind, METH_VARARGS,
     "bind(port, name, source): take RTP from that address as the source's."},
    {"unbind", (PyCFunction)plane_unbind, METH_VARARGS,
     "unbind(port, name): take RTP from that address as nobody's."},
    {"settle", (PyCFunction)plane_settle, METH_VARARGS,
     "settle(port, name, password, body, reports_wait): answer checks with these attributes from that"
     " address; whether its RTCP reports may wait."},
    {"unsettle", (PyCFunction)plane_unsettle, METH_VARARGS,
     "unsettle(port, name, known): answer none from that address; whether it is no stranger's yet."},
    {"inject", (PyCFunction)plane_inject, METH_VARARGS,
     "inject(port, name, datagram, arrival): take it as if it had come from there then."},
    {"upcall", (PyCFunction)plane_upcall, METH_O,
     "upcall(thread) -> descriptor: readable when `control` has something."},
    {"control", (PyCFunction)plane_control, METH_VARARGS,
     "control(thread, most) -> [(port, name, datagram, arrival)]: what is not RTP, oldest first."},
    {"gaps", (PyCFunction)plane_gaps, METH_O,
     "gaps(thread) -> [number]: the sources that left out a sequence number."},
    {"counters", (PyCFunction)plane_counters, METH_NOARGS, "Over all threads."},
    {NULL, NULL, 0, NULL},
};

/* ---- Source ---- */

static PyObject *source_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    Plane *plane;
    unsigned thread;
    unsigned long long context, number = 0;
    PyObject *owner;
    double now;
    int red = 0;
    if (!PyArg_ParseTuple(arguments, "O!IKOd|pK", &PlaneType, &plane, &thread, &context, &owner, &now,
                          &red, &number))
        return NULL;
    struct history *history = red || number ? history_new() : NULL;
    if ((red || number) && !history)
        return PyErr_NoMemory();
    Source *self = find_thread(plane, thread) ? (Source *)type->tp_alloc(type, 0) : NULL;
    if (!self) {
        free(history);
        return NULL;
    }
    self->plane = (Plane *)Py_NewRef(plane);
    self->owner = Py_NewRef(owner);
    self->source.red = red;
    self->source.nack = number != 0;
    self->source.number = number;
    self->source.history = history;
    self->source.srtp = (void *)(uintptr_t)context;
    self->source.home = thread;
    self->source.timeline.at = now;
    return (PyObject *)self;
}

static void source_dealloc(Source *self)
{
    WITHOUT_GIL(source_forget(&self->source, self->plane->threads, self->plane->thread_count));
    Py_XDECREF(self->stage);
    Py_DECREF(self->owner);
    Py_DECREF(self->plane);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *source_mute(Source *self, PyObject *arguments)
{
    int muted;
    if (!PyArg_ParseTuple(arguments, "p", &muted))
        return NULL;
    atomic_store(&self->source.muted, muted);
    Py_RETURN_NONE;
}

static PyObject *source_enter(Source *self, PyObject *arguments)
{
    Stage *stage;
    if (!PyArg_ParseTuple(arguments, "O!", &StageType, &stage))
        return NULL;
    if (stage->plane != self->plane || stage->stage.home != self->source.home)
        return PyErr_Format(PyExc_ValueError, "a stage of another thread");
    WITH_MUTEX(self->plane->threads[self->source.home],
               stage_enter(&self->source.contender, &stage->stage));
    Py_XSETREF(self->stage, Py_NewRef(stage));
    Py_RETURN_NONE;
}

static PyObject *source_leave(Source *self, PyObject *Py_UNUSED(ignored))
{
    if (self->stage)
        WITH_MUTEX(self->plane->threads[self->source.home], stage_leave(&self->source.contender));
    Py_RETURN_NONE;
}

/* Without the mutex: asked for every publisher, many times a second. */
static PyObject *source_levels(Source *self, PyObject *Py_UNUSED(ignored))
{
    uint64_t count = atomic_load_explicit(&self->source.level_count, memory_order_acquire);
    uint64_t energy = atomic_load_explicit(&self->source.level_energy, memory_order_relaxed);
    return Py_BuildValue("KK", (unsigned long long)energy, (unsigned long long)count);
}

/* Numbers that belong together are read under the mutex, here and in sink_counters. */
static PyObject *source_counters(Source *self, PyObject *Py_UNUSED(ignored))
{
    struct source now;
    WITH_MUTEX(self->plane->threads[self->source.home], now = self->source);
    return Py_BuildValue("KKKKKKKKLLdNK", (unsigned long long)now.packets,
                         (unsigned long long)now.payload_bytes, (unsigned long long)now.lost_before,
                         (unsigned long long)now.reception.gaps,
                         (unsigned long long)now.level_energy, (unsigned long long)now.level_count,
                         (unsigned long long)now.voice_count,
                         (unsigned long long)now.reception.received, (long long)now.reception.base,
                         (long long)now.reception.highest, now.reception.jitter,
                         now.has_ssrc ? PyLong_FromUnsignedLong(now.ssrc) : Py_NewRef(Py_None),
                         (unsigned long long)now.recovered);
}

static PyObject *source_missing_method(Source *self, PyObject *Py_UNUSED(ignored))
{
    struct missing missing;
    WITHOUT_GIL(missing = source_missing(&self->source, self->plane->threads));
    PyObject *list = PyList_New(missing.count);
    for (unsigned i = 0; list && i < missing.count; i++)
        PyList_SET_ITEM(list, i, PyLong_FromUnsignedLong(missing.sequences[i]));
    PyObject *ssrc = missing.has_ssrc ? PyLong_FromUnsignedLong(missing.ssrc) : Py_NewRef(Py_None);
    return Py_BuildValue("NN", ssrc, list);
}

static PyMethodDef source_methods[] = {
    {"mute", (PyCFunction)source_mute, METH_VARARGS, "mute(bool): while true, drop what comes."},
    {"enter", (PyCFunction)source_enter, METH_VARARGS,
     "enter(stage): be forwarded only while it has a seat there."},
    {"leave", (PyCFunction)source_leave, METH_NOARGS, "Give the seat back, if there is one."},
    {"levels", (PyCFunction)source_levels, METH_NOARGS, "(level_energy, level_count)"},
    {"counters", (PyCFunction)source_counters, METH_NOARGS,
     "(packets, payload_bytes, lost_before, gaps, level_energy, level_count, voice_count, received, base,"
     " highest, jitter, ssrc or None, recovered)"},
    {"missing", (PyCFunction)source_missing_method, METH_NOARGS,
     "missing() -> (ssrc or None, [sequence]): of the latest, those that have not come, oldest first."},
    {NULL, NULL, 0, NULL},
};

/* ---- Stage ---- */

static PyObject *stage_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    Plane *plane;
    unsigned thread, seats;
    if (!PyArg_ParseTuple(arguments, "O!II", &PlaneType, &plane, &thread, &seats))
        return NULL;
    if (seats < 1 || seats > MAX_SEATS)
        return PyErr_Format(PyExc_ValueError, "1 to %d seats", MAX_SEATS);
    Stage *self = find_thread(plane, thread) ? (Stage *)type->tp_alloc(type, 0) : NULL;
    if (!self)
        return NULL;
    self->plane = (Plane *)Py_NewRef(plane);
    self->stage.home = thread;
    self->stage.seats = seats;
    return (PyObject *)self;
}

static void stage_dealloc(Stage *self) /* its sources, which hold it, are gone */
{
    Py_DECREF(self->plane);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef stage_methods[] = {{NULL, NULL, 0, NULL}};

/* ---- Sink ---- */

static PyObject *sink_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    Plane *plane;
    unsigned index, ssrc, timestamp;
    const char *packed;
    Py_ssize_t length;
    unsigned long long context;
    PyObject *owner;
    long long sequence;
    struct sockaddr_storage name;
    int red = 0, nack = 0;
    if (!PyArg_ParseTuple(arguments, "O!Iy#KOILI|pp", &PlaneType, &plane, &index, &packed, &length,
                          &context, &owner, &ssrc, &sequence, &timestamp, &red, &nack))
        return NULL;
    struct port *port = find_port(plane, index, packed, length, &name);
    Sink *self = port ? (Sink *)type->tp_alloc(type, 0) : NULL;
    if (!self)
        return NULL;
    self->plane = (Plane *)Py_NewRef(plane);
    self->owner = Py_NewRef(owner);
    self->sink = (struct sink){
        .srtp = (void *)(uintptr_t)context,
        .port = port,
        .name = name,
        .ssrc = ssrc,
        .sequence = sequence,
        .timestamp = timestamp,
        .sent_timestamp = timestamp,
        .red = red,
        .nack = nack,
    };
    return (PyObject *)self;
}

static PyObject *sink_detach_method(Sink *self, PyObject *Py_UNUSED(ignored))
{
    WITHOUT_GIL(sink_detach(&self->sink, self->plane->threads));
    Py_CLEAR(self->following);
    Py_RETURN_NONE;
}

static void sink_dealloc(Sink *self)
{
    Py_DECREF(sink_detach_method(self, NULL));
    Py_DECREF(self->owner);
    Py_DECREF(self->plane);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *sink_attach_method(Sink *self, PyObject *arguments)
{
    Source *source;
    double now;
    if (!PyArg_ParseTuple(arguments, "O!d", &SourceType, &source, &now))
        return NULL;
    if (source->plane != self->plane)
        return PyErr_Format(PyExc_ValueError, "a source of another plane");
    bool attached;
    WITHOUT_GIL(attached = sink_attach(&self->sink, &source->source, now, self->plane->threads));
    if (!attached)
        return PyErr_NoMemory();
    Py_XSETREF(self->following, Py_NewRef(source));
    Py_RETURN_NONE;
}

static PyObject *sink_direct(Sink *self, PyObject *arguments)
{
    unsigned index;
    const char *packed;
    Py_ssize_t length;
    struct sockaddr_storage name;
    if (!PyArg_ParseTuple(arguments, "Iy#", &index, &packed, &length))
        return NULL;
    struct port *port = find_port(self->plane, index, packed, length, &name);
    if (!port)
        return NULL;
    if (port->thread != self->sink.port->thread)
        return PyErr_Format(PyExc_ValueError, "a sink stays on its thread");
    WITH_MUTEX(port->thread, self->sink.port = port; self->sink.name = name);
    Py_RETURN_NONE;
}

static PyObject *sink_retransmit_method(Sink *self, PyObject *sequences)
{
    uint16_t numbers[HISTORY_PACKETS]; /* more than there can be are of no use */
    PyObject *fast = PySequence_Fast(sequences, "sequence numbers");
    if (!fast)
        return NULL;
    unsigned count = 0;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(fast) && count < HISTORY_PACKETS; i++)
        numbers[count++] = (uint16_t)PyLong_AsUnsignedLongMask(PySequence_Fast_GET_ITEM(fast, i));
    Py_DECREF(fast);
    if (PyErr_Occurred())
        return NULL;
    unsigned there;
    WITHOUT_GIL(there = sink_retransmit(&self->sink, numbers, count, self->plane->threads));
    return PyLong_FromUnsignedLong(there);
}

static PyObject *sink_counters(Sink *self, PyObject *Py_UNUSED(ignored))
{
    struct sink now;
    WITH_MUTEX(self->sink.port->thread, now = self->sink);
    return Py_BuildValue("KKkdK", (unsigned long long)now.packets,
                         (unsigned long long)now.payload_bytes, (unsigned long)now.sent_timestamp,
                         now.sent_at, (unsigned long long)now.retransmitted);
}

static PyMethodDef sink_methods[] = {
    {"attach", (PyCFunction)sink_attach_method, METH_VARARGS,
     "attach(source, now): follow it from its next packet on."},
    {"detach", (PyCFunction)sink_detach_method, METH_NOARGS, "Follow nothing."},
    {"direct", (PyCFunction)sink_direct, METH_VARARGS, "direct(port, name): send there from now on."},
    {"counters", (PyCFunction)sink_counters, METH_NOARGS,
     "(packets, payload_bytes, timestamp, sent_at, retransmitted)"},
    {"retransmit", (PyCFunction)sink_retransmit_method, METH_O,
     "retransmit(sequences) -> how many there were: send packets once more."},
    {NULL, NULL, 0, NULL},
};

/* ---- memory side by side ---- */

struct errand {
    int (*function)(void *first, void *second);
    void *first, *second;
    int result;
};

static void *run_errand(void *argument)
{
    struct errand *errand = argument;
    errand->result = errand->function(errand->first, errand->second);
    return NULL;
}

/* glibc's threads allocate from arenas of their own, and this one's is used for nothing else: what it
   makes lies side by side, not in the holes that the interpreter's memory has. A thousand SRTP contexts
   that are visited in turn fifty times a second are read a third faster so. The thread ends with the call,
   and the next one gets its arena. The GIL is kept: it takes some 30 us, and who waits for it with the GIL
   in another's hands may wait a hundred times as long. */
static PyObject *call_apart(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    unsigned long long function, first, second;
    pthread_t thread;
    if (!PyArg_ParseTuple(arguments, "KKK", &function, &first, &second))
        return NULL;
    struct errand errand = {.function = (int (*)(void *, void *))(uintptr_t)function,
                            .first = (void *)(uintptr_t)first,
                            .second = (void *)(uintptr_t)second};
    if (pthread_create(&thread, NULL, run_errand, &errand) == 0)
        pthread_join(thread, NULL);
    else
        run_errand(&errand);
    return PyLong_FromLong(errand.result);
}

static PyMethodDef functions[] = {
    {"call_apart", (PyCFunction)call_apart, METH_VARARGS,
     "call_apart(function, first, second): its int, called on a thread whose memory lies by itself."},
    {NULL, NULL, 0, NULL},
};

/* ---- the module ---- */

#define TYPE(Name, prefix)                                                                         \
    static PyTypeObject Name##Type = {                                                             \
        PyVarObject_HEAD_INIT(NULL, 0).tp_name = "relay._native." #Name,                           \
        .tp_basicsize = sizeof(Name),                                                              \
        .tp_flags = Py_TPFLAGS_DEFAULT,                                                            \
        .tp_new = prefix##_new,                                                                    \
        .tp_dealloc = (destructor)prefix##_dealloc,                                                \
        .tp_methods = prefix##_methods,                                                            \
    }

TYPE(Plane, plane);
TYPE(Source, source);
TYPE(Stage, stage);
TYPE(Sink, sink);

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "relay._native", NULL, -1, functions};

PyMODINIT_FUNC PyInit__native(void)
{
#define NAME(name) #name " "
    static const char names[] = DROP_REASONS(NAME);
#undef NAME
    PyObject *self = PyModule_Create(&module);
    if (self && !PyModule_AddIntConstant(self, "INTERFACE", 10) && /* relay/native.py has it, too */
        !PyModule_AddType(self, &PlaneType) && !PyModule_AddType(self, &SourceType) &&
        !PyModule_AddType(self, &StageType) && !PyModule_AddType(self, &SinkType) &&
        !PyModule_AddStringConstant(self, "DROP_REASONS", names))
        return self;
    Py_XDECREF(self);
    return NULL;
}
