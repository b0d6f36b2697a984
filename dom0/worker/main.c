// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xvmsg-worker: serves one guest. Started by xvmsgd and by nobody else:
 *   xvmsg-worker --fd SOCKET --uid NUMBER --targets DESCRIPTOR [--domid NUMBER] [--keep DESCRIPTOR]
 * Order matters: the ring is made, then the process is confined, and only then
 * is the supervisor told that it may send what a guest has a hand in.
 */
#include "confine.h"
#include "loop.h"
#include "worker.h"
#include "../ipc.h"
#include "../../xen/user/evtchn.h"
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int usage(void)
{
	fprintf(stderr, "xvmsg-worker is started by xvmsgd: --fd SOCKET --uid NUMBER --targets DESCRIPTOR "
		"[--domid NUMBER] [--keep DESCRIPTOR]\n");
	return 2;
}

static int number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	return *text && !*end && value >= 0 && value < 0x7fffffff ? (int)value : -1;
}

/*
 * The keep file, whose descriptor ends here: what remains of it is the mapping, and
 * what the ring holds. A worker that is given none (-1) serves all the same.
 */
static int start_ring(struct xvm_aio **aio, int keep_fd, void **keep)
{
	int err = aio_new(aio, keep_fd);

	*keep = NULL;
	if (err || keep_fd < 0)
		return err;
	*keep = mmap(NULL, XVM_KEEP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, keep_fd, 0);
	close(keep_fd);
	return *keep == MAP_FAILED ? -errno : 0;
}

/* Before the filter stands, which lets nobody move or replace it. */
static int map_targets(int fd)
{
	void *at = (void *)XVM_TARGETS_AT;
	void *map = mmap(at, XVM_TARGETS_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	int err = map == MAP_FAILED ? -errno : map == at ? 0 : -EEXIST;

	close(fd);
	return err;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "fd", required_argument, NULL, 'f' },
		{ "uid", required_argument, NULL, 'u' },
		{ "domid", required_argument, NULL, 'd' },	/* for people who read ps */
		{ "keep", required_argument, NULL, 'k' },
		{ "targets", required_argument, NULL, 't' },
		{ 0 }
	};
	int fd = -1, uid = -1, keep_fd = -1, targets_fd = -1, opt, err;
	struct xvm_aio *aio;
	const char *step;
	void *keep;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'f')
			fd = number(optarg);
		else if (opt == 'u')
			uid = number(optarg);
		else if (opt == 'k')
			keep_fd = number(optarg);
		else if (opt == 't')
			targets_fd = number(optarg);
		else if (opt != 'd')
			return usage();
	}
	if (fd < 0 || uid < 0 || targets_fd < 0 || optind != argc)
		return usage();
	signal(SIGPIPE, SIG_IGN);
	err = start_ring(&aio, keep_fd, &keep);
	if (err) {
		fprintf(stderr, "xvmsg-worker: io_uring and keep file: %s\n", strerror(-err));
		return 1;
	}
	err = map_targets(targets_fd);
	if (err) {
		fprintf(stderr, "xvmsg-worker: table of targets at 0x%lx: %s\n", XVM_TARGETS_AT, strerror(-err));
		return 1;
	}
	err = confine((uid_t)uid, &step);
	if (err) {
		fprintf(stderr, "xvmsg-worker: cannot confine itself: %s: %s\n", step, strerror(-err));
		return 1;
	}
	/* Not exit(): no handler of any library may run under the filter. */
	_exit(worker_run(aio, fd, evtchn_xen_open, keep));
}
