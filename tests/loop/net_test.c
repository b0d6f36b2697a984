// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A network device over the whole worker and a tap of this machine's kernel, in
 * a network of its own: frames both ways, a cable, a worker that is killed, and
 * what the supervisor's part makes, finds, refuses and removes. What the kernel
 * does to frames is net_offload_test's.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/fake_vhost.c dom0/daemon/host_net.c dom0/daemon/host_vhost.c */
/* LIBS: -l:liburing.a */
/* TIME: 60 */
#include "../support/net_loop.h"
#include "../support/fake_vhost.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { RX, TX, CTRL, QUEUES };

static struct drv_vq vq[QUEUES];

static void give_buffer(u32 i)
{
	struct drv_seg seg = { xvm_addr_make(3, RX_OFF + i * RX_BYTES), RX_BYTES, true };

	assert_true(drv_vq_add(&vq[RX], &seg, 1) >= 0);
}

static void bring_up(u64 features)
{
	bool event_idx;
	u32 i;

	base = drv_area_new(&drv, 3, 1, AREA_PAGES);
	event_idx = drv_negotiate(&drv, 1, features) & XVM_F_EVENT_IDX;
	drv_vq_setup(&vq[RX], &drv, 1, 0, 64, 3, 0, event_idx);
	drv_vq_setup(&vq[TX], &drv, 1, 1, 64, 3, 0x4000, event_idx);
	drv_set_status(&drv, 1, 15);
	for (i = 0; i < RX_BUFFERS; i++)
		give_buffer(i);
	drv_vq_kick(&vq[RX]);
	drv_sync(&drv);
}

/* From the guest: a frame whose bytes count from start. */
static void send_frame(u8 start, u32 bytes)
{
	struct drv_seg seg = { xvm_addr_make(3, TX_OFF), HEADER + bytes, false };
	u8 *frame = base + TX_OFF + HEADER;
	u32 i, len;

	memset(base + TX_OFF, 0, HEADER);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, request.net.mac, 6);
	frame[12] = ETH_P_LOOPBACK >> 8;
	frame[13] = ETH_P_LOOPBACK & 0xff;
	for (i = 14; i < bytes; i++)
		frame[i] = (u8)(start + i);
	assert_true(drv_vq_add(&vq[TX], &seg, 1) >= 0);
	drv_vq_kick(&vq[TX]);
	drv_vq_wait(&vq[TX], &len);
}

static void host_sees(u8 start, u32 bytes)
{
	u8 frame[2000];
	u32 i;

	assert_int_equal(recv(wire, frame, sizeof(frame), 0), bytes);
	for (i = 14; i < bytes; i++)
		assert_int_equal(frame[i], (u8)(start + i));
}

static void host_sends(u8 start, u32 bytes)
{
	u8 frame[2000] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, ETH_P_LOOPBACK >> 8, ETH_P_LOOPBACK & 0xff };
	u32 i;

	for (i = 14; i < bytes; i++)
		frame[i] = (u8)(start + i);
	assert_int_equal(send(wire, frame, bytes, 0), bytes);
}

static void check_frame(const u8 *p, u8 start, u32 len)
{
	u32 i;

	assert_int_equal(xvm_get16(p + 10), 1);
	for (i = 14; i < len - HEADER; i++)
		assert_int_equal(p[HEADER + i], (u8)(start + i));
}

/* Waits for a frame of ours; the kernel's own are given back unseen. Its bytes. */
static u32 guest_gets(u8 start)
{
	struct drv_seg seg = { .bytes = RX_BYTES, .write = true };
	u32 len, type;
	const u8 *p;

	do {
		seg.addr = xvm_get64(vq[RX].desc + 16 * drv_vq_wait(&vq[RX], &len));
		p = base + (seg.addr - xvm_addr_make(3, 0));
		type = (u32)(p[HEADER + 12] << 8 | p[HEADER + 13]);
		if (type == ETH_P_LOOPBACK)
			check_frame(p, start, len);
		assert_true(drv_vq_add(&vq[RX], &seg, 1) >= 0);
		drv_vq_kick(&vq[RX]);
	} while (type != ETH_P_LOOPBACK);
	return len - HEADER;
}

