// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A console over the whole worker, with real ptys behind it: bytes both ways, a
 * reader that is not there, ports with names, the window, the log, reset and a worker that is killed.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c dom0/daemon/pty.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c */
/* LIBS: -l:liburing.a */
/* TIME: 240 */
#include "../support/test.h"
#include "../support/drv_vq.h"
#include "../../dom0/daemon/pty.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"
#include <fcntl.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEV		3u
#define AREA		9u
#define PAGES		256u
#define QUEUES		6u		/* two ports: 0 and "agent" */
#define SIZE		16u
#define DATA		(512u << 10)	/* 64 KiB per queue */
#define ALL_FEATURES	(~0ull)
#define SLOTS		4u

static struct rig rig;
static struct drv drv;
static struct xvm_ptys ptys;
static struct drv_vq vq[QUEUES];
static u8 *base;
static int log_fd[2] = { -1, -1 };
static u32 ports;

static u64 data_addr(u32 queue)
{
	return xvm_addr_make(AREA, DATA + queue * 65536);
}

static u8 *data_at(u32 queue)
{
	return base + DATA + queue * 65536;
}

static void add_console(void)
{
	struct xvm_ipc_dev_add add = { .num = DEV, .device_id = VIRTIO_ID_CONSOLE };
	struct fdset fds = { 0 };

	add.console.ports = ports;
	add.console.cols = 80;
	add.console.rows = 25;
	add.console.log = log_fd[0] >= 0;
	strcpy(add.console.name[1], "agent");
	xvm_ptys_add(&ptys, &fds);
	if (add.console.log) {
		fds.fd[fds.count++] = log_fd[0];
		fds.fd[fds.count++] = log_fd[1];
	}
	rig_add_fds(&rig, &add, &fds);
}

static int start_with(u32 n)
{
	char why[256];

	ports = n;
	assert_int_equal(xvm_ptys_open(&ptys, ports, why), 0);
	rig_keep_new();
	drv_start(&drv, &rig);
	add_console();
	drv_wait_ready(&drv, DEV);
	base = drv_area_new(&drv, AREA, DEV, PAGES);
	return 0;
}

static int start(void **state)
{
	(void)state;
	return start_with(1);
}

static int start_ports(void **state)
{
	(void)state;
	return start_with(2);
}

static int start_log(void **state)
{
	(void)state;
	log_fd[0] = memfd_create("log", MFD_CLOEXEC);
	log_fd[1] = memfd_create("log.1", MFD_CLOEXEC);
	fcntl(log_fd[0], F_SETFL, O_APPEND);
	fcntl(log_fd[1], F_SETFL, O_APPEND);
	return start_with(1);
}

static int stop(void **state)
{
	u32 i;

	(void)state;
	drv_stop(&drv);
	xvm_ptys_close(&ptys);
	rig_keep_end();
	for (i = 0; i < 2; i++) {
		if (log_fd[i] >= 0)
			close(log_fd[i]);
		log_fd[i] = -1;
	}
	return 0;
}

static void up(u64 features)
{
	u32 i, n = ports > 1 ? QUEUES : 2;

	drv_negotiate(&drv, DEV, features);
	for (i = 0; i < n; i++)
		drv_vq_setup(&vq[i], &drv, DEV, (u16)i, SIZE, AREA, i * 65536, true);
	drv_set_status(&drv, DEV, 15);
}

/* What the other end of a pty reads, all that comes within ms of quiet. */
static u32 pty_read(u32 port, u8 *to, u32 max, int ms)
{
	struct pollfd fd = { .fd = ptys.pty[port].slave, .events = POLLIN };
	u32 have = 0;
	ssize_t n;

	while (have < max && poll(&fd, 1, ms) > 0) {
		n = read(fd.fd, to + have, max - have);
		assert_true(n > 0);
		have += (u32)n;
	}
	return have;
}

static void pattern(u8 *at, u32 from, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		at[i] = (u8)((from + i) * 7 + (from + i) / 251);
}

static void send_now(u32 queue, u32 bytes)
{
	struct drv_seg seg[2] = { { data_addr(queue), bytes / 2, false },
				  { data_addr(queue) + bytes / 2, bytes - bytes / 2, false } };
	u32 len;

	assert_true(drv_vq_add(&vq[queue], seg, 2) >= 0);
	drv_vq_kick(&vq[queue]);
	drv_vq_wait(&vq[queue], &len);
	assert_int_equal(len, 0);
}

