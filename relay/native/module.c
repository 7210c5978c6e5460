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

#include "module.h"

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

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "relay._native", NULL, -1, functions};

PyMODINIT_FUNC PyInit__native(void)
{
#define NAME(name) #name " "
    static const char names[] = DROP_REASONS(NAME);
#undef NAME
    PyObject *self = PyModule_Create(&module);
    if (self && !PyModule_AddIntConstant(self, "INTERFACE", 12) && /* relay/native.py has it, too */
        !PyModule_AddType(self, &PlaneType) && !PyModule_AddType(self, &SourceType) &&
        !PyModule_AddType(self, &StageType) && !PyModule_AddType(self, &SinkType) &&
        !PyModule_AddStringConstant(self, "DROP_REASONS", names))
        return self;
    Py_XDECREF(self);
    return NULL;
}
