/* relay._native: the native plane, as relay/native.py uses it.

   Plane(protect, unprotect, remove_stream, threads)   the addresses of libsrtp's functions
   Source(plane, thread, context, owner, now)          context: an srtp_t; owner: what keeps it alive
   Sink(plane, port, name, context, owner, ssrc, sequence, timestamp)

   A port is an index over all threads; a name is a packed sockaddr. Whatever takes a thread's mutex lets
   go of the GIL first. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "plane.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

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
    struct source *source;
} Source;

typedef struct {
    PyObject_HEAD
    Plane *plane;
    PyObject *owner;
    PyObject *following; /* the Source that it is attached to, or NULL */
    struct sink *sink;
} Sink;

static PyTypeObject PlaneType, SourceType, SinkType;

static bool read_name(struct sockaddr_storage *name, const Py_buffer *packed)
{
    if (packed->len != sizeof(struct sockaddr_in) && packed->len != sizeof(struct sockaddr_in6)) {
        PyErr_SetString(PyExc_ValueError, "a name is a sockaddr_in or sockaddr_in6");
        return false;
    }
    memset(name, 0, sizeof *name);
    memcpy(name, packed->buf, (size_t)packed->len);
    return true;
}

static struct port *find_port(const Plane *plane, unsigned index, const Py_buffer *packed)
{
    if (index >= plane->port_count || packed->len != plane->ports[index]->name_length) {
        PyErr_SetString(PyExc_ValueError, "no such port, or a name of another family");
        return NULL;
    }
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
    memcpy(&plane->srtp.protect, &protect, sizeof plane->srtp.protect);
    memcpy(&plane->srtp.unprotect, &unprotect, sizeof plane->srtp.unprotect);
    memcpy(&plane->srtp.remove_stream, &remove_stream, sizeof plane->srtp.remove_stream);
    for (unsigned i = 0; i < thread_count; i++) {
        plane->threads[i] = thread_new(&plane->srtp, plane->threads, i, thread_count);
        if (!plane->threads[i]) {
            PyErr_SetFromErrno(PyExc_OSError);
            Py_DECREF(plane);
            return NULL;
        }
        plane->thread_count++;
    }
    return (PyObject *)plane;
}