static void test_out(void **state)
{
	static u8 want[200000], got[200000];
	u32 at, n, have = 0;

	(void)state;
	up(ALL_FEATURES);
	pattern(want, 0, sizeof(want));
	for (at = 0; at < sizeof(want); at += n) {
		n = 2 + at % 3000;
		n = n < sizeof(want) - at ? n : (u32)sizeof(want) - at;
		if (n < 2)
			break;
		memcpy(data_at(1), want + at, n);
		send_now(1, n);
		have += pty_read(0, got + have, (u32)sizeof(got) - have, 0);
	}
	have += pty_read(0, got + have, at - have, 500);
	assert_int_equal(have, at);
	assert_memory_equal(got, want, at);
}

static void test_in(void **state)
{
	static u8 want[100000], got[100000];
	struct drv_seg seg = { data_addr(0), 3000, true };
	u32 sent = 0, have = 0, len;
	ssize_t n;

	(void)state;
	up(ALL_FEATURES);
	pattern(want, 5, sizeof(want));
	fcntl(ptys.pty[0].slave, F_SETFL, O_NONBLOCK);
	while (have < sizeof(want)) {
		n = write(ptys.pty[0].slave, want + sent, sizeof(want) - sent);
		sent += n > 0 ? (u32)n : 0;
		drv_vq_add(&vq[0], &seg, 1);
		drv_vq_kick(&vq[0]);
		drv_vq_wait(&vq[0], &len);
		assert_true(len && len <= 3000 && have + len <= sizeof(got));
		memcpy(got + have, data_at(0), len);
		have += len;
	}
	assert_memory_equal(got, want, sizeof(want));
	/* Room beyond what there is stays as it was. */
	memset(data_at(0), 0xee, 3000);
	assert_int_equal(write(ptys.pty[0].slave, "xyz", 3), 3);
	drv_vq_add(&vq[0], &seg, 1);
	drv_vq_kick(&vq[0]);
	drv_vq_wait(&vq[0], &len);
	assert_int_equal(len, 3);
	assert_memory_equal(data_at(0), "xyz\xee", 4);
}

/* Nobody reads: every chain completes all the same, the newest bytes are kept, the others counted. */
/* Takes what stands before a note, which begins at offset from of all that was sent; returns the offset behind the gap. */
static u32 until_note(u8 **at, u8 *note, u32 from)
{
	static u8 want[200000];
	u32 seen = (u32)(note - *at), lost = (u32)strtoul((char *)note + 3, NULL, 10);

	assert_memory_equal(strchr((char *)note + 3, ' '), " bytes lost]\r\n", 14);
	pattern(want, from, seen);
	assert_memory_equal(*at, want, seen);
	*at = (u8 *)strchr((char *)note + 3, ']') + 3;
	return from + seen + lost;
}

/* Nobody reads: the newest 64 KiB wait. What the pty takes meanwhile, when its own end gets to it, makes a second gap. */
static void test_no_reader(void **state)
{
	static u8 got[200000], want[65536];
	const u32 each = 32768, rounds = 20;
	u32 i, have, from = 0;
	u8 *at = got, *note;

	(void)state;
	up(ALL_FEATURES);
	for (i = 0; i < rounds; i++) {
		pattern(data_at(1), i * each, each);
		send_now(1, each);
	}
	have = pty_read(0, got, sizeof(got) - 1, 500);
	got[have] = 0;
	assert_non_null(memmem(got, have, "\r\n[", 3));
	while ((note = memmem(at, have - (u32)(at - got), "\r\n[", 3)))
		from = until_note(&at, note, from);
	have -= (u32)(at - got);
	assert_int_equal(from + have, rounds * each);
	assert_int_equal(have, 65536);
	pattern(want, from, have);
	assert_memory_equal(at, want, have);
}

static void test_window(void **state)
{
	u8 config[4];

	(void)state;
	up(ALL_FEATURES);
	drv_config(&drv, DEV, 0, 4, config);
	assert_int_equal(xvm_get16(config), 80);
	assert_int_equal(xvm_get16(config + 2), 25);
	rig_resize(&rig, DEV, 132 << 16 | 43);
	DRV_UNTIL(&drv, drv.configs[DEV] == 1);
	drv_config(&drv, DEV, 0, 4, config);
	assert_int_equal(xvm_get16(config), 132);
	assert_int_equal(xvm_get16(config + 2), 43);
}

/* ---- ports ---- */

static void ctl_send(u32 id, u16 event, u16 value)
{
	u8 *at = data_at(3);
	struct drv_seg seg = { data_addr(3), 8, false };
	u32 len;

	xvm_put32(at, id);
	xvm_put16(at + 4, event);
	xvm_put16(at + 6, value);
	drv_vq_add(&vq[3], &seg, 1);
	drv_vq_kick(&vq[3]);
	drv_vq_wait(&vq[3], &len);
}

static u32 ctl_slot[DRV_VQ_MAX];

