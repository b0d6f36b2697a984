// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A directory served by Debian's virtiofsd, through the whole worker: a file is
 * found, opened and read with FUSE's own requests; the server dies with requests
 * in hand, the device needs a reset, and works with the next server.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/vu_server.c */
/* LIBS: -l:liburing.a */
/* TIME: 120 */
#include "../support/test.h"
#include "../support/drv_vq.h"
#include "../support/vu_server.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/virtio_ids.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FS 6u
#define AREA 3u
#define PAGES 64u
#define QUEUE_SIZE 64u
#define OUT 0x10000u		/* of the area: what the server reads, */
#define IN 0x18000u		/* and what it writes */
#define LEFT_AT 0x28000u	/* requests that are left unanswered, and how many */
#define LEFT 5u
#define FILE_BYTES 100000u

static struct rig rig;
static struct drv drv;
static struct drv_vq vq[2];
static u8 *base;
static char dir[64], sock_path[80], file_path[80];
static u8 content[FILE_BYTES];
static pid_t server;

static void run_server(void)
{
	char path[100], source[100];
	char *argv[] = { VIRTIOFSD, path, "-o", source, "-o", "sandbox=chroot", NULL };

	unlink(sock_path);
	snprintf(path, sizeof(path), "--socket-path=%s", sock_path);
	snprintf(source, sizeof(source), "source=%s/share", dir);
	server = vu_server_run(argv);
}

static void describe(struct xvm_ipc_dev_add *add)
{
	*add = (struct xvm_ipc_dev_add){ .num = FS, .device_id = VIRTIO_ID_FS, .backend = XVM_BACKEND_VHOST_USER,
					 .queues = 2, .config_bytes = 40, .config_given = true, .config = "share" };
	add->config[36] = 1;
}

