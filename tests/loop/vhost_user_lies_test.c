// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Servers of tests/remote through the whole worker: one that dies and whose successor goes on by its log of requests in
 * flight, with a device that must do nothing twice; ones that lie, beside a disk that notices nothing of it; what a guest
 * wrote to its configuration, and what a server says of it; several queues, several devices.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/drv_blk.c tests/support/vu_server.c tests/remote/vhost_server.c */
/* LIBS: -l:liburing.a */
/* TIME: 120 */
#include "../support/test.h"
#include "../support/drv_vq.h"
#include "../support/vu_server.h"
#include "../remote/vhost_server.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define DEV 5u			/* of the server */
#define BESIDE 1u		/* a disk of our own */
#define ODD_TYPE 45u		/* a type of which nothing is known: what it does must not be done twice */
#define AREA_BESIDE 1u
#define IMAGE_BYTES (1u << 20)
#define REQUESTS 300u
#define QUEUE_SIZE 64u

static struct rig rig;
static struct drv drv;
static struct drv_blk beside, blk;
static struct drv_vq vq;
static char file_path[64], sock_path[80];
static int image = -1, file = -1;
static pid_t server;
static u8 *base;
static bool trusted;
static u32 area;			/* of the device: an id is not used again so soon */

/* Runs it in a process of its own, with these words behind what it serves. */
static void run_server(const char *what, const char *words)
{
	const char *argv[24] = { "server", "--socket", sock_path, what, file_path };
	char text[200], *word, *rest = text;
	int n = 5;

	unlink(sock_path);
	snprintf(text, sizeof(text), "%s", words);
	while ((word = strtok_r(rest, " ", &rest)) && n < 24)
		argv[n++] = word;
	server = fork();
	assert_true(server >= 0);
	if (server)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_range(3, ~0u, 0);
	_exit(vhost_server(n, (char **)argv));
}

static void end_server(void)
{
	if (server <= 0)
		return;
	vu_server_kill(server);
	server = -1;
}

static void add_queues(u16 num, u16 device_id, u32 queues)
{
	struct xvm_ipc_dev_add desc = { .num = num, .device_id = device_id, .backend = XVM_BACKEND_VHOST_USER, .queues = queues,
					.config_bytes = device_id == VIRTIO_ID_BLOCK ? 60 : 0,
					.flags = trusted ? XVM_DEV_TRUSTED : 0 };

	vu_server_add(&rig, &desc, vu_server_connect(sock_path));
}

static void add(u16 device_id)
{
	add_queues(DEV, device_id, 1);
}

static int start(void **state)
{
	(void)state;
	strcpy(file_path, "/tmp/xvmsg-vl-XXXXXX");
	file = mkstemp(file_path);
	snprintf(sock_path, sizeof(sock_path), "%s.sock", file_path);
	image = memfd_create("image", MFD_CLOEXEC);
	assert_return_code(ftruncate(image, IMAGE_BYTES), errno);
	server = -1;
	area = AREA_BESIDE + 1;
	drv_start(&drv, &rig);
	rig_add_blk(&rig, BESIDE, image, IMAGE_BYTES, 0);
	drv_wait_ready(&drv, BESIDE);
	drv_blk_start(&beside, &drv, BESIDE, AREA_BESIDE, ~0ull & ~XVM_F_RING_PACKED & ~XVM_F_IN_ORDER);
	return 0;
}

static int start_trusted(void **state)
{
	trusted = true;
	return start(state);
}

static int stop(void **state)
{
	(void)state;
	drv_stop(&drv);
	end_server();
	trusted = false;
	close(image);
	close(file);
	unlink(file_path);
	unlink(sock_path);
	return 0;
}

static void remove_device(u16 num)
{
	rig_del(&rig, num, true);
	RIG_UNTIL(&rig, rig.state[num] == XVM_DEV_GONE);
	drv_release(&drv, num);
}

