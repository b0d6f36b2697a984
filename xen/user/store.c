// SPDX-License-Identifier: GPL-2.0-or-later
#include "store.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define MAX_TRIES 64

void xvm_store_path(char path[XVM_STORE_PATH_BYTES], const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(path, XVM_STORE_PATH_BYTES, format, args);
	va_end(args);
	if (n < 0 || n >= XVM_STORE_PATH_BYTES)
		strcpy(path, "/local/too-long");	/* exists nowhere */
}

bool xvm_store_exists(struct xvm_store *store, u32 txn, const char *path)
{
	char text[2];
	int len = xvm_store_read(store, txn, path, text, sizeof(text));

	return len >= 0 || len == -E2BIG;
}

int xvm_store_read_u32(struct xvm_store *store, u32 txn, const char *path, u32 max, u32 *value)
{
	char text[16];
	int len = xvm_store_read(store, txn, path, text, sizeof(text));

	return len < 0 ? len : xvm_parse_u32(text, (size_t)len, max, value);
}

int xvm_store_write_u32(struct xvm_store *store, u32 txn, const char *path, u32 value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	return xvm_store_write(store, txn, path, text);
}

static void ignore_child(void *arg, const char *name)
{
	(void)arg;
	(void)name;
}

/* A domain that is not privileged has quotas: ENOSPC for nodes, their sizes and transactions, E2BIG for watches. */
const char *xvm_store_error(int err)
{
	return err == -ENOSPC || err == -E2BIG || err == -EDQUOT ?
	       "this domain's quota of nodes, transactions or watches is used up, raise it in xenstored" : strerror(-err);
}

int xvm_store_prune(struct xvm_store *store, u32 txn, const char *path, const char *stop)
{
	char at[XVM_STORE_PATH_BYTES];
	int err = store->ops->remove(store, txn, path);

	if (err && err != -ENOENT)
		return err;
	xvm_store_path(at, "%s", path);
	for (;;) {
		char *slash = strrchr(at, '/');

		if (!slash || slash == at)
			return 0;
		*slash = 0;
		if (!strcmp(at, stop) || store->ops->list(store, txn, at, ignore_child, NULL) != 0)
			return 0;
		err = store->ops->remove(store, txn, at);
		if (err && err != -ENOENT)
			return err;
	}
}

int xvm_store_transact(struct xvm_store *store,
		       int (*body)(struct xvm_store *store, u32 txn, void *arg), void *arg)
{
	int tries, err;
	u32 txn;

	for (tries = 0; tries < MAX_TRIES; tries++) {
		err = store->ops->begin(store, &txn);
		if (err)
			return err;
		err = body(store, txn, arg);
		if (err) {
			store->ops->abort(store, txn);
			return err;
		}
		err = store->ops->commit(store, txn);
		if (err != -EAGAIN)
			return err;
	}
	return -EBUSY;
}