static void set_link(bool up)
{
	u8 status[2];

	rig_link(&rig, 1, up);
	do
		drv_config(&drv, 1, 6, 2, status);
	while ((xvm_get16(status) & VIRTIO_NET_S_LINK_UP) != up);
}

static void frames(void)
{
	u8 mac[6];
	u32 i;

	need_tun();
	assert_int_equal(host(XVM_NET_MAKE, NULL), 0);
	wire = open_wire(ETH_P_LOOPBACK);
	drv_start(&drv, &rig);
	add_device();
	bring_up(BASE);
	drv_config(&drv, 1, 0, 6, mac);
	assert_memory_equal(mac, request.net.mac, 6);
	for (i = 0; i < 200; i++) {
		send_frame((u8)i, 60 + 7 * i);
		host_sees((u8)i, 60 + 7 * i);
		host_sends((u8)i, 60 + 7 * i);
		assert_int_equal(guest_gets((u8)i), 60 + 7 * i);
	}
	/* Frames for which there is no buffer wait in the tap. */
	for (i = 0; i < 300; i++)
		host_sends((u8)i, 600);
	for (i = 0; i < 300; i++)
		assert_int_equal(guest_gets((u8)i), 600);
	/* What comes while the cable is out is lost. */
	set_link(false);
	host_sends(7, 100);
	set_link(true);
	host_sends(8, 100);
	assert_int_equal(guest_gets(8), 100);
	/* A worker dies; the next one has the same tap. */
	rig_kill(&rig);
	host_sends(1, 100);	/* while nobody is there: lost */
	drv_join_again(&drv);
	rig_area_free(&rig, 3);
	drv.device_state[1] = 0;
	add_device();
	bring_up(BASE | F(GUEST_CSUM) | F(GUEST_TSO4));
	send_frame(9, 1000);
	host_sees(9, 1000);
	drv_stop(&drv);
	close(wire);
	assert_int_equal(host(XVM_NET_REMOVE, NULL), 0);
	assert_int_equal(if_nametoindex("vif7.0-xvm"), 0);
}

/* A command with one byte of data; the device's answer. */
static u8 command(u8 class, u8 cmd, u8 value)
{
	struct drv_seg seg[] = { { xvm_addr_make(3, CTRL_OFF), 3, false }, { xvm_addr_make(3, CTRL_OFF + 16), 1, true } };
	u8 *p = base + CTRL_OFF;
	u32 len;

	p[0] = class;
	p[1] = cmd;
	p[2] = value;
	p[16] = 0xff;
	assert_true(drv_vq_add(&vq[CTRL], seg, 2) >= 0);
	drv_vq_kick(&vq[CTRL]);
	drv_vq_wait(&vq[CTRL], &len);
	assert_int_equal(len, 1);
	return p[16];
}

/* The worker dies, and its queues go on (docs/protocol.md, section 15). */
static void next_worker(void)
{
	rig_kill(&rig);
	drv_join_again(&drv);
	add_device();
	assert_int_equal(drv_area_add(&drv, 3, 1, AREA_PAGES), XVM_STATUS_OK);
	assert_int_equal(drv_vq_replay(vq, QUEUES, 0), XVM_STATUS_OK);
	drv_vq_force_kick(&vq[RX]);
}

/* A broadcast does not arrive, what comes after it does. */
static void only_own(u8 start)
{
	u8 frame[100] = { 0 };
	u32 i;

	host_sends(99, 100);
	memcpy(frame, request.net.mac, 6);
	frame[12] = ETH_P_LOOPBACK >> 8;
	frame[13] = ETH_P_LOOPBACK & 0xff;
	for (i = 14; i < sizeof(frame); i++)
		frame[i] = (u8)(start + i);
	assert_int_equal(send(wire, frame, sizeof(frame), 0), sizeof(frame));
	assert_int_equal(guest_gets(start), 100);
}

