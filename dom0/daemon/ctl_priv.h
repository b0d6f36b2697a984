/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ctl.c (the socket) and the files of its commands share. */
#ifndef XVM_DAEMON_CTL_PRIV_H
#define XVM_DAEMON_CTL_PRIV_H

#include <json-c/json.h>
#include "ctl.h"
#include "op.h"

struct client;

struct xvm_daemon *xvm_ctl_daemon(const struct client *client);
/* An answer to be filled, with "ok". */
struct json_object *xvm_ctl_new(bool ok);
/* Takes the answer. A client that was waiting no longer is. */
void xvm_ctl_answer(struct client *client, struct json_object *answer);
void xvm_ctl_error(struct client *client, const char *error);
/* The client's next lines wait until it is answered; op is cancelled when it goes first. NULL: an error is answered. */
void xvm_ctl_wait(struct client *client, struct xvm_op *op);
/* NULL: the key is not there, or no text. */
const char *xvm_ctl_text(struct json_object *request, const char *key);

/* ---- ctl_device.c ---- */

/* The request's guest, any domain that lives; NULL after an answer that says what is wrong. */
struct xvm_guest *xvm_ctl_guest(struct client *client, struct json_object *request);
void xvm_ctl_attach(struct client *client, struct json_object *request);
void xvm_ctl_detach(struct client *client, struct json_object *request);
void xvm_ctl_show(struct client *client, struct json_object *request);
void xvm_ctl_set(struct client *client, struct json_object *request);
void xvm_ctl_records(struct client *client, struct json_object *request);
void xvm_ctl_forget(struct client *client, struct json_object *request);

#endif
