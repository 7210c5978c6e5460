/* What is known of the addresses that a port hears from: whose RTP comes by them, and whose checks are
   answered. Open addressing, linear probing, at most half full. */

#include "plane.h"

#include <stdlib.h>
#include <string.h>

static bool is_empty(const struct binding *binding) { return !binding->source && !binding->responder; }

static size_t name_hash(const struct port *port, const struct sockaddr_storage *name)
{
    const unsigned char *bytes = (const unsigned char *)name;
    uint64_t hash = port->thread->seed;
    for (socklen_t i = 2; i < port->name_length; i++) /* the family is the socket's */
        hash = (hash ^ bytes[i]) * 0x100000001B3u;
    return (size_t)(hash ^ hash >> 29) & (port->binding_capacity - 1);
}

/* The entry of a name, or the empty one where it would be; NULL before there are any. */
static struct binding *find_binding(const struct port *port, const struct sockaddr_storage *name)
{
    if (port->binding_capacity == 0)
        return NULL;
    size_t at = name_hash(port, name);
    while (!is_empty(&port->bindings[at]) &&
           memcmp(&port->bindings[at].name, name, port->name_length) != 0)
        at = (at + 1) & (port->binding_capacity - 1);
    return &port->bindings[at];
}

struct source *port_find(const struct port *port, const struct sockaddr_storage *name)
{
    const struct binding *binding = find_binding(port, name);
    return binding ? binding->source : NULL;
}

struct responder *port_responder(const struct port *port, const struct sockaddr_storage *name)
{
    const struct binding *binding = find_binding(port, name);
    struct responder *responder = binding ? binding->responder : NULL;
    return responder && !responder->quiet ? responder : NULL;
}

bool port_favours(struct port *port, const struct sockaddr_storage *name, double now)
{
    struct binding *binding = find_binding(port, name);
    return binding && !is_empty(binding) &&
           budget_take(&binding->reserve, now, RESERVE_RATE, RESERVE_BURST);
}

static bool grow_bindings(struct port *port)
{
    struct binding *old = port->bindings;
    size_t old_capacity = port->binding_capacity, capacity = old_capacity ? 2 * old_capacity : 64;
    struct binding *bindings = calloc(capacity, sizeof *bindings);
    if (!bindings)
        return false;
    port->bindings = bindings;
    port->binding_capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (!is_empty(&old[i]))
            *find_binding(port, &old[i].name) = old[i];
    free(old);
    return true;
}

/* The entry of a name, which the caller fills; NULL when memory ran out. */
static struct binding *claim_binding(struct port *port, const struct sockaddr_storage *name)
{
    if (2 * (port->binding_count + 1) > port->binding_capacity && !grow_bindings(port))
        return NULL;
    struct binding *binding = find_binding(port, name);
    if (is_empty(binding)) {
        port->binding_count++;
        *binding = (struct binding){.name = *name};
    }
    return binding;
}

/* An entry lost something: if that was all, whoever stands behind the gap moves up, lest a search end too
   early. */
static void vacate_binding(struct port *port, struct binding *binding)
{
    if (!is_empty(binding))
        return;
    port->binding_count--;
    size_t at = (size_t)(binding - port->bindings);
    for (;;) {
        at = (at + 1) & (port->binding_capacity - 1);
        if (is_empty(&port->bindings[at]))
            return;
        struct binding moved = port->bindings[at];
        port->bindings[at].source = NULL;
        port->bindings[at].responder = NULL;
        *find_binding(port, &moved.name) = moved;
    }
}

bool port_bind(struct port *port, const struct sockaddr_storage *name, struct source *source)
{
    struct binding *binding = claim_binding(port, name);
    if (!binding)
        return false;
    if (binding->source)
        binding->source->references--;
    binding->source = source;
    source->references++;
    return true;
}

static void remove_source(struct port *port, struct binding *binding)
{
    binding->source->references--;
    binding->source = NULL;
    vacate_binding(port, binding);
}

void port_unbind(struct port *port, const struct sockaddr_storage *name)
{
    struct binding *binding = find_binding(port, name);
    if (binding && binding->source)
        remove_source(port, binding);
}

void port_forget(struct port *port, const struct source *source)
{
    for (size_t i = 0; i < port->binding_capacity && source->references; i++)
        while (port->bindings[i].source == source) /* another may move up into the gap */
            remove_source(port, &port->bindings[i]);
}

bool port_settle(struct port *port, const struct sockaddr_storage *name, struct responder *responder)
{
    struct binding *binding = claim_binding(port, name);
    if (!binding)
        return false;
    if (binding->responder)
        responder->budget = binding->responder->budget;
    free(binding->responder);
    binding->responder = responder;
    return true;
}

void port_hush(struct port *port, const struct sockaddr_storage *name)
{
    struct binding *binding = find_binding(port, name);
    if (binding && binding->responder)
        binding->responder->quiet = true;
}

void port_unsettle(struct port *port, const struct sockaddr_storage *name)
{
    struct binding *binding = find_binding(port, name);
    if (!binding || !binding->responder)
        return;
    free(binding->responder);
    binding->responder = NULL;
    vacate_binding(port, binding);
}

void port_clear(struct port *port)
{
    for (size_t i = 0; i < port->binding_capacity; i++)
        free(port->bindings[i].responder);
    free(port->bindings);
    port->bindings = NULL;
    port->binding_count = port->binding_capacity = 0;
}