/* What the driver said once holds, whichever worker serves it. */
static void test_kept(void **state)
{
	(void)state;
	need_tun();
	rig_keep_new();
	assert_int_equal(host(XVM_NET_MAKE, NULL), 0);
	wire = open_wire(ETH_P_LOOPBACK);
	drv_start(&drv, &rig);
	add_device();
	bring_up(BASE | F(CTRL_VQ) | F(CTRL_RX) | F(CTRL_RX_EXTRA));
	drv_vq_setup(&vq[CTRL], &drv, 1, 2, 16, 3, 0x8000, true);
	host_sends(1, 100);
	assert_int_equal(guest_gets(1), 100);
	assert_int_equal(command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0), VIRTIO_NET_OK);
	assert_int_equal(command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOBCAST, 1), VIRTIO_NET_OK);
	only_own(2);
	next_worker();
	only_own(3);
	assert_int_equal(command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOBCAST, 0), VIRTIO_NET_OK);
	next_worker();
	host_sends(4, 100);
	assert_int_equal(guest_gets(4), 100);
	drv_stop(&drv);
	rig_area_free(&rig, 3);
	close(wire);
	rig_keep_end();
	assert_int_equal(host(XVM_NET_REMOVE, NULL), 0);
}

static void test_frames(void **state)
{
	(void)state;
	frames();
}

/* The same by a stand-in for dom0's kernel. It knows no event index. */
static void test_vhost_frames(void **state)
{
	(void)state;
	fake_vhost_use();
	by_vhost = true;
	frames();
	by_vhost = false;
}

static void refuses(const char *text)
{
	assert_true(host(XVM_NET_MAKE, NULL) < 0);
	if (!strstr(why, text))
		fail_msg("said '%s', expected '%s'", why, text);
}

/* Nothing is left of what is refused, and nothing of another's is touched. */
static void test_host(void **state)
{
	struct xvm_image_request good;

	(void)state;
	need_tun();
	good = request;
	strcpy(request.spec.net.bridge, "nosuch");
	refuses("bridge nosuch does not exist");
	strcpy(request.spec.net.bridge, "lo");
	refuses("lo is no bridge");
	request = good;
	strcpy(request.net.tap, "lo");
	refuses("an interface lo is there already");
	request = good;
	strcpy(request.spec.net.script, "/nowhere/script");
	refuses("script /nowhere/script cannot be run");
	strcpy(request.spec.net.script, "/bin/false");
	refuses("add failed for vif7.0-xvm (exit status 1)");
	assert_int_equal(if_nametoindex("vif7.0-xvm"), 0);
	strcpy(request.spec.net.script, "/bin/true");
	assert_int_equal(host(XVM_NET_MAKE, NULL), 0);
	/* Of another guest; then our own, as after a restart. */
	request.net.owner++;
	refuses("an interface vif7.0-xvm is there already");
	assert_int_equal(host(XVM_NET_REMOVE, NULL), 0);
	assert_true(if_nametoindex("vif7.0-xvm") > 0);
	request.net.owner--;
	assert_int_equal(host(XVM_NET_MAKE, NULL), 0);
	assert_int_equal(host(XVM_NET_REMOVE, NULL), 0);
	assert_int_equal(if_nametoindex("vif7.0-xvm"), 0);
	assert_int_equal(host(XVM_NET_REMOVE, NULL), 0);
	assert_true(host(XVM_NET_OPEN, NULL) < 0);
	assert_non_null(strstr(why, "is gone"));
	request = good;
}

struct found {
	char names[100];
	u32 domid, owner;
};

static void found(void *arg, u32 domid, const struct xvm_net_request *tap)
{
	struct found *f = arg;

	f->domid = domid;
	f->owner = tap->owner;
	snprintf(f->names + strlen(f->names), sizeof(f->names) - strlen(f->names), "%s ", tap->tap);
}

static void make_tap(const char *name, u32 owner)
{
	strcpy(request.net.tap, name);
	request.net.owner = owner;
	assert_int_equal(host(XVM_NET_MAKE, NULL), 0);
}