static void ctl_offer(u32 slot)
{
	struct drv_seg seg = { data_addr(2) + slot * 4096, 4096, true };
	int head = drv_vq_add(&vq[2], &seg, 1);

	ctl_slot[head] = slot;
	drv_vq_kick(&vq[2]);
}

/* The next message must be this one, with this behind it. */
static void ctl_expect(u32 id, u16 event, const void *more, u32 bytes)
{
	u32 len;
	int head = drv_vq_wait(&vq[2], &len);
	const u8 *at = data_at(2) + ctl_slot[head] * 4096;

	assert_int_equal(len, 8 + bytes);
	assert_int_equal(xvm_get32(at), id);
	assert_int_equal(xvm_get16(at + 4), event);
	assert_int_equal(xvm_get16(at + 6), 1);
	assert_memory_equal(at + 8, more, bytes);
	ctl_offer(ctl_slot[head]);
}

/* The driver is told of two ports, and takes the first. */
static void expect_ports(void)
{
	static const u8 window[4] = { 80, 0, 25, 0 };

	ctl_expect(0, VIRTIO_CONSOLE_PORT_ADD, NULL, 0);
	ctl_expect(1, VIRTIO_CONSOLE_PORT_ADD, NULL, 0);
	ctl_send(0, VIRTIO_CONSOLE_PORT_READY, 1);
	ctl_expect(0, VIRTIO_CONSOLE_CONSOLE_PORT, NULL, 0);
	ctl_expect(0, VIRTIO_CONSOLE_RESIZE, window, 4);
	ctl_expect(0, VIRTIO_CONSOLE_PORT_OPEN, NULL, 0);
}

static void ports_up(void)
{
	u32 i;

	up(ALL_FEATURES);
	for (i = 0; i < SLOTS; i++)
		ctl_offer(i);
	ctl_send(~0u, VIRTIO_CONSOLE_DEVICE_READY, 1);
	expect_ports();
	ctl_send(1, VIRTIO_CONSOLE_PORT_READY, 1);
	ctl_expect(1, VIRTIO_CONSOLE_PORT_NAME, "agent", 5);
	ctl_expect(1, VIRTIO_CONSOLE_PORT_OPEN, NULL, 0);
}

