// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake_store.h"
#include <stdio.h>
#include <stdlib.h>

#define MAX_NODES 512
#define MAX_WATCHES 32
#define MAX_EVENTS 4096

struct node {
	char path[XVM_STORE_PATH_BYTES];
	char value[1100];
	u32 owner, reader;
};

struct event {
	char path[XVM_STORE_PATH_BYTES], token[XVM_STORE_TOKEN_BYTES];
};

struct fake {
	struct xvm_store store;
	struct node node[MAX_NODES], saved[MAX_NODES];
	u32 num_nodes, num_saved;
	struct event watch[MAX_WATCHES], queue[MAX_EVENTS], pending[MAX_EVENTS];
	u32 num_watches, head, tail, num_pending;
	u32 txn, fail_commits;
	int no_watch, no_node;		/* errno of what is refused */
	bool dead[65536];
};

static struct fake *fake(struct xvm_store *store)
{
	return (struct fake *)store;
}

static bool below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !strncmp(path, top, n) && (!path[n] || path[n] == '/');
}

static struct node *find(struct fake *f, const char *path)
{
	u32 i;

	for (i = 0; i < f->num_nodes; i++)
		if (!strcmp(f->node[i].path, path))
			return &f->node[i];
	return NULL;
}

static void queue_event(struct fake *f, const char *path, const char *token)
{
	struct event *e = f->txn ? &f->pending[f->num_pending++] : &f->queue[f->tail++ % MAX_EVENTS];

	if (f->num_pending > MAX_EVENTS || f->tail - f->head > MAX_EVENTS)
		abort();
	snprintf(e->path, sizeof(e->path), "%s", path);
	snprintf(e->token, sizeof(e->token), "%s", token);
}

static void changed(struct fake *f, const char *path)
{
	u32 i;

	for (i = 0; i < f->num_watches; i++)
		if (below(path, f->watch[i].path) || below(f->watch[i].path, path))
			queue_event(f, path, f->watch[i].token);
}

static struct node *make(struct fake *f, const char *path)
{
	struct node *n = find(f, path), *parent = NULL;
	char up[XVM_STORE_PATH_BYTES];
	char *slash;

	if (n)
		return n;
	snprintf(up, sizeof(up), "%s", path);
	slash = strrchr(up, '/');
	if (slash && slash != up) {
		*slash = 0;
		parent = make(f, up);
	}
	if (f->num_nodes == MAX_NODES)
		abort();
	n = &f->node[f->num_nodes++];
	memset(n, 0, sizeof(*n));
	snprintf(n->path, sizeof(n->path), "%s", path);
	if (parent) {
		n->owner = parent->owner;
		n->reader = parent->reader;
	}
	return n;
}

static int fake_begin(struct xvm_store *store, u32 *txn)
{
	struct fake *f = fake(store);

	if (f->txn)
		abort();	/* the daemon never nests them */
	memcpy(f->saved, f->node, sizeof(f->node));
	f->num_saved = f->num_nodes;
	f->num_pending = 0;
	*txn = f->txn = 1;
	return 0;
}

static void fake_abort(struct xvm_store *store, u32 txn)
{
	struct fake *f = fake(store);

	(void)txn;
	memcpy(f->node, f->saved, sizeof(f->node));
	f->num_nodes = f->num_saved;
	f->txn = 0;
	f->num_pending = 0;
}

static int fake_commit(struct xvm_store *store, u32 txn)
{
	struct fake *f = fake(store);
	u32 i;

	if (f->fail_commits) {
		f->fail_commits--;
		fake_abort(store, txn);
		return -EAGAIN;
	}
	f->txn = 0;
	for (i = 0; i < f->num_pending; i++)
		queue_event(f, f->pending[i].path, f->pending[i].token);
	f->num_pending = 0;
	return 0;
}

static int fake_read(struct xvm_store *store, u32 txn, const char *path, char *text, size_t bytes)
{
	struct node *n = find(fake(store), path);
	size_t len;

	(void)txn;
	if (!n)
		return -ENOENT;
	len = strlen(n->value);
	if (len >= bytes)
		return -E2BIG;
	memcpy(text, n->value, len + 1);
	return (int)len;
}

static int fake_write(struct xvm_store *store, u32 txn, const char *path, const char *text)
{
	struct node *n;

	if (txn && fake(store)->no_node && !find(fake(store), path))
		return -fake(store)->no_node;
	n = make(fake(store), path);
	snprintf(n->value, sizeof(n->value), "%s", text);
	changed(fake(store), path);
	return 0;
}

