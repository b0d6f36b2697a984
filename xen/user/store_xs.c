// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store on libxenstore. The only file that includes its header; errno
 * becomes a negative return value here.
 */
#include "store.h"
#include <stdlib.h>
#include <xenstore.h>

struct xs_store {
	struct xvm_store store;
	struct xs_handle *xs;
};

static struct xs_handle *handle(struct xvm_store *store)
{
	return ((struct xs_store *)store)->xs;
}

static int result(bool ok)
{
	return ok ? 0 : -errno;
}

static int xs_begin(struct xvm_store *store, u32 *txn)
{
	*txn = xs_transaction_start(handle(store));
	return result(*txn != XBT_NULL);
}

static int xs_commit(struct xvm_store *store, u32 txn)
{
	return result(xs_transaction_end(handle(store), txn, false));
}

static void xs_abort(struct xvm_store *store, u32 txn)
{
	xs_transaction_end(handle(store), txn, true);
}

static int xs_read_text(struct xvm_store *store, u32 txn, const char *path, char *text, size_t bytes)
{
	unsigned int len;
	char *value = xs_read(handle(store), txn, path, &len);
	int ret;

	if (!value)
		return -errno;
	ret = len < bytes ? (int)len : -E2BIG;
	if (ret >= 0) {
		memcpy(text, value, len);
		text[len] = 0;
	}
	free(value);
	return ret;
}

static int xs_write_text(struct xvm_store *store, u32 txn, const char *path, const char *text)
{
	return result(xs_write(handle(store), txn, path, text, (unsigned int)strlen(text)));
}

static int xs_remove(struct xvm_store *store, u32 txn, const char *path)
{
	return result(xs_rm(handle(store), txn, path));
}

static int xs_list(struct xvm_store *store, u32 txn, const char *path,
		   void (*each)(void *arg, const char *name), void *arg)
{
	unsigned int n, i;
	char **names = xs_directory(handle(store), txn, path, &n);

	if (!names)
		return -errno;
	for (i = 0; i < n; i++)
		each(arg, names[i]);
	free(names);
	return (int)n;
}

static int xs_set_perms(struct xvm_store *store, u32 txn, const char *path, u32 owner, u32 reader)
{
	/* The first entry names the owner, and what all others may do: nothing. */
	struct xs_permissions perms[2] = {
		{ .id = owner, .perms = XS_PERM_NONE },
		{ .id = reader, .perms = XS_PERM_READ },
	};

	return result(xs_set_permissions(handle(store), txn, path, perms, 2));
}

static int xs_add_watch(struct xvm_store *store, const char *path, const char *token)
{
	return result(xs_watch(handle(store), path, token));
}

static int xs_del_watch(struct xvm_store *store, const char *path, const char *token)
{
	return result(xs_unwatch(handle(store), path, token));
}

static int xs_next_event(struct xvm_store *store, char path[XVM_STORE_PATH_BYTES],
			 char token[XVM_STORE_TOKEN_BYTES])
{
	char **event = xs_check_watch(handle(store));

	if (!event)
		return errno == EAGAIN ? 0 : -errno;
	/* Tokens are our own. A path longer than any of ours is cut: then it matches none. */
	strncpy(path, event[XS_WATCH_PATH], XVM_STORE_PATH_BYTES - 1);
	path[XVM_STORE_PATH_BYTES - 1] = 0;
	strncpy(token, event[XS_WATCH_TOKEN], XVM_STORE_TOKEN_BYTES - 1);
	token[XVM_STORE_TOKEN_BYTES - 1] = 0;
	free(event);
	return 1;
}

static bool xs_domain_alive(struct xvm_store *store, u32 domid)
{
	/* xenstored forgets a domain as soon as it is dying. */
	return xs_is_domain_introduced(handle(store), domid);
}

static const struct xvm_store_ops xs_ops = {
	.begin = xs_begin,
	.commit = xs_commit,
	.abort = xs_abort,
	.read = xs_read_text,
	.write = xs_write_text,
	.remove = xs_remove,
	.list = xs_list,
	.set_perms = xs_set_perms,
	.watch = xs_add_watch,
	.unwatch = xs_del_watch,
	.next_event = xs_next_event,
	.domain_alive = xs_domain_alive,
};

int xvm_store_open(struct xvm_store **store, int *fd)
{
	struct xs_store *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->store.ops = &xs_ops;
	s->xs = xs_open(0);
	if (!s->xs) {
		int err = -errno;

		free(s);
		return err;
	}
	*fd = xs_fileno(s->xs);
	*store = &s->store;
	return 0;
}

void xvm_store_close(struct xvm_store *store)
{
	xs_close(handle(store));
	free(store);
}