/* The disk beside works: what is written is read. */
static void beside_works(void)
{
	static u32 word;
	u8 out[512], in[512] = { 0 };

	memset(out, (int)++word, sizeof(out));
	assert_int_equal(drv_blk_do(&beside, VIRTIO_BLK_T_OUT, word % 100, out, sizeof(out)), VIRTIO_BLK_S_OK);
	assert_int_equal(drv_blk_do(&beside, VIRTIO_BLK_T_IN, word % 100, in, sizeof(in)), VIRTIO_BLK_S_OK);
	assert_memory_equal(in, out, sizeof(in));
}

/* ---- the log of requests in flight ---- */

static void start_log(void)
{
	add(ODD_TYPE);
	drv_wait_ready(&drv, DEV);
	base = drv_area_new(&drv, area, DEV, 16);
	drv_negotiate(&drv, DEV, XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM | XVM_F_EVENT_IDX);
	drv_vq_setup(&vq, &drv, DEV, 0, QUEUE_SIZE, area, 0, true);
	drv_set_status(&drv, DEV, XVM_S_ACKNOWLEDGE | XVM_S_DRIVER | XVM_S_FEATURES_OK | XVM_S_DRIVER_OK);
}

/* The next number, at a place of its own while it is out. False: all places are. */
static bool submit_number(u32 number)
{
	u32 at = 0x4000 + number % QUEUE_SIZE * 4;
	struct drv_seg seg = { xvm_addr_make(area, at), 4, false };

	if (vq.n_free < 2)
		return false;
	xvm_put32(base + at, number);
	return drv_vq_add(&vq, &seg, 1) >= 0;
}

static void check_numbers(u32 count)
{
	u32 i, number;

	for (i = 0; i < count; i++) {
		assert_int_equal(pread(file, &number, 4, 4 * i), 4);
		if (number != i)
			fail_msg("entry %u of the log is %u", i, number);
	}
	assert_int_equal(pread(file, &number, 4, 4 * count), 0);
}

static void test_successor_goes_on(void **state)
{
	u32 sent = 0, back = 0, ends = 0, idle = 0, len;

	(void)state;
	/* The first one dies before it has a log to keep. */
	run_server("--log", "--inflight --at SET_INFLIGHT_FD --do die");
	start_log();
	while (back < REQUESTS) {
		while (sent < REQUESTS && submit_number(sent))
			sent++;
		drv_vq_kick(&vq);
		drv_poll(&drv, 5);
		for (idle++; drv_vq_get(&vq, &len) >= 0; idle = 0)
			back++;
		assert_true(idle < 1000);
		if (!(rig.states[DEV] & 1u << XVM_DEV_SERVER_LOST))
			continue;
		rig.states[DEV] = 0;
		end_server();
		ends++;
		run_server("--log", "--inflight --at request --do die --after 40");
		vu_server_again(&rig, DEV, sock_path, 1);
	}
	check_numbers(REQUESTS);
	assert_in_range(ends, 5, 20);
	assert_int_not_equal(rig.state[DEV], XVM_DEV_BROKEN);
	beside_works();
	printf("# %u servers died, %u requests, each done once\n", ends, back);
	assert_int_equal(drv_set_status(&drv, DEV, 0), 0);
}

/* Without one nobody knows what was done: the device needs a reset, whoever died and whoever comes. */
static void test_no_log(void **state)
{
	u32 i, round;

	(void)state;
	for (round = 0; round < 2; round++) {
		run_server("--log", round ? "--inflight --at request --do die --after 3" : "--at request --do die --after 3");
		start_log();
		for (i = 0; i < 10; i++)
			submit_number(i);
		drv_vq_kick(&vq);
		RIG_UNTIL(&rig, rig.states[DEV] & 1u << XVM_DEV_SERVER_LOST);
		assert_int_equal(!!(rig.states[DEV] & 1u << XVM_DEV_BROKEN), !round);
		end_server();
		if (round) {
			run_server("--log", "");
			vu_server_again(&rig, DEV, sock_path, 1);
			RIG_UNTIL(&rig, rig.states[DEV] & 1u << XVM_DEV_BROKEN);
		}
		assert_int_equal(drv_set_status(&drv, DEV, 0), 0);
		end_server();
		remove_device(DEV);
		rig_area_free(&rig, area++);
		rig.states[DEV] = 0;
		drv.device_state[DEV] = 0;
		beside_works();
	}
}

