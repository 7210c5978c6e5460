/* relay._native.Plane: threads, ports, and what is known of addresses. */

#include "module.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

struct thread *find_thread(const Plane *plane, unsigned long index)
{
    if (index < plane->thread_count)
        return plane->threads[index];
    PyErr_SetString(PyExc_ValueError, "no such thread");
    return NULL;
}

struct port *find_port(const Plane *plane, unsigned index, const char *packed, Py_ssize_t length,
                       struct sockaddr_storage *name)
{
    if (index >= plane->port_count || length != plane->ports[index]->name_length) {
        PyErr_SetString(PyExc_ValueError, "no such port, or a name of another family");
        return NULL;
    }
    memset(name, 0, sizeof *name);
    memcpy(name, packed, (size_t)length);
    return plane->ports[index];
}

struct port *parse_path(const Plane *plane, PyObject *arguments, struct sockaddr_storage *name,
                        const char *format, ...)
{
    unsigned index;
    const char *packed;
    Py_ssize_t length;
    PyObject *path = PyTuple_GetSlice(arguments, 0, 2);
    PyObject *others = PyTuple_GetSlice(arguments, 2, PY_SSIZE_T_MAX);
    va_list values;
    va_start(values, format);
    bool parsed = path && others && PyArg_ParseTuple(path, "Iy#", &index, &packed, &length) &&
                  PyArg_VaParse(others, format, values);
    va_end(values);
    Py_XDECREF(path);
    Py_XDECREF(others);
    return parsed ? find_port(plane, index, packed, length, name) : NULL;
}

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
        if (!thread_start(self->threads[i])) {
            PyErr_SetFromErrno(PyExc_OSError);
            WITHOUT_GIL(stop(self));
            return NULL;
        }
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
    Source *source;
    struct sockaddr_storage name;
    struct port *port = parse_path(self, arguments, &name, "O!", &SourceType, &source);
    if (!port)
        return NULL;
    if (source->source.home != port->thread)
        return PyErr_Format(PyExc_ValueError, "a source stays on its thread");
    bool bound;
    WITH_MUTEX(port->thread, bound = port_bind(port, &name, &source->source));
    if (!bound)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *plane_unbind(Plane *self, PyObject *arguments)
{
    struct sockaddr_storage name;
    struct port *port = parse_path(self, arguments, &name, "");
    if (!port)
        return NULL;
    WITH_MUTEX(port->thread, port_unbind(port, &name));
    Py_RETURN_NONE;
}

static PyObject *plane_settle(Plane *self, PyObject *arguments)
{
    const unsigned char *password, *body;
    Py_ssize_t password_length, body_length;
    struct sockaddr_storage name;
    int reports_wait;
    struct port *port = parse_path(self, arguments, &name, "y#y#p", &password, &password_length, &body,
                                   &body_length, &reports_wait);
    if (!port)
        return NULL;
    if (body_length > MAX_BODY)
        return PyErr_Format(PyExc_ValueError, "attributes of at most %d bytes", MAX_BODY);
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
    struct sockaddr_storage name;
    int known;
    struct port *port = parse_path(self, arguments, &name, "p", &known);
    if (!port)
        return NULL;
    WITH_MUTEX(port->thread, (known ? port_hush : port_unsettle)(port, &name));
    Py_RETURN_NONE;
}

static PyObject *plane_inject(Plane *self, PyObject *arguments)
{
    const char *datagram;
    Py_ssize_t length;
    double arrival;
    struct sockaddr_storage name;
    _Alignas(64) unsigned char data[SLOT_SIZE];
    struct port *port = parse_path(self, arguments, &name, "y#d", &datagram, &length, &arrival);
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
    uint64_t numbers[GAP_RING];
    size_t count = 0;
    while (thread && count < GAP_RING && (numbers[count] = gap_take(thread)))
        count++;
    return thread ? PyBytes_FromStringAndSize((char *)numbers, (Py_ssize_t)(count * sizeof *numbers))
                  : NULL;
}

/* `size` counters that lie at `offset` of each thread, over all threads: their sums or maxima, of 64 bits. */
static PyObject *over_threads(const Plane *self, size_t offset, unsigned size, bool maxima)
{
    uint64_t wholes[LATENCY_BUCKETS] = {0}; /* there are no more of anything */
    for (unsigned t = 0; t < self->thread_count; t++) {
        counter *counters = (counter *)((char *)self->threads[t] + offset);
        for (unsigned i = 0; i < size; i++) {
            uint64_t value = atomic_load_explicit(&counters[i], memory_order_relaxed);
            wholes[i] = !maxima ? wholes[i] + value : value > wholes[i] ? value : wholes[i];
        }
    }
    return PyBytes_FromStringAndSize((char *)wholes, (Py_ssize_t)(size * sizeof *wholes));
}

static PyObject *plane_counters(Plane *self, PyObject *Py_UNUSED(ignored))
{
#define SUMS(member, size) over_threads(self, offsetof(struct thread, member), size, false)
    return Py_BuildValue(
        "NNNNNNNNNNNNNNN", SUMS(datagrams, 1), SUMS(rtp_packets, 1), SUMS(forwarded, 1),
        SUMS(drops, DROP_REASON_COUNT), SUMS(latency, LATENCY_BUCKETS), SUMS(latency_nanoseconds, 1),
        over_threads(self, offsetof(struct thread, latency_maximum), 1, true), SUMS(retransmitted, 1),
        SUMS(recovered, 1), SUMS(accepted, 1), SUMS(send_errors, ERROR_COUNT),
        SUMS(receive_errors, ERROR_COUNT), SUMS(answered, 1), SUMS(answers_blocked, 1),
        SUMS(answers_refused, 1));
#undef SUMS
}

static PyMethodDef plane_methods[] = {
    {"start", (PyCFunction)plane_start, METH_NOARGS, "Start every thread; for good stopped when that fails."},
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
     "gaps(thread) -> bytes: the numbers, of 64 bits, of sources that left out a sequence number."},
    {"counters", (PyCFunction)plane_counters, METH_NOARGS, "Over all threads: each as bytes, numbers of 64 bits."},
    {NULL, NULL, 0, NULL},
};

TYPE(Plane, plane);
