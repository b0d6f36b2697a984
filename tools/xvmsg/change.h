/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the kept devices that a guest has to those of a guest file: all of it, or nothing has changed. */
#ifndef XVM_TOOLS_CHANGE_H
#define XVM_TOOLS_CHANGE_H

#include "guest_file.h"
#include "xvmsg.h"

#define CHANGE_PATIENCE_S 30	/* of all devices together, unless it is said otherwise */

/* The guest, as list says it; NULL after one line. */
struct json_object *change_ask(const char *guest);
/* The same, once all devices that were kept for it can be had, or cannot. */
struct json_object *change_ask_opened(const char *guest);
/* Of the one guest in such an answer; NULL: it has none. */
struct json_object *change_devices_of(struct json_object *answer);

/*
 * devices are those that there are. wait_s: for the guest to let go of some and its drivers to use others; 0: as long as the
 * above, and not for drivers. tell: each change is printed. False with a line in why, and the device of the file that could not
 * be had, if it is one (else NULL); then all is as it was, but what the guest was asked to let go of and still has.
 */
bool change_all(const char *guest, struct json_object *devices, const struct guest_file *file, int wait_s, bool tell,
		const struct guest_device **at, char why[XVMSG_WHY_BYTES]);

#endif
