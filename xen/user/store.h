/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenstore as the daemon needs it: a small table of operations, implemented on
 * libxenstore (store_xs.c) and in memory for tests (tests/support/fake_store.c),
 * and helpers over the table: strict numbers, transactions with retry, pruning.
 *
 * Every value read may come from a guest. Reads are bounded by the caller's
 * buffer; a longer value is an error, never cut.
 */
#ifndef XVM_USER_STORE_H
#define XVM_USER_STORE_H

#include "../proto/num.h"

#define XVM_STORE_PATH_BYTES 160
#define XVM_STORE_TOKEN_BYTES 32
#define XVM_STORE_NO_TXN 0u

struct xvm_store;

struct xvm_store_ops {
	int (*begin)(struct xvm_store *store, u32 *txn);
	/* -EAGAIN: somebody else was faster, do it all again. */
	int (*commit)(struct xvm_store *store, u32 txn);
	void (*abort)(struct xvm_store *store, u32 txn);
	/* Length, text terminated behind it; -ENOENT, or -E2BIG when it does not fit. */
	int (*read)(struct xvm_store *store, u32 txn, const char *path, char *text, size_t bytes);
	int (*write)(struct xvm_store *store, u32 txn, const char *path, const char *text);
	int (*remove)(struct xvm_store *store, u32 txn, const char *path);	/* -ENOENT: was not there */
	/* Calls each for every child; the number of children or negative errno. */
	int (*list)(struct xvm_store *store, u32 txn, const char *path,
		    void (*each)(void *arg, const char *name), void *arg);
	/* owner has all rights, reader may read, nobody else anything. */
	int (*set_perms)(struct xvm_store *store, u32 txn, const char *path, u32 owner, u32 reader);
	int (*watch)(struct xvm_store *store, const char *path, const char *token);
	int (*unwatch)(struct xvm_store *store, const char *path, const char *token);
	/* 1: an event was taken, 0: none is waiting, negative: the connection is lost. */
	int (*next_event)(struct xvm_store *store, char path[XVM_STORE_PATH_BYTES],
			  char token[XVM_STORE_TOKEN_BYTES]);
	/* False once the domain is dying or gone; still true for one that is suspended or shut down. */
	bool (*domain_alive)(struct xvm_store *store, u32 domid);
};

struct xvm_store {
	const struct xvm_store_ops *ops;
};

/* libxenstore behind the table. fd becomes readable when events wait. */
int xvm_store_open(struct xvm_store **store, int *fd);
void xvm_store_close(struct xvm_store *store);

static inline int xvm_store_read(struct xvm_store *store, u32 txn, const char *path, char *text,
				 size_t bytes)
{
	return store->ops->read(store, txn, path, text, bytes);
}

static inline int xvm_store_write(struct xvm_store *store, u32 txn, const char *path, const char *text)
{
	return store->ops->write(store, txn, path, text);
}

/* The path's parts are the daemon's own words and numbers, so it always fits; checked all the same. */
void xvm_store_path(char path[XVM_STORE_PATH_BYTES], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

bool xvm_store_exists(struct xvm_store *store, u32 txn, const char *path);
int xvm_store_read_u32(struct xvm_store *store, u32 txn, const char *path, u32 max, u32 *value);
int xvm_store_write_u32(struct xvm_store *store, u32 txn, const char *path, u32 value);

/* For people: what a negative errno of these means, and what helps. */
const char *xvm_store_error(int err);

/* Removes path, then each parent that became empty, up to but without stop. */
int xvm_store_prune(struct xvm_store *store, u32 txn, const char *path, const char *stop);

/*
 * Runs body in a transaction until it can be committed. body returns 0 to
 * commit; anything else aborts and is handed through. -EBUSY after many tries.
 */
int xvm_store_transact(struct xvm_store *store,
		       int (*body)(struct xvm_store *store, u32 txn, void *arg), void *arg);

#endif