/* Of taps that look like ours those count that are: by owner and by name. */
static void test_taps(void **state)
{
	static const char *const others[] = { "vif9.100-xvm", "vif9.0-xvmx", "vif09.0-xvm", "vif9.0", "web0" };
	struct xvm_image_request good;
	struct found f = { 0 };
	u32 i;

	(void)state;
	need_tun();
	good = request;
	make_tap("vif9.12-xvm", 131072 + 9);
	make_tap("vif9.13-xvm", 131072 + 8);
	for (i = 0; i < XVM_ARRAY_SIZE(others); i++)
		make_tap(others[i], 131072 + 9);
	xvm_net_taps(131072, found, &f);
	assert_string_equal(f.names, "vif9.12-xvm ");
	assert_int_equal(f.domid, 9);
	assert_int_equal(f.owner, 131072 + 9);
	/* As it is swept: without the script that it may have come with. */
	strcpy(request.net.tap, "vif9.12-xvm");
	assert_int_equal(host(XVM_NET_REMOVE, NULL), 0);
	memset(&f, 0, sizeof(f));
	xvm_net_taps(131072, found, &f);
	assert_string_equal(f.names, "");
	request.net.owner = 131072 + 8;
	strcpy(request.net.tap, "vif9.13-xvm");
	assert_int_equal(host(XVM_NET_REMOVE, NULL), 0);
	request.net.owner++;
	for (i = 0; i < XVM_ARRAY_SIZE(others); i++) {
		strcpy(request.net.tap, others[i]);
		assert_int_equal(host(XVM_NET_REMOVE, NULL), 0);
	}
	request = good;
}

/* Killed; somebody may have to reap it still. */
static bool is_dead(int pid)
{
	char path[40], line[200] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return true;
	if (!fgets(line, sizeof(line), file))
		line[0] = 0;
	fclose(file);
	return !line[0] || strstr(line, ") Z ");
}

/* A script that writes down how it was called, beside itself. */
static void recording_script(char path[40])
{
	FILE *file;
	int fd;

	strcpy(path, "/tmp/net_test.XXXXXX");
	fd = mkstemp(path);
	assert_return_code(fd, errno);
	file = fdopen(fd, "w");
	fprintf(file, "#!/bin/sh\n{ echo $0 \"$@\"; tr '\\0' '\\n' < /proc/$$/environ; } >> $0.out\n");
	fchmod(fd, 0700);
	fclose(file);
}

static void expect_record(const char *script, const char *command, const char *more)
{
	char path[60], text[1000] = "", expected[1000];
	FILE *file;

	snprintf(expected, sizeof(expected),
		 "%s %s type_if=tap\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nXENBUS_TYPE=vif\n"
		 "XENBUS_BASE_PATH=backend\nXENBUS_PATH=/local/domain/0/backend/vif/7/0-xvm\nscript=%s\nvif=vif7.0-xvm\n"
		 "INTERFACE=vif7.0-xvm\n%s", script, command, script, more);
	snprintf(path, sizeof(path), "%s.out", script);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	unlink(path);
	assert_string_equal(text, expected);
}

/* Its words and all of its environment, as the scripts of Xen's vifs take them for a tap. */
static void test_script(void **state)
{
	struct xvm_image_request good;
	char path[40];

	(void)state;
	need_tun();
	good = request;
	recording_script(path);
	strcpy(request.spec.net.script, path);
	strcpy(request.spec.net.ip, "192.0.2.1 198.51.100.0/24");
	strcpy(request.spec.net.gatewaydev, "lo");
	assert_int_equal(host(XVM_NET_MAKE, NULL), 0);
	expect_record(path, "add", "ip=192.0.2.1 198.51.100.0/24\nnetdev=lo\n");
	assert_int_equal(host(XVM_NET_REMOVE, NULL), 0);
	expect_record(path, "remove", "ip=192.0.2.1 198.51.100.0/24\nnetdev=lo\n");
	request.spec.net.ip[0] = request.spec.net.gatewaydev[0] = 0;
	/* Which one there is, is the script's to see. */
	strcpy(request.spec.net.bridge, "xenbr9");
	assert_int_equal(host(XVM_NET_MAKE, NULL), 0);
	expect_record(path, "add", "bridge=xenbr9\n");
	assert_int_equal(host(XVM_NET_REMOVE, NULL), 0);
	expect_record(path, "remove", "bridge=xenbr9\n");
	strcpy(request.net.tap, "vif7.1");
	refuses("vifname=vif7.1 is what Xen calls its own: a script would read /local/domain/0/backend/vif/7/1;");
	unlink(path);
	request = good;
}