/* ---- lies ---- */

/* When it is led to lie: before the guest hears of it, while it starts or has requests, when it is reset, when an area goes. */
enum moment { FIRST, IO, RESET, AREA_GOES };

static const struct {
	const char *at, *lie;
	enum moment moment;
} lies[] = {
	{ "GET_FEATURES", "garbage", FIRST }, { "GET_FEATURES", "short", FIRST }, { "GET_FEATURES", "fds", FIRST },
	{ "GET_FEATURES", "die", FIRST }, { "GET_PROTOCOL_FEATURES", "die", FIRST }, { "SET_PROTOCOL_FEATURES", "die", FIRST },
	{ "GET_QUEUE_NUM", "die", FIRST }, { "GET_CONFIG", "garbage", FIRST }, { "GET_CONFIG", "die", FIRST },
	{ "GET_MAX_MEM_SLOTS", "short", FIRST }, { "GET_MAX_MEM_SLOTS", "die", FIRST }, { "SET_OWNER", "refuse", FIRST },
	{ "GET_FEATURES", "hang", FIRST }, { "SET_FEATURES", "die", IO }, { "SET_FEATURES", "garbage", IO },
	{ "SET_VRING_NUM", "die", IO }, { "SET_VRING_ADDR", "die", IO }, { "SET_VRING_KICK", "refuse", IO },
	{ "ADD_MEM_REG", "die", IO }, { "GET_VRING_BASE", "die", RESET }, { "GET_VRING_BASE", "garbage", RESET },
	{ "REM_MEM_REG", "die", AREA_GOES }, { "REM_MEM_REG", "refuse", AREA_GOES },
	{ "request", "die", IO }, { "used", "twice", IO }, { "used", "unknown", IO }, { "used", "long", IO },
	{ "used", "ahead", IO }, { "used", "noise", IO },
};

static void fill_disk(void)
{
	int slot;

	while ((slot = drv_blk_slot(&blk)) >= 0)
		drv_blk_submit(&blk, (u32)slot, VIRTIO_BLK_T_IN, 0, 512, 1);
	drv_vq_kick(&blk.vq);
}

static void start_disk(void)
{
	drv_wait_ready(&drv, DEV);
	drv_blk_start(&blk, &drv, DEV, area, ~0ull & ~XVM_F_RING_PACKED & ~XVM_F_IN_ORDER);
}

/* By the server; those of this process at its start count, too. */
static u32 areas_mapped(void)
{
	char path[40], line[300];
	u32 n = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)server);
	maps = fopen(path, "r");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		n += strstr(line, "memfd:area") != NULL;
	fclose(maps);
	return n;
}

static void lead_on(enum moment moment)
{
	u32 before;

	if (moment == FIRST)
		return;
	start_disk();
	fill_disk();
	if (moment == RESET)
		assert_int_equal(drv_set_status(&drv, DEV, 0), 0);
	if (moment == AREA_GOES) {
		before = areas_mapped();
		drv_area_new(&drv, ++area, DEV, 4);
		DRV_UNTIL(&drv, areas_mapped() > before);
		assert_int_equal(drv_area_del(&drv, area), XVM_STATUS_OK);
	}
}

