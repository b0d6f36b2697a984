// SPDX-License-Identifier: GPL-2.0-or-later
#include "opener.h"
#include "host_console.h"
#include "host_scsi.h"
#include "host_vsock.h"
#include "server.h"
#include "vfio_user.h"
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "../base/fdsock.h"
#include "host_net.h"

struct xvm_opener {
	pid_t child;
	int sock;
	struct event *answer;		/* with the time limit */
	void (*done)(void *arg, const struct xvm_opened *opened, struct fdset *fds);
	void *arg;
	char target[XVM_TARGET_BYTES];
	u32 limit_ms;
};

/* Releases a half-built opener too. The loop reaps the child when it ends. */
static void opener_free(struct xvm_opener *opener)
{
	if (opener->answer)
		event_free(opener->answer);
	if (opener->child > 0)
		kill(opener->child, SIGKILL);
	if (opener->sock >= 0)
		close(opener->sock);
	free(opener);
}

void xvm_opener_cancel(struct xvm_opener *opener)
{
	if (opener)
		opener_free(opener);
}

static int open_server(struct xvm_opened *opened, bool want_fds, struct fdset *fds)
{
	struct xvm_spec *spec = &opened->image.spec;
	int err = xvm_server_find(spec, NULL, opened->why);

	if (!err)
		err = xvm_server_user(spec, &opened->image.uid, &opened->image.gid, opened->why);
	if (!err)
		err = xvm_server_check(spec, opened->why);
	return err || !want_fds ? err : xvm_server_open(spec, fds, opened->why);
}

/* What a device stands on, by its kind, which a descriptor may have said. Without want_fds: can it be had? */
static int open_device(const struct xvm_image_request *request, bool want_fds, struct xvm_opened *opened,
		       struct fdset *fds)
{
	struct xvm_spec *spec = &opened->image.spec;
	int err = xvm_image_open(request, &opened->image, fds, opened->why);

	if (err)
		return err;
	switch (spec->kind) {
	case XVM_KIND_BLK:
	case XVM_KIND_RNG:
		return 0;
	case XVM_KIND_VHOST_USER:
		return open_server(opened, want_fds, fds);
	case XVM_KIND_VFIO_USER:
		return xvm_vfio_user_open(spec->path, !want_fds, fds, opened->why);
	case XVM_KIND_NET:
		return xvm_host_net(request, &opened->image, fds, opened->why);
	case XVM_KIND_CONSOLE:
		return xvm_host_console_open(&spec->console, fds, opened->why);
	case XVM_KIND_VSOCK:
		if (!spec->cid)
			spec->cid = request->default_cid;
		return xvm_host_vsock_open(spec->cid, fds, opened->why);
	case XVM_KIND_SCSI:
		return xvm_host_scsi_open(spec, want_fds, fds, opened->why);
	}
	return -EINVAL;
}

/*
 * The child. It is a fork of a process with threads: nothing here takes locks of
 * the libraries the supervisor uses. It may hang for ever on a dead file
 * server, so it must not keep descriptors of workers and guests alive.
 */
static void __attribute__((noreturn)) child_main(int sock, const struct xvm_image_request *request, bool want_fds)
{
	struct xvm_opened opened = { 0 };
	struct fdset fds;

	if (sock != 3 && dup2(sock, 3) < 0)
		_exit(1);
	close_range(4, ~0u, 0);
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_NAME, "xvmsgd-opener");
	opened.err = open_device(request, want_fds, &opened, &fds);
	fdsock_send(3, &opened, sizeof(opened), fds.fd, want_fds && !opened.err ? fds.count : 0, true);
	_exit(0);
}

static void take_answer(struct fdsock_msg *msg, int sock, struct xvm_opened *opened)
{
	opened->err = -EIO;
	if (fdsock_recv(sock, msg) != 1)
		return;
	if (msg->bytes == sizeof(*opened))
		memcpy(opened, msg->data, sizeof(*opened));
	opened->why[sizeof(opened->why) - 1] = 0;
}

static void on_answer(evutil_socket_t sock, short what, void *arg)
{
	struct xvm_opener *opener = arg;
	void (*done)(void *arg, const struct xvm_opened *opened, struct fdset *fds) = opener->done;
	void *done_arg = opener->arg;
	struct xvm_opened opened = { 0 };
	struct fdsock_msg msg = { 0 };

	if (what & EV_TIMEOUT) {
		opened.err = -ETIMEDOUT;
		snprintf(opened.why, sizeof(opened.why),
			 "target %.120s did not open within %u s; is its storage reachable?", opener->target,
			 opener->limit_ms / 1000);
	} else {
		take_answer(&msg, (int)sock, &opened);
	}
	if (opened.err && !opened.why[0])
		snprintf(opened.why, sizeof(opened.why), "target %.120s: the process opening it died",
			 opener->target);
	opener_free(opener);
	done(done_arg, &opened, &msg.fds);
	fdsock_release(&msg);
}

struct xvm_opener *xvm_opener_start(struct event_base *base, const struct xvm_image_request *request,
				    bool want_fds,
				    void (*done)(void *arg, const struct xvm_opened *opened, struct fdset *fds),
				    void *arg)
{
	u32 limit_ms = XVM_OPENER_LIMIT_MS + xvm_net_script_ms(request);
	struct timeval limit = { .tv_sec = limit_ms / 1000 };
	struct xvm_opener *opener = calloc(1, sizeof(*opener));
	int pair[2];

	if (!opener)
		return NULL;
	opener->sock = -1;
	opener->limit_ms = limit_ms;
	opener->done = done;
	opener->arg = arg;
	memcpy(opener->target, request->target, sizeof(opener->target));
	if (fdsock_pair(pair))
		goto fail;
	opener->sock = pair[0];
	opener->child = fork();
	if (!opener->child)
		child_main(pair[1], request, want_fds);
	close(pair[1]);
	if (opener->child < 0)
		goto fail;
	opener->answer = event_new(base, opener->sock, EV_READ, on_answer, opener);
	if (!opener->answer || event_add(opener->answer, &limit))
		goto fail;
	return opener;
fail:
	opener_free(opener);
	return NULL;
}
