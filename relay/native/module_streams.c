/* relay._native.Source, Stage and Sink. */

#include "module.h"

#include <stdlib.h>
#include <string.h>

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
    struct thread *home = find_thread(plane, thread);
    Source *self = home ? (Source *)type->tp_alloc(type, 0) : NULL;
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
    self->source.home = home;
    self->source.timeline.at = now;
    return (PyObject *)self;
}

static void source_dealloc(Source *self)
{
    WITHOUT_GIL(source_forget(&self->source));
    Py_XDECREF(self->stage);
    Py_DECREF(self->owner);
    Py_DECREF(self->plane);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *source_mute_method(Source *self, PyObject *arguments)
{
    int muted;
    if (!PyArg_ParseTuple(arguments, "p", &muted))
        return NULL;
    WITH_MUTEX(self->source.home, source_mute(&self->source, muted));
    Py_RETURN_NONE;
}

static PyObject *source_enter(Source *self, PyObject *arguments)
{
    Stage *stage;
    if (!PyArg_ParseTuple(arguments, "O!", &StageType, &stage))
        return NULL;
    if (stage->stage.home != self->source.home)
        return PyErr_Format(PyExc_ValueError, "a stage of another thread");
    WITH_MUTEX(self->source.home, stage_enter(&self->source.contender, &stage->stage));
    Py_XSETREF(self->stage, Py_NewRef(stage));
    Py_RETURN_NONE;
}

static PyObject *source_leave(Source *self, PyObject *Py_UNUSED(ignored))
{
    if (self->stage)
        WITH_MUTEX(self->source.home, stage_leave(&self->source.contender));
    Py_RETURN_NONE;
}

/* Without the mutex: asked for every publisher, many times a second. */
static PyObject *source_levels(Source *self, PyObject *Py_UNUSED(ignored))
{
    uint64_t count = atomic_load_explicit(&self->source.level_count, memory_order_acquire);
    uint64_t energy = atomic_load_explicit(&self->source.level_energy, memory_order_relaxed);
    return Py_BuildValue("KK", U64(energy), U64(count));
}

static PyObject *build_ssrc(bool there_is, uint32_t ssrc)
{
    return there_is ? PyLong_FromUnsignedLong(ssrc) : Py_NewRef(Py_None);
}

/* Numbers that belong together are read under the mutex, here and in sink_counters. */
static PyObject *source_counters(Source *self, PyObject *Py_UNUSED(ignored))
{
    struct source now;
    WITH_MUTEX(self->source.home, now = self->source);
    const struct reception *reception = &now.reception;
    return Py_BuildValue("KKKKNKKLdK", U64(now.packets), U64(now.payload_bytes),
                         U64(now.lost_before + reception_lost(reception)), U64(reception->gaps),
                         build_ssrc(now.has_ssrc, now.ssrc), U64(reception->received),
                         U64(reception_expected(reception)), (long long)reception->highest,
                         reception->jitter, U64(now.recovered));
}

static PyObject *source_missing_method(Source *self, PyObject *Py_UNUSED(ignored))
{
    struct missing missing;
    WITHOUT_GIL(missing = source_missing(&self->source));
    return Py_BuildValue("Ny#", build_ssrc(missing.has_ssrc, missing.ssrc), missing.sequences,
                         (Py_ssize_t)(missing.count * sizeof *missing.sequences));
}

static PyMethodDef source_methods[] = {
    {"mute", (PyCFunction)source_mute_method, METH_VARARGS, "mute(bool): while true, drop what comes."},
    {"enter", (PyCFunction)source_enter, METH_VARARGS,
     "enter(stage): be forwarded only while it has a seat there."},
    {"leave", (PyCFunction)source_leave, METH_NOARGS, "Give the seat back, if there is one."},
    {"levels", (PyCFunction)source_levels, METH_NOARGS, "(level_energy, level_count)"},
    {"counters", (PyCFunction)source_counters, METH_NOARGS,
     "(packets, payload_bytes, lost, gaps, ssrc or None, received, expected, highest, jitter, recovered)"},
    {"missing", (PyCFunction)source_missing_method, METH_NOARGS,
     "missing() -> (ssrc or None, bytes): of the latest sequence numbers, each of 16 bits, those that have"
     " not come, oldest first."},
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
    struct thread *home = find_thread(plane, thread);
    Stage *self = home ? (Stage *)type->tp_alloc(type, 0) : NULL;
    if (!self)
        return NULL;
    self->plane = (Plane *)Py_NewRef(plane);
    self->stage.home = home;
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
    WITHOUT_GIL(sink_detach(&self->sink));
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
    WITHOUT_GIL(attached = sink_attach(&self->sink, &source->source, now));
    if (!attached)
        return PyErr_NoMemory();
    Py_XSETREF(self->following, Py_NewRef(source));
    Py_RETURN_NONE;
}

static PyObject *sink_direct(Sink *self, PyObject *arguments)
{
    struct sockaddr_storage name;
    struct port *port = parse_path(self->plane, arguments, &name, "");
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
    WITHOUT_GIL(there = sink_retransmit(&self->sink, numbers, count));
    return PyLong_FromUnsignedLong(there);
}

static PyObject *sink_counters(Sink *self, PyObject *Py_UNUSED(ignored))
{
    struct sink now;
    WITH_MUTEX(self->sink.port->thread, now = self->sink);
    return Py_BuildValue("KKkdK", U64(now.packets), U64(now.payload_bytes),
                         (unsigned long)now.sent_timestamp, now.sent_at, U64(now.retransmitted));
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

TYPE(Source, source);
TYPE(Stage, stage);
TYPE(Sink, sink);