static void lie_once(u32 i)
{
	char words[100];
	u32 first_area = area;

	snprintf(words, sizeof(words), "--at %s --do %s", lies[i].at, lies[i].lie);
	run_server("--image", words);
	add(VIRTIO_ID_BLOCK);
	lead_on(lies[i].moment);
	for (u32 wait = 0; !(rig.states[DEV] & (1u << XVM_DEV_SERVER_LOST | 1u << XVM_DEV_GONE)); wait++) {
		if (wait == 150)
			fail_msg("%s at %s was not noticed", lies[i].lie, lies[i].at);
		drv_poll(&drv, 100);
		beside_works();
	}
	end_server();
	if (rig.state[DEV] != XVM_DEV_GONE) {
		drv_set_status(&drv, DEV, 0);
		remove_device(DEV);
	}
	rig.states[DEV] = 0;
	rig.state[DEV] = 0;
	drv.device_state[DEV] = 0;
	for (area++; first_area < area; first_area++)
		rig_area_free(&rig, first_area);
	beside_works();
}

/* Each costs its own device, is noticed, and nobody else. */
static void test_lies(void **state)
{
	u32 i;

	(void)state;
	assert_return_code(ftruncate(file, IMAGE_BYTES), errno);
	for (i = 0; i < XVM_ARRAY_SIZE(lies); i++)
		if (trusted ? lies[i].moment != FIRST : lies[i].moment != AREA_GOES)	/* where areas come into it */
			lie_once(i);
}

/* A server that is slow with each message: a reset that comes while it starts, and one with requests out, end when it has followed. */
static void test_slow(void **state)
{
	u32 i;

	(void)state;
	assert_return_code(ftruncate(file, IMAGE_BYTES), errno);
	run_server("--image", "--slow 20");
	add(VIRTIO_ID_BLOCK);
	start_disk();
	for (i = 0; i < 3; i++) {
		if (i == 1)
			fill_disk();
		assert_int_equal(drv_set_status(&drv, DEV, 0), 0);
		drv_blk_restart(&blk, ~0ull & ~XVM_F_RING_PACKED & ~XVM_F_IN_ORDER);
		beside_works();
	}
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(rig.states[DEV] & (1u << XVM_DEV_SERVER_LOST | 1u << XVM_DEV_BROKEN), 0);
}

/* ---- the configuration ---- */

static void again(const char *words)
{
	rig.states[DEV] = 0;
	end_server();
	run_server("--image", words);
	vu_server_again(&rig, DEV, sock_path, 1);
}

static void lose_server(void)
{
	end_server();
	RIG_UNTIL(&rig, rig.states[DEV] & 1u << XVM_DEV_SERVER_LOST);
}

/* Returns how many bytes were taken. */
static u32 write_byte(u32 off, u8 value)
{
	struct xvm_msg_config m;
	u8 msg[64], now;

	drv_config(&drv, DEV, off, 1, &now);
	assert_int_equal(xvm_msg_get_config(drv.answer, drv.answer_len, true, &m), 0);
	m.data = &value;
	drv_ask(&drv, msg, xvm_msg_put_config(msg, VIRTIO_MSG_SET_CONFIG, DEV, &m));
	assert_int_equal(xvm_msg_get_config(drv.answer, drv.answer_len, true, &m), 0);
	return m.length;
}

static u32 write_wce(u8 mode)
{
	return write_byte(32, mode);
}

/* What the guest is shown, and what the server goes by. */
static void check_wce(u8 mode)
{
	char id[20] = "", want[20];
	u8 now = 0xff;

	assert_int_equal(drv_config(&drv, DEV, 32, 1, &now), 1);
	assert_int_equal(now, mode);
	snprintf(want, sizeof(want), "wce %u", mode);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_GET_ID, 0, id, sizeof(id)), VIRTIO_BLK_S_OK);
	assert_string_equal(id, want);
}