static int start(void **state)
{
	u32 i;
	int fd;

	(void)state;
	strcpy(dir, "/tmp/xvmsg-fs-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(sock_path, sizeof(sock_path), "%s/sock", dir);
	snprintf(file_path, sizeof(file_path), "%s/share", dir);
	assert_return_code(mkdir(file_path, 0755), 0);
	snprintf(file_path, sizeof(file_path), "%s/share/file", dir);
	for (i = 0; i < FILE_BYTES; i++)
		content[i] = (u8)(i * 7 + i / 251);
	fd = open(file_path, O_CREAT | O_WRONLY, 0644);
	assert_int_equal(write(fd, content, FILE_BYTES), FILE_BYTES);
	close(fd);
	server = -1;
	drv_start(&drv, &rig);
	return 0;
}

static int stop(void **state)
{
	char command[100];

	(void)state;
	drv_stop(&drv);
	if (server > 0)
		vu_server_kill(server);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void set_up_queues(void)
{
	drv_negotiate(&drv, FS, (XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM | XVM_F_EVENT_IDX));
	drv_vq_setup(&vq[0], &drv, FS, 0, QUEUE_SIZE, AREA, 0, true);
	drv_vq_setup(&vq[1], &drv, FS, 1, QUEUE_SIZE, AREA, DRV_VQ_BYTES(QUEUE_SIZE), true);
	drv_set_status(&drv, FS, XVM_S_ACKNOWLEDGE | XVM_S_DRIVER | XVM_S_FEATURES_OK | XVM_S_DRIVER_OK);
}

/* One request with these arguments; returns FUSE's error, and the answer's bytes behind its header. */
static int ask(u32 opcode, u64 node, const void *arg, u32 bytes, u32 room, u32 *got)
{
	struct fuse_in_header in = { .len = (u32)sizeof(in) + bytes, .opcode = opcode, .unique = 1 + opcode, .nodeid = node };
	struct fuse_out_header out;
	struct drv_seg seg[2] = {
		{ xvm_addr_make(AREA, OUT), in.len, false },
		{ xvm_addr_make(AREA, IN), (u32)sizeof(out) + room, true },
	};
	u32 len;

	memcpy(base + OUT, &in, sizeof(in));
	memcpy(base + OUT + sizeof(in), arg, bytes);
	assert_true(drv_vq_add(&vq[1], seg, 2) >= 0);
	drv_vq_kick(&vq[1]);
	drv_vq_wait(&vq[1], &len);
	assert_true(len >= sizeof(out));
	memcpy(&out, base + IN, sizeof(out));
	assert_int_equal(out.len, len);
	assert_int_equal(out.unique, in.unique);
	*got = len - (u32)sizeof(out);
	return out.error;
}

static const void *answer(void)
{
	return base + IN + sizeof(struct fuse_out_header);
}

static void read_file(void)
{
	struct fuse_init_in init = { .major = 7, .minor = 31, .max_readahead = 65536, .flags = FUSE_BIG_WRITES };
	struct fuse_open_in open_in = { .flags = O_RDONLY };
	struct fuse_read_in read_in = { .size = 32768 };
	u64 node;
	u32 got, at;

	assert_int_equal(ask(FUSE_INIT, 0, &init, sizeof(init), 64, &got), 0);
	assert_int_equal(((const struct fuse_init_out *)answer())->major, 7);
	assert_int_equal(ask(FUSE_LOOKUP, 1, "nothing", 8, sizeof(struct fuse_entry_out), &got), -ENOENT);
	assert_int_equal(ask(FUSE_LOOKUP, 1, "file", 5, sizeof(struct fuse_entry_out), &got), 0);
	node = ((const struct fuse_entry_out *)answer())->nodeid;
	assert_int_equal(((const struct fuse_entry_out *)answer())->attr.size, FILE_BYTES);
	assert_int_equal(ask(FUSE_OPEN, node, &open_in, sizeof(open_in), sizeof(struct fuse_open_out), &got), 0);
	read_in.fh = ((const struct fuse_open_out *)answer())->fh;
	for (at = 0; at < FILE_BYTES; at += got) {
		read_in.offset = at;
		assert_int_equal(ask(FUSE_READ, node, &read_in, sizeof(read_in), 32768, &got), 0);
		assert_true(got && got <= FILE_BYTES - at);
		assert_memory_equal(answer(), content + at, got);
	}
}

/* Requests that the server has and does not answer: it is stopped before it sees them. */
static void leave_requests(void)
{
	struct fuse_in_header in = { .len = sizeof(in) + sizeof("file"), .opcode = FUSE_LOOKUP, .nodeid = 1 };
	struct drv_seg seg[2] = { { 0, in.len, false }, { 0, sizeof(struct fuse_out_header) + sizeof(struct fuse_entry_out), true } };
	u32 i;

	assert_return_code(kill(server, SIGSTOP), errno);
	for (i = 0; i < LEFT; i++) {
		in.unique = 100 + i;
		memcpy(base + LEFT_AT + i * 0x400, &in, sizeof(in));
		memcpy(base + LEFT_AT + i * 0x400 + sizeof(in), "file", sizeof("file"));
		seg[0].addr = xvm_addr_make(AREA, LEFT_AT + i * 0x400);
		seg[1].addr = xvm_addr_make(AREA, LEFT_AT + i * 0x400 + 0x200);
		assert_true(drv_vq_add(&vq[1], seg, 2) >= 0);
	}
	drv_vq_kick(&vq[1]);
	drv_sync(&drv);
}

static void test_directory(void **state)
{
	struct xvm_ipc_dev_add add;
	char tag[36];
	u32 len;

	(void)state;
	if (access(VIRTIOFSD, X_OK))
		test_skip("no " VIRTIOFSD " (package qemu-system-common)");
	if (geteuid())
		test_skip("virtiofsd wants to be root");
	run_server();
	describe(&add);
	vu_server_add(&rig, &add, vu_server_connect(sock_path));
	drv_wait_ready(&drv, FS);
	assert_int_equal(drv_config(&drv, FS, 0, 36, tag), 36);
	assert_string_equal(tag, "share");
	base = drv_area_new(&drv, AREA, FS, PAGES);
	set_up_queues();
	read_file();

	/* What the server knew of open files is lost with it, so this device cannot go on by itself; what it had in hand is not answered. */
	leave_requests();
	vu_server_kill(server);
	DRV_UNTIL(&drv, drv_status(&drv, FS) & XVM_S_NEEDS_RESET);
	RIG_UNTIL(&rig, rig.states[FS] & 1u << XVM_DEV_BROKEN);
	RIG_UNTIL(&rig, rig.states[FS] & 1u << XVM_DEV_SERVER_LOST);
	assert_int_equal(drv_vq_get(&vq[1], &len), -1);
	assert_int_equal(drv_set_status(&drv, FS, 0), 0);
	assert_int_equal(drv_vq_get(&vq[1], &len), -1);
	run_server();
	vu_server_again(&rig, FS, sock_path, 2);
	set_up_queues();
	read_file();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_directory, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