static int fake_remove(struct xvm_store *store, u32 txn, const char *path)
{
	struct fake *f = fake(store);
	bool any = false;
	u32 i = 0;

	(void)txn;
	while (i < f->num_nodes) {
		if (below(f->node[i].path, path)) {
			f->node[i] = f->node[--f->num_nodes];
			any = true;
		} else {
			i++;
		}
	}
	if (!any)
		return -ENOENT;
	changed(f, path);
	return 0;
}

static int fake_list(struct xvm_store *store, u32 txn, const char *path,
		     void (*each)(void *arg, const char *name), void *arg)
{
	struct fake *f = fake(store);
	size_t n = strlen(path);
	int count = 0;
	u32 i;

	(void)txn;
	if (!find(f, path))
		return -ENOENT;
	for (i = 0; i < f->num_nodes; i++) {
		const char *p = f->node[i].path;

		if (strncmp(p, path, n) || p[n] != '/' || strchr(p + n + 1, '/'))
			continue;
		each(arg, p + n + 1);
		count++;
	}
	return count;
}

static int fake_set_perms(struct xvm_store *store, u32 txn, const char *path, u32 owner, u32 reader)
{
	struct node *n = find(fake(store), path);

	(void)txn;
	if (!n)
		return -ENOENT;
	n->owner = owner;
	n->reader = reader;
	return 0;
}

static int fake_watch(struct xvm_store *store, const char *path, const char *token)
{
	struct fake *f = fake(store);
	struct event *w;

	if (f->no_watch)
		return -f->no_watch;
	if (f->num_watches == MAX_WATCHES)
		abort();
	w = &f->watch[f->num_watches++];
	snprintf(w->path, sizeof(w->path), "%s", path);
	snprintf(w->token, sizeof(w->token), "%s", token);
	queue_event(f, path, token);	/* a new watch fires at once */
	return 0;
}

static int fake_unwatch(struct xvm_store *store, const char *path, const char *token)
{
	struct fake *f = fake(store);
	u32 i;

	for (i = 0; i < f->num_watches; i++) {
		if (strcmp(f->watch[i].path, path) || strcmp(f->watch[i].token, token))
			continue;
		f->watch[i] = f->watch[--f->num_watches];
		return 0;
	}
	return -ENOENT;
}

static int fake_next_event(struct xvm_store *store, char path[XVM_STORE_PATH_BYTES],
			   char token[XVM_STORE_TOKEN_BYTES])
{
	struct fake *f = fake(store);
	struct event *e;

	if (f->head == f->tail)
		return 0;
	e = &f->queue[f->head++ % MAX_EVENTS];
	strcpy(path, e->path);
	strcpy(token, e->token);
	return 1;
}

static bool fake_domain_alive(struct xvm_store *store, u32 domid)
{
	return !fake(store)->dead[domid & 0xffff];
}

static const struct xvm_store_ops fake_ops = {
	.begin = fake_begin,
	.commit = fake_commit,
	.abort = fake_abort,
	.read = fake_read,
	.write = fake_write,
	.remove = fake_remove,
	.list = fake_list,
	.set_perms = fake_set_perms,
	.watch = fake_watch,
	.unwatch = fake_unwatch,
	.next_event = fake_next_event,
	.domain_alive = fake_domain_alive,
};

struct xvm_store *fake_store_new(void)
{
	struct fake *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	f->store.ops = &fake_ops;
	return &f->store;
}

void fake_store_free(struct xvm_store *store)
{
	free(store);
}

void fake_store_put(struct xvm_store *store, const char *path, const char *value)
{
	fake_write(store, 0, path, value);
}

void fake_store_del(struct xvm_store *store, const char *path)
{
	fake_remove(store, 0, path);
}

const char *fake_store_get(struct xvm_store *store, const char *path)
{
	struct node *n = find(fake(store), path);

	return n ? n->value : NULL;
}

u32 fake_store_count(struct xvm_store *store, const char *path)
{
	struct fake *f = fake(store);
	u32 i, n = 0;

	for (i = 0; i < f->num_nodes; i++)
		n += below(f->node[i].path, path);
	return n;
}

bool fake_store_perms(struct xvm_store *store, const char *path, u32 *owner, u32 *reader)
{
	struct node *n = find(fake(store), path);

	if (!n)
		return false;
	*owner = n->owner;
	*reader = n->reader;
	return true;
}

void fake_store_set_alive(struct xvm_store *store, u32 domid, bool alive)
{
	fake(store)->dead[domid & 0xffff] = !alive;
	queue_event(fake(store), "@releaseDomain", "domains");
}

void fake_store_fail_commits(struct xvm_store *store, u32 n)
{
	fake(store)->fail_commits = n;
}

void fake_store_refuse(struct xvm_store *store, int watches, int nodes)
{
	fake(store)->no_watch = watches;
	fake(store)->no_node = nodes;
}