/* What the guest wrote to its configuration holds with whoever serves it next; the cache mode stands for all such bytes. */
static void test_written(void **state)
{
	(void)state;
	assert_return_code(ftruncate(file, IMAGE_BYTES), errno);
	run_server("--image", "");
	add(VIRTIO_ID_BLOCK);
	drv_wait_ready(&drv, DEV);
	/* Before a driver has said that it is there. */
	assert_int_equal(write_wce(0), 1);
	drv_blk_start(&blk, &drv, DEV, area, ~0ull & ~XVM_F_RING_PACKED & ~XVM_F_IN_ORDER);
	/* That one itself is not to be chosen by a guest: not every successor hears of it. */
	assert_int_equal(blk.features & (1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_BLK_F_CONFIG_WCE), 1ull << VIRTIO_BLK_F_FLUSH);
	check_wce(0);
	lose_server();
	again("");
	check_wce(0);
	assert_int_equal(write_wce(1), 1);
	check_wce(1);
	/* While there is none, and with requests that wait for the next one. */
	lose_server();
	fill_disk();
	assert_int_equal(write_wce(0), 1);
	again("");
	while (blk.busy) {
		u8 status;
		u32 len;

		drv_blk_reap(&blk, &status, &len);
		assert_int_equal(status, VIRTIO_BLK_S_OK);
	}
	check_wce(0);
	/* One that takes no mode is none for this guest. */
	lose_server();
	again("--at SET_CONFIG --do refuse");
	RIG_UNTIL(&rig, rig.states[DEV] & 1u << XVM_DEV_SERVER_LOST);
	again("");
	check_wce(0);
	assert_int_equal(drv.configs[DEV], 0);
	/* A driver that resets while there is none leaves nothing of it to the next one. */
	lose_server();
	assert_int_equal(drv_set_status(&drv, DEV, 0), 0);
	again("--at SET_CONFIG --do refuse");
	drv_blk_restart(&blk, ~0ull & ~XVM_F_RING_PACKED & ~XVM_F_IN_ORDER);
	DRV_UNTIL(&drv, drv.configs[DEV]);
	check_wce(1);
	beside_works();
}

/* A reset puts the mode back in a server that is told of it, by either message; in another it stays, and the guest sees that. */
static void test_reset_told(void **state)
{
	static const char *const also[] = { "--also RESET_DEVICE", "--also STATUS", "" };
	u32 i;

	(void)state;
	assert_return_code(ftruncate(file, IMAGE_BYTES), errno);
	for (i = 0; i < XVM_ARRAY_SIZE(also); i++) {
		run_server("--image", also[i]);
		add(VIRTIO_ID_BLOCK);
		start_disk();
		assert_int_equal(write_wce(0), 1);
		check_wce(0);
		assert_int_equal(drv_set_status(&drv, DEV, 0), 0);
		drv_blk_restart(&blk, ~0ull & ~XVM_F_RING_PACKED & ~XVM_F_IN_ORDER);
		check_wce(i < 2);
		lose_server();
		again(also[i]);
		check_wce(i < 2);
		assert_int_equal(drv_set_status(&drv, DEV, 0), 0);
		end_server();
		remove_device(DEV);
		rig.state[DEV] = 0;
		rig.states[DEV] = 0;
		drv.device_state[DEV] = 0;
		rig_area_free(&rig, area++);
	}
	beside_works();
}

/* News of the configuration: told to the guest once, and not at all when there is nothing new in them. */
static void test_news(void **state)
{
	u64 sectors;
	u32 i;

	(void)state;
	assert_return_code(ftruncate(file, IMAGE_BYTES), errno);
	run_server("--image", "--also BACKEND_REQ");
	add(VIRTIO_ID_BLOCK);
	start_disk();
	for (i = 0; i < 20; i++) {
		assert_return_code(kill(server, SIGUSR1), errno);
		fill_disk();
		drv_poll(&drv, 20);
		beside_works();
		while (blk.busy) {
			u8 status;
			u32 len;

			drv_blk_reap(&blk, &status, &len);
			assert_int_equal(status, VIRTIO_BLK_S_OK);
		}
	}
	assert_int_equal(drv.configs[DEV], 0);
	assert_return_code(ftruncate(file, 2 * IMAGE_BYTES), errno);
	kill(server, SIGUSR1);
	DRV_UNTIL(&drv, drv.configs[DEV]);
	drv_config(&drv, DEV, 0, 8, &sectors);
	assert_int_equal(sectors, 2 * IMAGE_BYTES / 512);
	drv_poll(&drv, 100);
	assert_int_equal(drv.configs[DEV], 1);
	assert_int_equal(rig.states[DEV] & 1u << XVM_DEV_SERVER_LOST, 0);
}

