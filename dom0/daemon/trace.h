/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who wants to see a guest's messages. A tracer names a guest, which need not
 * be there yet. For each connection of that guest a one-way socket is made: the
 * worker gets the end that writes, the tracer the end that reads, and neither
 * is kept here. A guest has one tracer at most.
 */
#ifndef XVM_DAEMON_TRACE_H
#define XVM_DAEMON_TRACE_H

#include <stdbool.h>

struct xvm_daemon;
struct xvm_guest;
struct xvm_tracer;

#define XVM_MAX_TRACERS 8

/* One line with its end, and a descriptor that stays the caller's, or -1. False: nobody listens any more. */
typedef bool (*xvm_tracer_say)(void *arg, const char *line, int fd);

/*
 * wait: the guest may come later. Returns NULL with *tracer, or one line about
 * why not. say is called at once, and then as lines of ctl.h come up; it must
 * not free the tracer.
 */
const char *xvm_tracer_new(struct xvm_daemon *daemon, const char *word, bool wait, xvm_tracer_say say, void *arg,
			   struct xvm_tracer **tracer);
/* NULL is ignored. */
void xvm_tracer_free(struct xvm_tracer *tracer);

/* By number, or else by name; NULL: there is none. */
struct xvm_guest *xvm_guest_by_word(struct xvm_daemon *daemon, const char *word);

/* The guest's worker is about to be told to START. */
void xvm_trace_connecting(struct xvm_guest *guest);
void xvm_trace_guest_gone(struct xvm_guest *guest);

#endif