/* A script that does not end is ended, and what it has started. */
static void test_slow_script(void **state)
{
	char path[] = "/tmp/net_test.XXXXXX", pid_path[sizeof(path) + 4], text[16] = "";
	struct xvm_image_request good;
	int fd, tries;
	FILE *file;

	(void)state;
	need_tun();
	good = request;
	fd = mkstemp(path);
	assert_return_code(fd, errno);
	file = fdopen(fd, "w");
	snprintf(pid_path, sizeof(pid_path), "%s.pid", path);
	fprintf(file, "#!/bin/sh\nsleep 1000 &\necho $! > %s\nwait\n", pid_path);
	fchmod(fd, 0700);
	fclose(file);
	strcpy(request.spec.net.script, path);
	xvm_script_limit_ms = 1000;
	refuses("add did not end for vif7.0-xvm within 1 s, and was ended");
	xvm_script_limit_ms = 40000;
	unlink(path);
	file = fopen(pid_path, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	unlink(pid_path);
	/* It is init's to reap. */
	for (tries = 0; tries < 500 && !is_dead(atoi(text)); tries++)
		usleep(10000);
	assert_true(tries < 500);
	assert_int_equal(if_nametoindex("vif7.0-xvm"), 0);
	request = good;
}

static bool taken(void *arg, const char *tap)
{
	return !strcmp(tap, arg);
}

/* As vif-common.sh of Xen's makes it of $dev. */
static void test_script_path(void **state)
{
	char path[XVM_SCRIPT_PATH_BYTES];

	(void)state;
	assert_true(xvm_net_script_path("vif32751.99-xvm", path));
	assert_string_equal(path, "/local/domain/0/backend/vif/32751/99-xvm");
	assert_true(xvm_net_script_path("web0", path));
	assert_string_equal(path, "/local/domain/0/backend/vif/web0/web0");
	assert_true(xvm_net_script_path("a.b.c", path));
	assert_string_equal(path, "/local/domain/0/backend/vif/a.b/b.c");
	assert_false(xvm_net_script_path("vif7.1-emu", path));
	assert_false(xvm_net_script_path("vif7", path));
	assert_false(xvm_net_script_path("7", path));
	assert_false(xvm_net_script_path("vif", path));
	assert_false(xvm_net_script_path("vif7.", path));
}

static void test_names(void **state)
{
	char tap[XVM_TAP_BYTES];
	u8 mac[6], again[6], other[6];

	(void)state;
	assert_true(xvm_net_tap_name(32751, "net7", tap, taken, ""));
	assert_string_equal(tap, "vif32751.7-xvm");
	assert_true(xvm_net_tap_name(32751, "eth99", tap, taken, "vif32751.99-xvm"));
	assert_string_equal(tap, "vif32751.0-xvm");
	assert_true(xvm_net_tap_name(3, "lan", tap, taken, ""));
	xvm_net_default_mac("0a", "net0", mac);
	xvm_net_default_mac("0a", "net0", again);
	xvm_net_default_mac("0a", "net1", other);
	assert_memory_equal(mac, again, 6);
	assert_memory_equal(mac, "\x00\x16\x3e", 3);
	assert_memory_not_equal(mac, other, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names), cmocka_unit_test(test_host), cmocka_unit_test(test_taps), cmocka_unit_test(test_slow_script),
		cmocka_unit_test(test_script), cmocka_unit_test(test_script_path),
		cmocka_unit_test(test_frames), cmocka_unit_test(test_vhost_frames), cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