/* Of a network card no bit that needs another one which is not passed on. */
static void test_net_features(void **state)
{
	static const u8 by_control[] = { 2, 17, 18, 19, 20, 21, 22, 23, 53, 57, 60 };
	u64 features;
	u32 i;

	(void)state;
	run_server("--image", "--features 0xffffffffffffffff");
	add_queues(DEV, VIRTIO_ID_NET, 2);
	drv_wait_ready(&drv, DEV);
	features = drv_features(&drv, DEV);
	for (i = 0; i < XVM_ARRAY_SIZE(by_control); i++)
		assert_int_equal(features >> by_control[i] & 1, 0);
	assert_int_equal(features & 0x7fff, 0x7fff & ~(1u << 2 | 1u << 3 | 1u << 5));
}

/* Address and size are what its description says, whatever its server has; the guest cannot write them. */
static void test_net_config(void **state)
{
	struct xvm_ipc_dev_add desc = { .num = DEV, .device_id = VIRTIO_ID_NET, .backend = XVM_BACKEND_VHOST_USER, .queues = 2,
					.net = { .mac = { 2, 0, 0, 1, 2, 3 }, .mtu = 1400 } };
	u8 config[12];

	(void)state;
	run_server("--image", "");
	vu_server_add(&rig, &desc, vu_server_connect(sock_path));
	drv_wait_ready(&drv, DEV);
	assert_int_equal(drv_features(&drv, DEV) & 0xff, 1u << 5 | 1u << 3);
	assert_int_equal(drv_config(&drv, DEV, 0, 12, config), 12);
	assert_memory_equal(config, desc.net.mac, 6);
	assert_int_equal(xvm_get16(config + 10), 1400);
	assert_int_equal(write_byte(0, 4), 0);
}

/* A type of which nothing is known but what its description says: as much configuration as the protocol has, and answers to what is written. */
static void test_odd_config(void **state)
{
	struct xvm_ipc_dev_add desc = { .num = DEV, .device_id = 18, .backend = XVM_BACKEND_VHOST_USER, .queues = 2,
					.config_bytes = 136 };
	char name[20];
	u8 bytes;

	(void)state;
	run_server("--image", "--input");
	vu_server_add(&rig, &desc, vu_server_connect(sock_path));
	drv_wait_ready(&drv, DEV);
	assert_int_equal(write_byte(0, 1), 1);
	assert_int_equal(drv_config(&drv, DEV, 2, 1, &bytes), 1);
	assert_int_equal(bytes, 11);
	assert_int_equal(drv_config(&drv, DEV, 8, bytes, name), bytes);
	assert_memory_equal(name, "a test's id", bytes);
	assert_int_equal(write_byte(0, 2), 1);
	assert_int_equal(drv_config(&drv, DEV, 2, 1, &bytes), 1);
	assert_int_equal(bytes, 0);
	assert_int_equal(drv.configs[DEV], 0);
}

/* ---- several queues, several devices ---- */

#define QUEUES 4u

