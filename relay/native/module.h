/* What the parts of relay._native share: its Python objects. module.c tells what they are for. */

#ifndef RTP_RELAY_MODULE_H
#define RTP_RELAY_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "plane.h"

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

extern PyTypeObject PlaneType, SourceType, StageType, SinkType;

#define TYPE(Name, prefix)                                                                         \
    PyTypeObject Name##Type = {                                                                    \
        PyVarObject_HEAD_INIT(NULL, 0).tp_name = "relay._native." #Name,                           \
        .tp_basicsize = sizeof(Name),                                                              \
        .tp_flags = Py_TPFLAGS_DEFAULT,                                                            \
        .tp_new = prefix##_new,                                                                    \
        .tp_dealloc = (destructor)prefix##_dealloc,                                                \
        .tp_methods = prefix##_methods,                                                            \
    }

#define WITHOUT_GIL(...)                                                                           \
    do {                                                                                           \
        Py_BEGIN_ALLOW_THREADS                                                                     \
        __VA_ARGS__;                                                                               \
        Py_END_ALLOW_THREADS                                                                       \
    } while (0)

#define WITH_MUTEX(thread, ...) WITHOUT_GIL(thread_lock(thread); __VA_ARGS__; thread_unlock(thread))

/* The thread of an index, or NULL with an exception. */
struct thread *find_thread(const Plane *plane, unsigned long index);

/* The port of an index, and a name of its family from packed bytes; NULL with an exception. */
struct port *find_port(const Plane *plane, unsigned index, const char *packed, Py_ssize_t length,
                       struct sockaddr_storage *name);

/* The same of those that arguments begin with, and the rest of them by PyArg_ParseTuple's format; NULL with
   an exception. */
struct port *parse_path(const Plane *plane, PyObject *arguments, struct sockaddr_storage *name,
                        const char *format, ...);

/* For Py_BuildValue's K. */
#define U64(value) ((unsigned long long)(value))

#endif
