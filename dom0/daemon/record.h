/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that keep a guest's own devices, one device per line: its number on
 * the bus and its text (../spec/spec.h), written whole and renamed into place:
 *   guests_dir/UUID          persistent: made anew whenever a domain with that UUID appears
 *   run_dir/guests/DOMID     the others, for a daemon that is started again; first line: uuid UUID
 * '#' starts a comment; the first line of a persistent record names the guest.
 */
#ifndef XVM_DAEMON_RECORD_H
#define XVM_DAEMON_RECORD_H

#include "daemon.h"

bool xvm_record_uuid_ok(const char *uuid);
/* Is there any file about this domain? */
bool xvm_record_exists(const struct xvm_daemon *daemon, u32 domid, const char *uuid);
/* Once per guest: makes its devices. What a line does not allow is logged. */
void xvm_record_read(struct xvm_guest *guest);
/* Writes both files from the guest's devices of now. Returns 0, or negative errno with a line in why. */
int xvm_record_write(struct xvm_guest *guest, char why[XVM_WHY_BYTES]);
/* The domain is gone; the persistent record stays. */
void xvm_record_end(struct xvm_guest *guest);
/* At the start: takes away what is of domains that are gone. */
void xvm_record_sweep(const struct xvm_daemon *daemon);
/* All persistent records: a JSON array of uuid, name, devices. */
struct json_object *xvm_record_list(struct xvm_daemon *daemon);
/* Removes the persistent record of this UUID. Returns 0 or negative errno. */
int xvm_record_forget(struct xvm_daemon *daemon, const char *uuid);

#endif