/* Sector N of the file is written through queue N, all at once; the server dies in between. */
static void test_queues(void **state)
{
	struct drv_vq queue[QUEUES];
	u32 q, len, off, head = DRV_VQ_BYTES(QUEUE_SIZE);
	u16 queues;
	u8 sector[512], want[512];

	(void)state;
	assert_return_code(ftruncate(file, IMAGE_BYTES), errno);
	run_server("--image", "--at request --do die --after 3");
	add_queues(DEV, VIRTIO_ID_BLOCK, QUEUES);
	drv_wait_ready(&drv, DEV);
	drv_config(&drv, DEV, 34, 2, &queues);
	assert_int_equal(queues, QUEUES);
	base = drv_area_new(&drv, area, DEV, 64);
	assert_true(drv_negotiate(&drv, DEV, XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM | 1ull << VIRTIO_BLK_F_MQ) &
		    1ull << VIRTIO_BLK_F_MQ);
	for (q = 0; q < QUEUES; q++)
		drv_vq_setup(&queue[q], &drv, DEV, (u16)q, QUEUE_SIZE, area, q * head, false);
	drv_set_status(&drv, DEV, XVM_S_ACKNOWLEDGE | XVM_S_DRIVER | XVM_S_FEATURES_OK | XVM_S_DRIVER_OK);
	for (q = 0; q < QUEUES; q++) {
		off = QUEUES * head + q * 4096;
		struct drv_seg seg[3] = { { xvm_addr_make(area, off), 16, false }, { xvm_addr_make(area, off + 512), 512, false },
					  { xvm_addr_make(area, off + 1024), 1, true } };

		xvm_put32(base + off, VIRTIO_BLK_T_OUT);
		xvm_put64(base + off + 8, q);
		memset(base + off + 512, (int)q + 1, 512);
		base[off + 1024] = 0xff;
		drv_vq_add(&queue[q], seg, 3);
		drv_vq_kick(&queue[q]);
	}
	RIG_UNTIL(&rig, rig.states[DEV] & 1u << XVM_DEV_SERVER_LOST);
	end_server();
	run_server("--image", "");
	vu_server_again(&rig, DEV, sock_path, QUEUES);
	for (q = 0; q < QUEUES; q++) {
		drv_vq_wait(&queue[q], &len);
		assert_int_equal(base[QUEUES * head + q * 4096 + 1024], VIRTIO_BLK_S_OK);
		memset(want, (int)q + 1, sizeof(want));
		assert_int_equal(pread(file, sector, 512, 512 * q), 512);
		assert_memory_equal(sector, want, 512);
	}
}

/* Each server is given the areas of its own device, and no others. */
static void test_own_areas(void **state)
{
	u32 mine, i;
	pid_t first;

	(void)state;
	assert_return_code(ftruncate(file, IMAGE_BYTES), errno);
	run_server("--image", "");
	add(VIRTIO_ID_BLOCK);
	start_disk();
	first = server;
	mine = area;
	run_server("--image", "");
	add_queues(DEV + 1, VIRTIO_ID_BLOCK, 1);
	drv_wait_ready(&drv, DEV + 1);
	drv_blk_start(&blk, &drv, DEV + 1, ++area, ~0ull & ~XVM_F_RING_PACKED & ~XVM_F_IN_ORDER);
	drv_area_new(&drv, area + 1, DEV, 4);
	drv_area_new(&drv, area + 2, DEV + 1, 4);
	drv_area_new(&drv, area + 3, 0, 4);
	fill_disk();
	RIG_UNTIL(&rig, rig.shares == 4);
	drv_poll(&drv, 50);
	assert_int_equal(rig.shares, 4);
	for (i = 0; i < RIG_AREAS; i++)
		assert_int_equal(rig.shared_with[i], i == mine || i == area + 1 ? DEV :
						     i == area || i == area + 2 ? DEV + 1 : 0);
	vu_server_kill(first);
}

#define TRUSTED(f) { .name = #f " with areas", .test_func = f, .setup_func = start_trusted, .teardown_func = stop }
#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_successor_goes_on), TRUSTED(test_successor_goes_on), CASE(test_no_log), TRUSTED(test_no_log),
		CASE(test_lies), TRUSTED(test_lies), CASE(test_slow), TRUSTED(test_slow), CASE(test_written), TRUSTED(test_written), CASE(test_reset_told),
		CASE(test_news), CASE(test_net_features), CASE(test_net_config), CASE(test_odd_config),
		CASE(test_queues), TRUSTED(test_queues), TRUSTED(test_own_areas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