static void test_ports(void **state)
{
	struct drv_seg seg = { data_addr(4), 4096, true };
	u8 config[8], got[100];
	u32 len;

	(void)state;
	ports_up();
	drv_config(&drv, DEV, 0, 8, config);
	assert_int_equal(xvm_get32(config + 4), 2);
	/* To a port that the guest has not opened nothing goes. */
	assert_int_equal(write(ptys.pty[1].slave, "hello", 5), 5);
	drv_vq_add(&vq[4], &seg, 1);
	drv_vq_kick(&vq[4]);
	drv_sync(&drv);
	assert_int_equal(drv_vq_get(&vq[4], &len), -1);
	ctl_send(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	drv_vq_wait(&vq[4], &len);
	assert_int_equal(len, 5);
	assert_memory_equal(data_at(4), "hello", 5);
	memcpy(data_at(5), "there", 5);
	send_now(5, 5);
	assert_int_equal(pty_read(1, got, 5, 2000), 5);
	assert_memory_equal(got, "there", 5);
	/* What no driver says, and ports there are not. */
	ctl_send(7, VIRTIO_CONSOLE_PORT_READY, 1);
	ctl_send(~0u, VIRTIO_CONSOLE_PORT_OPEN, 1);
	ctl_send(0, 999, 1);
	rig_resize(&rig, DEV, 100 << 16 | 30);
	ctl_expect(0, VIRTIO_CONSOLE_RESIZE, (u8[]){ 100, 0, 30, 0 }, 4);
}

/* A named port loses nothing: who writes waits for who reads. */
static void test_port_waits(void **state)
{
	static u8 got[400000], want[400000];
	const u32 each = 20000;
	u32 sent = 0, done = 0, have = 0, len;
	struct drv_seg seg;

	(void)state;
	ports_up();
	pattern(want, 0, sizeof(want));
	while (sent < 3) {
		memcpy(data_at(5) + sent * each, want + sent * each, each);
		seg = (struct drv_seg){ data_addr(5) + sent++ * each, each, false };
		drv_vq_add(&vq[5], &seg, 1);
	}
	drv_vq_kick(&vq[5]);
	drv_vq_wait(&vq[5], &len);
	done++;
	drv_sync(&drv);
	drv_sync(&drv);
	/* Nobody has read: the second one may be taken, the third is not. */
	while (drv_vq_get(&vq[5], &len) >= 0)
		done++;
	assert_true(done < 3);
	while (done < 3) {
		have += pty_read(1, got + have, sizeof(got) - have, 20);
		drv_poll(&drv, 5);
		while (drv_vq_get(&vq[5], &len) >= 0)
			done++;
	}
	have += pty_read(1, got + have, sizeof(got) - have, 500);
	assert_int_equal(have, 3 * each);
	assert_memory_equal(got, want, have);
}

/* A buffer that no message fits into breaks the device, and a reset mends it. */
static void test_ctl_short(void **state)
{
	struct drv_seg seg = { data_addr(2), 7, true };

	(void)state;
	up(ALL_FEATURES);
	drv_vq_add(&vq[2], &seg, 1);
	ctl_send(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	DRV_UNTIL(&drv, drv.configs[DEV]);
	assert_true(drv.config[DEV].device_status & XVM_S_NEEDS_RESET);
	drv_set_status(&drv, DEV, 0);
	ports_up();
}

/* ---- the log ---- */

static void test_log(void **state)
{
	static u8 got[65536], want[65536];
	const u32 each = 60000, rounds = 300;	/* 17.2 MiB: past the first file's end */
	u64 total = 0;
	u32 i;

	(void)state;
	up(ALL_FEATURES);
	for (i = 0; i < rounds; i++) {
		pattern(data_at(1), i * each, each);
		send_now(1, each);
		pty_read(0, got, sizeof(got), 0);
		if (!i) {
			DRV_UNTIL(&drv, lseek(log_fd[0], 0, SEEK_END) == each);
			assert_int_equal(pread(log_fd[0], got, each, 0), each);
			pattern(want, 0, each);
			assert_memory_equal(got, want, each);
		}
		/* As fast as the log is written: nothing of it is lost. */
		total += each;
		DRV_UNTIL(&drv, (u64)(lseek(log_fd[0], 0, SEEK_END) + lseek(log_fd[1], 0, SEEK_END)) == total);
	}
	assert_true(lseek(log_fd[0], 0, SEEK_END) <= 16 << 20);
	assert_true(lseek(log_fd[0], 0, SEEK_END) > 15 << 20);
	assert_true(lseek(log_fd[1], 0, SEEK_END) > 1 << 20);
	/* The end of the log is there when the reset is answered. */
	memcpy(data_at(1), "last words", 10);
	send_now(1, 10);
	drv_set_status(&drv, DEV, 0);
	assert_int_equal(pread(log_fd[1], got, 10, lseek(log_fd[1], -10, SEEK_END)), 10);
	assert_memory_equal(got, "last words", 10);
}

/* ---- ends ---- */

static void test_reset(void **state)
{
	u8 got[16];
	u32 i;

	(void)state;
	ports_up();
	for (i = 0; i < 10; i++) {
		assert_int_equal(write(ptys.pty[0].slave, "q", 1), 1);
		drv_set_status(&drv, DEV, 0);
		ports_up();
		memcpy(data_at(1), "ab", 2);
		send_now(1, 2);
		assert_int_equal(pty_read(0, got, 2, 2000), 2);
	}
	rig_del(&rig, DEV, true);
	DRV_UNTIL(&drv, rig.state[DEV] == XVM_DEV_GONE);
}

/* The worker is killed; the next one has the same ptys, and the driver's ports are added again. */
static void test_killed(void **state)
{
	u8 got[16];
	u32 len;

	(void)state;
	ports_up();
	ctl_send(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	memcpy(data_at(1), "before", 6);
	send_now(1, 6);
	rig_kill(&rig);
	drv_join_again(&drv);
	add_console();
	assert_int_equal(drv_area_add(&drv, AREA, DEV, PAGES), XVM_STATUS_OK);
	assert_int_equal(drv_vq_replay(vq, QUEUES, 0), XVM_STATUS_OK);
	expect_ports();
	memcpy(data_at(1), "after", 5);
	send_now(1, 5);
	assert_int_equal(pty_read(0, got, 11, 2000), 11);
	assert_memory_equal(got, "beforeafter", 11);
	assert_int_equal(write(ptys.pty[1].slave, "input", 5), 5);
	drv_vq_add(&vq[4], &(struct drv_seg){ data_addr(4), 100, true }, 1);
	drv_vq_kick(&vq[4]);
	drv_vq_wait(&vq[4], &len);
	assert_int_equal(len, 5);
}

#define ON(f, how) cmocka_unit_test_setup_teardown(f, how, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(test_out, start), ON(test_in, start), ON(test_no_reader, start), ON(test_window, start),
		ON(test_ports, start_ports), ON(test_port_waits, start_ports), ON(test_ctl_short, start_ports),
		ON(test_log, start_log), ON(test_reset, start_ports), ON(test_killed, start_ports),
	};

	return RIG_RUN_BOTH(tests);
}
