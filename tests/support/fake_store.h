/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A xenstore in memory behind the table of xen/user/store.h: paths, values,
 * owners, watches with events, and transactions that see a snapshot and fail
 * with EAGAIN when somebody else has written meanwhile.
 */
#ifndef XVM_TESTS_FAKE_STORE_H
#define XVM_TESTS_FAKE_STORE_H

#include "../../xen/user/store.h"

struct xvm_store *fake_store_new(void);
void fake_store_free(struct xvm_store *store);

/* As somebody else (xl, a guest) would; outside of any transaction. */
void fake_store_put(struct xvm_store *store, const char *path, const char *value);
void fake_store_del(struct xvm_store *store, const char *path);
/* NULL: not there. Valid until the next write. */
const char *fake_store_get(struct xvm_store *store, const char *path);
/* Nodes at or below path. */
u32 fake_store_count(struct xvm_store *store, const char *path);
bool fake_store_perms(struct xvm_store *store, const char *path, u32 *owner, u32 *reader);
void fake_store_set_alive(struct xvm_store *store, u32 domid, bool alive);
/* The next commits fail with EAGAIN, as when another client was faster. */
void fake_store_fail_commits(struct xvm_store *store, u32 n);
/* A quota is used up: new watches, or nodes made within a transaction, fail with this errno until it is 0 again. */
void fake_store_refuse(struct xvm_store *store, int watches, int nodes);

#endif