static PyObject *plane_stop(Plane *self, PyObject *Py_UNUSED(ignored))
{
    Py_BEGIN_ALLOW_THREADS
    for (unsigned i = 0; i < self->thread_count; i++)
        thread_stop(self->threads[i]);
    for (unsigned i = 0; i < self->thread_count; i++)
        thread_close(self->threads[i]);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static void plane_dealloc(Plane *self)
{
    Py_XDECREF(plane_stop(self, NULL));
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

static PyObject *plane_open(Plane *self, PyObject *arguments)
{
    unsigned thread;
    int descriptor, name_length;
    if (!PyArg_ParseTuple(arguments, "Iii", &thread, &descriptor, &name_length))
        return NULL;
    if (thread >= self->thread_count)
        return PyErr_Format(PyExc_ValueError, "no such thread");
    struct port *port;
    Py_BEGIN_ALLOW_THREADS
    port = thread_open(self->threads[thread], descriptor, (socklen_t)name_length);
    Py_END_ALLOW_THREADS
    if (!port)
        return PyErr_SetFromErrno(PyExc_OSError);
    self->ports[self->port_count] = port;
    return PyLong_FromUnsignedLong(self->port_count++);
}

static PyObject *plane_bind(Plane *self, PyObject *arguments)
{
    unsigned index;
    Py_buffer packed;
    PyObject *source;
    struct sockaddr_storage name;
    if (!PyArg_ParseTuple(arguments, "Iy*O", &index, &packed, &source))
        return NULL;
    struct port *port = find_port(self, index, &packed);
    bool usable = port && read_name(&name, &packed);
    PyBuffer_Release(&packed);
    if (!usable)
        return NULL;
    bool bound = true;
    struct source *native = source == Py_None ? NULL : ((Source *)source)->source;
    Py_BEGIN_ALLOW_THREADS
    thread_lock(port->thread);
    if (native)
        bound = port_bind(port, &name, native);
    else
        port_unbind(port, &name);
    thread_unlock(port->thread);
    Py_END_ALLOW_THREADS
    if (!bound)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* Take a datagram as if it had come from `name` at `arrival`. */
static PyObject *plane_inject(Plane *self, PyObject *arguments)
{
    unsigned index;
    Py_buffer packed, datagram;
    double arrival;
    struct sockaddr_storage name;
    unsigned char data[SLOT_SIZE];
    if (!PyArg_ParseTuple(arguments, "Iy*y*d", &index, &packed, &datagram, &arrival))
        return NULL;
    struct port *port = find_port(self, index, &packed);
    bool usable = port && read_name(&name, &packed);
    size_t length = (size_t)datagram.len;
    memcpy(data, datagram.buf, length < MAX_DATAGRAM ? length : MAX_DATAGRAM);
    PyBuffer_Release(&packed);
    PyBuffer_Release(&datagram);
    if (!usable)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    thread_lock(port->thread);
    port_take(port, data, length, &name, arrival);
    thread_flush(port->thread);
    thread_unlock(port->thread);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *plane_upcall(Plane *self, PyObject *index)
{
    unsigned long thread = PyLong_AsUnsignedLong(index);
    if (thread >= self->thread_count)
        return PyErr_Format(PyExc_ValueError, "no such thread");
    return PyLong_FromLong(self->threads[thread]->upcall);
}

/* The datagrams of a thread's ring, at most `most`: a list of (port, name, datagram). */
static PyObject *plane_control(Plane *self, PyObject *arguments)
{
    unsigned thread, most;
    if (!PyArg_ParseTuple(arguments, "II", &thread, &most))
        return NULL;
    if (thread >= self->thread_count)
        return PyErr_Format(PyExc_ValueError, "no such thread");
    PyObject *list = PyList_New(0);
    const struct control_entry *entry;
    while (list && most-- && (entry = control_peek(self->threads[thread]))) {
        struct port *port = self->threads[thread]->ports[entry->port];
        unsigned index = 0;
        while (self->ports[index] != port)
            index++;
        PyObject *item = Py_BuildValue("Iy#y#", index, &entry->name, (Py_ssize_t)port->name_length,
                                       entry->data, (Py_ssize_t)entry->length);
        control_done(self->threads[thread]);
        if (!item || PyList_Append(list, item))
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

/* `size` counters that lie at `offset` of each thread, added up over the threads. */
static PyObject *sum_counters(Plane *self, size_t offset, unsigned size)
{
    PyObject *values = PyTuple_New(size);
    for (unsigned i = 0; values && i < size; i++) {
        uint64_t sum = 0;
        for (unsigned t = 0; t < self->thread_count; t++) {
            counter *counters = (counter *)((char *)self->threads[t] + offset);
            sum += atomic_load_explicit(&counters[i], memory_order_relaxed);
        }
        PyTuple_SET_ITEM(values, i, PyLong_FromUnsignedLongLong(sum));
    }
    return values;
}

static PyObject *plane_counters(Plane *self, PyObject *Py_UNUSED(ignored))
{
#define SUM(member, size) sum_counters(self, offsetof(struct thread, member), size)
    return Py_BuildValue("NNNNNNN", SUM(datagrams, 1), SUM(rtp_packets, 1), SUM(forwarded, 1),
                         SUM(drops, DROP_REASON_COUNT), SUM(latency, LATENCY_BUCKETS),
                         SUM(latency_nanoseconds, 1), SUM(latency_maximum, 1));
#undef SUM
}

static PyMethodDef plane_methods[] = {
    {"start", (PyCFunction)plane_start, METH_NOARGS, "Start every thread."},
    {"stop", (PyCFunction)plane_stop, METH_NOARGS, "Stop every thread for good, and wait for it."},
    {"open", (PyCFunction)plane_open, METH_VARARGS,
     "open(thread, descriptor, name_length) -> port: serve a bound UDP socket."},
    {"bind", (PyCFunction)plane_bind, METH_VARARGS,
     "bind(port, name, source or None): take RTP from that address as the source's, or as nobody's."},
    {"inject", (PyCFunction)plane_inject, METH_VARARGS,
     "inject(port, name, datagram, arrival): take it as if it had come from there then."},
    {"upcall", (PyCFunction)plane_upcall, METH_O,
     "upcall(thread) -> descriptor: readable when `control` has something."},
    {"control", (PyCFunction)plane_control, METH_VARARGS,
     "control(thread, most) -> [(port, name, datagram)]: what is not RTP."},
    {"counters", (PyCFunction)plane_counters, METH_NOARGS, "Sums over all threads."},
    {NULL, NULL, 0, NULL},
};

/* ---- Source ---- */

static PyObject *source_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    Plane *plane;
    unsigned thread;
    unsigned long long context;
    PyObject *owner;
    double now;
    if (!PyArg_ParseTuple(arguments, "O!IKOd", &PlaneType, &plane, &thread, &context, &owner, &now))
        return NULL;
    if (thread >= plane->thread_count)
        return PyErr_Format(PyExc_ValueError, "no such thread");
    Source *self = (Source *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->source = calloc(1, sizeof *self->source);
    if (!self->source) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    self->source->srtp = (void *)(uintptr_t)context;
    self->source->home = thread;
    self->source->timeline.at = now;
    self->plane = (Plane *)Py_NewRef(plane);
    self->owner = Py_NewRef(owner);
    return (PyObject *)self;
}

static void source_dealloc(Source *self)
{
    if (self->source && self->plane) {
        Py_BEGIN_ALLOW_THREADS
        source_forget(self->source, self->plane->threads, self->plane->thread_count);
        Py_END_ALLOW_THREADS
    }
    free(self->source);
    Py_XDECREF(self->owner);
    Py_XDECREF(self->plane);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *source_mute(Source *self, PyObject *muted)
{
    atomic_store(&self->source->muted, PyObject_IsTrue(muted) == 1);
    Py_RETURN_NONE;
}

/* Numbers that belong together are read under the mutex. */
static PyObject *source_counters(Source *self, PyObject *Py_UNUSED(ignored))
{
    struct source *source = self->source;
    struct thread *home = self->plane->threads[source->home];
    uint64_t packets, payload_bytes, lost_before;
    struct reception reception;
    uint32_t ssrc;
    bool has_ssrc;
    Py_BEGIN_ALLOW_THREADS
    thread_lock(home);
    packets = source->packets;
    payload_bytes = source->payload_bytes;
    lost_before = source->lost_before;
    reception = source->reception;
    ssrc = source->ssrc;
    has_ssrc = source->has_ssrc;
    thread_unlock(home);
    Py_END_ALLOW_THREADS
    return Py_BuildValue("KKKKLLdN", (unsigned long long)packets, (unsigned long long)payload_bytes,
                         (unsigned long long)lost_before, (unsigned long long)reception.received,
                         (long long)reception.base, (long long)reception.highest, reception.jitter,
                         has_ssrc ? PyLong_FromUnsignedLong(ssrc) : Py_NewRef(Py_None));
}

static PyMethodDef source_methods[] = {
    {"mute", (PyCFunction)source_mute, METH_O, "mute(bool): while true, drop what comes."},
    {"counters", (PyCFunction)source_counters, METH_NOARGS,
     "(packets, payload_bytes, lost_before, received, base, highest, jitter, ssrc or None)"},
    {NULL, NULL, 0, NULL},
};

/* ---- Sink ---- */

static PyObject *sink_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    Plane *plane;
    unsigned index, ssrc, timestamp;
    unsigned long long context;
    long long sequence;
    PyObject *owner;
    Py_buffer packed;
    if (!PyArg_ParseTuple(arguments, "O!Iy*KOILI", &PlaneType, &plane, &index, &packed, &context,
                          &owner, &ssrc, &sequence, &timestamp))
        return NULL;
    struct sink *sink = calloc(1, sizeof *sink);
    Sink *self = sink ? (Sink *)type->tp_alloc(type, 0) : NULL;
    struct port *port = find_port(plane, index, &packed);
    bool usable = self && port && read_name(&sink->name, &packed);
    PyBuffer_Release(&packed);
    if (!usable) {
        Py_XDECREF(self);
        free(sink);
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    sink->srtp = (void *)(uintptr_t)context;
    sink->port = port;
    sink->name_length = port->name_length;
    sink->ssrc = ssrc;
    sink->sequence = sequence;
    sink->timestamp = sink->sent_timestamp = timestamp;
    self->sink = sink;
    self->plane = (Plane *)Py_NewRef(plane);
    self->owner = Py_NewRef(owner);
    return (PyObject *)self;
}

static PyObject *sink_detach_method(Sink *self, PyObject *Py_UNUSED(ignored))
{
    Py_BEGIN_ALLOW_THREADS
    sink_detach(self->sink, self->plane->threads);
    Py_END_ALLOW_THREADS
    Py_CLEAR(self->following);
    Py_RETURN_NONE;
}

static void sink_dealloc(Sink *self)
{
    if (self->sink && self->plane)
        Py_XDECREF(sink_detach_method(self, NULL));
    free(self->sink);
    Py_XDECREF(self->owner);
    Py_XDECREF(self->plane);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *sink_attach_method(Sink *self, PyObject *arguments)
{
    PyObject *source;
    double now;
    if (!PyArg_ParseTuple(arguments, "O!d", &SourceType, &source, &now))
        return NULL;
    bool attached;
    Py_BEGIN_ALLOW_THREADS
    attached = sink_attach(self->sink, ((Source *)source)->source, now, self->plane->threads);
    Py_END_ALLOW_THREADS
    if (!attached)
        return PyErr_NoMemory();
    Py_XSETREF(self->following, Py_NewRef(source));
    Py_RETURN_NONE;
}

static PyObject *sink_direct(Sink *self, PyObject *arguments)
{
    unsigned index;
    Py_buffer packed;
    struct sockaddr_storage name;
    if (!PyArg_ParseTuple(arguments, "Iy*", &index, &packed))
        return NULL;
    struct port *port = find_port(self->plane, index, &packed);
    bool usable = port && read_name(&name, &packed);
    PyBuffer_Release(&packed);
    if (!usable)
        return NULL;
    if (port->thread != self->sink->port->thread)
        return PyErr_Format(PyExc_ValueError, "a sink stays on its thread");
    Py_BEGIN_ALLOW_THREADS
    thread_lock(port->thread);
    self->sink->port = port;
    self->sink->name = name;
    thread_unlock(port->thread);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *sink_counters(Sink *self, PyObject *Py_UNUSED(ignored))
{
    struct sink *sink = self->sink;
    uint64_t packets, payload_bytes;
    uint32_t timestamp;
    double sent_at;
    Py_BEGIN_ALLOW_THREADS
    thread_lock(sink->port->thread);
    packets = sink->packets;
    payload_bytes = sink->payload_bytes;
    timestamp = sink->sent_timestamp;
    sent_at = sink->sent_at;
    thread_unlock(sink->port->thread);
    Py_END_ALLOW_THREADS
    return Py_BuildValue("KKkd", (unsigned long long)packets, (unsigned long long)payload_bytes,
                         (unsigned long)timestamp, sent_at);
}

static PyMethodDef sink_methods[] = {
    {"attach", (PyCFunction)sink_attach_method, METH_VARARGS,
     "attach(source, now): follow it from its next packet on."},
    {"detach", (PyCFunction)sink_detach_method, METH_NOARGS, "Follow nothing."},
    {"direct", (PyCFunction)sink_direct, METH_VARARGS, "direct(port, name): send there from now on."},
    {"counters", (PyCFunction)sink_counters, METH_NOARGS,
     "(packets, payload_bytes, timestamp, sent_at)"},
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
TYPE(Sink, sink);

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "relay._native", NULL, -1, NULL};

PyMODINIT_FUNC PyInit__native(void)
{
    static const char *const names[] = {
#define NAME(name) #name,
        DROP_REASONS(NAME)
#undef NAME
    };
    PyObject *self = PyModule_Create(&module);
    PyObject *reasons = PyTuple_New(DROP_REASON_COUNT);
    for (unsigned i = 0; reasons && i < DROP_REASON_COUNT; i++)
        PyTuple_SET_ITEM(reasons, i, PyUnicode_FromString(names[i]));
    if (!self || !reasons || PyModule_AddType(self, &PlaneType) ||
        PyModule_AddType(self, &SourceType) || PyModule_AddType(self, &SinkType) ||
        PyModule_AddObjectRef(self, "DROP_REASONS", reasons))
        return NULL;
    return self;
}
