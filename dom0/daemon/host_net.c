// SPDX-License-Identifier: GPL-2.0-or-later
#include "host_net.h"
#include "host_vhost.h"
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>

#define SCRIPT_DIR XVM_SYSCONFDIR "/xen/scripts/"
#define HEADER_BYTES 12			/* of a frame, as virtio 1 says */
#define SEND_BYTES (1 << 20)		/* that a guest may have in the host's network; then it waits */
#define MAX_TAPS 100u			/* of one guest: two digits, or the name is too long */

u32 xvm_script_limit_ms = 40000;

/* ---- names ---- */

/* FNV-1a */
static u64 hash(u64 h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (u8)*text) * 0x100000001b3ull;
	return h;
}

void xvm_net_default_mac(const char *uuid, const char *name, u8 mac[6])
{
	u64 h = hash(hash(hash(0xcbf29ce484222325ull, uuid), "/"), name);

	mac[0] = 0x00;
	mac[1] = 0x16;
	mac[2] = 0x3e;
	mac[3] = (u8)(h >> 40 & 0x7f);	/* as libxl keeps it */
	mac[4] = (u8)(h >> 24);
	mac[5] = (u8)(h >> 8);
}

static u32 first_choice(const char *name)
{
	size_t len = strlen(name), at = len;
	unsigned long n;

	while (at && name[at - 1] >= '0' && name[at - 1] <= '9')
		at--;
	n = at < len && len - at < 4 ? strtoul(name + at, NULL, 10) : MAX_TAPS;
	return n < MAX_TAPS ? (u32)n : (u32)(hash(0xcbf29ce484222325ull, name) % MAX_TAPS);
}

bool xvm_net_tap_name(u32 domid, const char *name, char tap[XVM_TAP_BYTES],
		      bool (*taken)(void *arg, const char *tap), void *arg)
{
	u32 first = first_choice(name), i;

	for (i = 0; i < MAX_TAPS; i++) {
		snprintf(tap, XVM_TAP_BYTES, "vif%u.%u-xvm", domid % 100000, (first + i) % MAX_TAPS);
		if (!taken(arg, tap))
			return true;
	}
	tap[0] = 0;
	return false;
}

/* ---- one interface ---- */

/* Any socket will do for these requests. */
static int ask(unsigned long request, struct ifreq *ifr)
{
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (sock < 0)
		return -errno;
	err = ioctl(sock, request, ifr) ? -errno : 0;
	close(sock);
	return err;
}

static struct ifreq named(const char *name)
{
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ifr;
}

static bool has_leaf(const char *name, const char *leaf)
{
	char path[80];

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", name, leaf);
	return !access(path, F_OK);
}

static bool exists(const char *name)
{
	struct ifreq ifr = named(name);

	return !ask(SIOCGIFINDEX, &ifr);
}

/* Of the user of that guest's workers: only we make such. */
static bool is_ours(const struct xvm_net_request *net)
{
	char path[80], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/class/net/%s/owner", net->tap);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return strtol(text, NULL, 10) == (long)net->owner;
}

/* A queue of the tap; the tap itself, if there is none of that name. */
static int open_queue(const char *tap, char *why)
{
	struct ifreq ifr = named(tap);
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), err;

	if (fd < 0)
		return xvm_refuse(why, -errno, "/dev/net/tun cannot be opened: %s; is the kernel's module tun loaded?",
				  strerror(errno));
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
	if (!ioctl(fd, TUNSETIFF, &ifr))
		return fd;
	err = -errno;
	close(fd);
	return xvm_refuse(why, err, "tap %s cannot be opened: %s", tap, strerror(-err));
}

/* vifDOMID.N-xvm, as xvm_net_tap_name makes it. */
static bool is_made_up(const char *name, u32 *domid)
{
	char same[XVM_TAP_BYTES];
	u32 n;

	if (sscanf(name, "vif%5u.%2u-xvm", domid, &n) != 2)
		return false;
	snprintf(same, sizeof(same), "vif%u.%u-xvm", *domid, n);
	return !strcmp(same, name);
}

void xvm_net_taps(u32 uid_base, void (*found)(void *arg, u32 domid, const struct xvm_net_request *tap), void *arg)
{
	struct xvm_net_request tap = { .task = XVM_NET_REMOVE };
	DIR *dir = opendir("/sys/class/net");
	struct dirent *entry;
	u32 domid;

	while (dir && (entry = readdir(dir))) {
		if (!is_made_up(entry->d_name, &domid))
			continue;
		snprintf(tap.tap, sizeof(tap.tap), "%.*s", (int)sizeof(tap.tap) - 1, entry->d_name);
		tap.owner = uid_base + domid;
		if (is_ours(&tap))
			found(arg, domid, &tap);
	}
	if (dir)
		closedir(dir);
}

/* ---- making ---- */

static void script_path(const char *script, char path[XVM_TARGET_BYTES])
{
	snprintf(path, XVM_TARGET_BYTES, "%s%s", script[0] == '/' ? "" : SCRIPT_DIR, script);
}

bool xvm_net_script_path(const char *tap, char path[XVM_SCRIPT_PATH_BYTES])
{
	static const char digits[] = "0123456789";
	const char *name = tap + (strncmp(tap, "vif", 3) ? 0 : 3), *dot = strchr(name, '.');
	size_t len = strlen(name);
	char domid[XVM_TAP_BYTES], devid[XVM_TAP_BYTES];

	if (len >= 4 && !strcmp(name + len - 4, "-emu"))
		len -= 4;
	snprintf(domid, sizeof(domid), "%.*s", (int)len, name);
	snprintf(devid, sizeof(devid), "%.*s", (int)(dot ? len - (size_t)(dot + 1 - name) : len), dot ? dot + 1 : name);
	if (dot)
		*strrchr(domid, '.') = 0;
	snprintf(path, XVM_SCRIPT_PATH_BYTES, "/local/domain/0/backend/vif/%s/%s", domid, devid);
	return *domid && *devid && (domid[strspn(domid, digits)] || devid[strspn(devid, digits)]);
}

struct script_env {
	char text[10][XVM_TARGET_BYTES + 8];
	char *word[11];
	u32 words;
};

static void put_env(struct script_env *env, const char *key, const char *value)
{
	char *text = env->text[env->words];

	if (!*value)
		return;
	snprintf(text, sizeof(env->text[0]), "%s=%s", key, value);
	env->word[env->words++] = text;
}

/*
 * What libxl gives the scripts of a vif, and what they would read from its node: for this one there is none, and
 * then their own variables of the same names count. Xen's own look below the path that they make of the tap's name.
 */
static void fill_env(struct script_env *env, const struct xvm_image_request *request, const struct xvm_spec_net *spec,
		     const char *path)
{
	char xenbus[XVM_SCRIPT_PATH_BYTES];

	xvm_net_script_path(request->net.tap, xenbus);
	put_env(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	put_env(env, "XENBUS_TYPE", "vif");
	put_env(env, "XENBUS_BASE_PATH", "backend");
	put_env(env, "XENBUS_PATH", xenbus);
	put_env(env, "script", path);
	put_env(env, "vif", request->net.tap);
	put_env(env, "INTERFACE", request->net.tap);
	put_env(env, "bridge", spec->bridge);
	put_env(env, "ip", spec->ip);
	put_env(env, "netdev", spec->gatewaydev);
}

/* As libxl calls them for an emulated card: `add type_if=tap`, the rest in the environment. */
static void __attribute__((noreturn)) run_script(const struct xvm_image_request *request, const struct xvm_spec_net *spec,
						 char *path, char *command)
{
	char *argv[] = { path, command, "type_if=tap", NULL };
	struct script_env env = { .words = 0 };
	int null = open("/dev/null", O_RDWR);

	/* What it starts ends with it when it takes too long, and it when nobody waits for it any more. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fill_env(&env, request, spec, path);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	close_range(3, ~0u, 0);
	execve(path, argv, env.word);
	_exit(126);
}

u32 xvm_net_script_ms(const struct xvm_image_request *request)
{
	bool script = request->spec.kind == XVM_KIND_NET && request->spec.net.script[0] && request->net.task != XVM_NET_OPEN;

	return script ? xvm_script_limit_ms : 0;
}

/* 0 with its status; -ETIMEDOUT: it took too long, and was ended. */
static int wait_script(pid_t child, int *status)
{
	struct pollfd end = { .fd = pidfd_open(child, 0), .events = POLLIN };
	bool late = end.fd >= 0 && !poll(&end, 1, (int)xvm_script_limit_ms);

	if (end.fd >= 0)
		close(end.fd);
	if (late)
		kill(-child, SIGKILL);
	if (waitpid(child, status, 0) != child)
		return -errno;
	return late ? -ETIMEDOUT : 0;
}

static int call_script(const struct xvm_image_request *request, const struct xvm_spec_net *spec, char *command, char *why)
{
	char path[XVM_TARGET_BYTES];
	int status = 0, err;
	pid_t child;

	script_path(spec->script, path);
	if (access(path, X_OK))
		return xvm_refuse(why, -ENOENT, "script %.120s cannot be run: %s", path, strerror(errno));
	signal(SIGCHLD, SIG_DFL);
	child = fork();
	if (!child)
		run_script(request, spec, path, command);
	err = child < 0 ? -errno : wait_script(child, &status);
	if (err == -ETIMEDOUT)
		return xvm_refuse(why, err, "script %.120s %s did not end for %s within %u s, and was ended", path, command,
				  request->net.tap, xvm_script_limit_ms / 1000);
	if (err)
		return xvm_refuse(why, -EIO, "script %.120s cannot be run: %s", path, strerror(-err));
	if (status)
		return xvm_refuse(why, -EIO, "script %.120s %s failed for %s (%s %d); what it says is in its own log", path,
				  command, request->net.tap, WIFEXITED(status) ? "exit status" : "signal",
				  WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return 0;
}

static int join_bridge(const char *tap, const char *bridge, bool was_there, char *why)
{
	struct ifreq ifr = named(tap);
	int err = ask(SIOCGIFINDEX, &ifr), index = ifr.ifr_ifindex;

	ifr = named(bridge);
	ifr.ifr_ifindex = index;
	if (!err)
		err = ask(SIOCBRADDIF, &ifr);
	if (!err || (err == -EBUSY && was_there))
		return 0;
	return xvm_refuse(why, err, "tap %s cannot join bridge %s: %s", tap, bridge, strerror(-err));
}

/* As Xen does with its own: an address that no bridge takes for its own. */
static int set_address(const char *tap)
{
	static const u8 last[6] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct ifreq ifr = named(tap);

	ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(ifr.ifr_hwaddr.sa_data, last, sizeof(last));
	return ask(SIOCSIFHWADDR, &ifr);
}

static int set_mtu(const char *tap, u32 mtu)
{
	struct ifreq ifr = named(tap);

	ifr.ifr_mtu = (int)mtu;
	return mtu ? ask(SIOCSIFMTU, &ifr) : 0;
}

static int set_up(const char *tap)
{
	struct ifreq ifr = named(tap);
	int err = ask(SIOCGIFFLAGS, &ifr);

	ifr.ifr_flags |= IFF_UP;
	return err ? err : ask(SIOCSIFFLAGS, &ifr);
}

static u16 read_mtu(const char *tap)
{
	struct ifreq ifr = named(tap);

	return ask(SIOCGIFMTU, &ifr) || ifr.ifr_mtu < 68 ? 1500 : ifr.ifr_mtu > 65535 ? 65535 : (u16)ifr.ifr_mtu;
}

/* A bridge of the kernel's may give a new port its own MTU, so this comes before ours. */
static int plug(const struct xvm_image_request *request, const struct xvm_spec_net *spec, bool was_there, char *why)
{
	const char *tap = request->net.tap;
	int err = set_address(tap);

	if (err)
		return xvm_refuse(why, err, "the address of tap %s cannot be set: %s", tap, strerror(-err));
	if (spec->script[0])
		err = call_script(request, spec, "add", why);
	else if (spec->bridge[0])
		err = join_bridge(tap, spec->bridge, was_there, why);
	if (err)
		return err;
	err = set_mtu(tap, spec->mtu);
	if (err)
		return xvm_refuse(why, err, "mtu=%u cannot be set for tap %s: %s", spec->mtu, tap, strerror(-err));
	err = set_up(tap);
	return err ? xvm_refuse(why, err, "tap %s cannot be brought up: %s", tap, strerror(-err)) : 0;
}

static int look_first(const struct xvm_image_request *request, const struct xvm_spec_net *spec, bool *was_there, char *why)
{
	const char *tap = request->net.tap, *bridge = spec->bridge;
	char path[XVM_SCRIPT_PATH_BYTES];

	if (spec->script[0] && !xvm_net_script_path(tap, path))
		return xvm_refuse(why, -EINVAL, "vifname=%s is what Xen calls its own: a script would read %s; choose another", tap, path);
	/* A script may know bridges of another kind. */
	if (bridge[0] && !spec->script[0] && !has_leaf(bridge, "bridge"))
		return xvm_refuse(why, -ENODEV, exists(bridge) ? "%s is no bridge; name one that is, or a script=" :
								  "bridge %s does not exist; make it, or name another", bridge);
	*was_there = exists(tap);
	if (*was_there && !is_ours(&request->net))
		return xvm_refuse(why, -EEXIST, "an interface %s is there already; choose another vifname=", tap);
	return 0;
}

/* Until it is to persist the tap goes with the descriptor, whatever fails. */
static int make(const struct xvm_image_request *request, const struct xvm_spec_net *spec, struct xvm_image *image, char *why)
{
	const char *tap = request->net.tap;
	bool was_there;
	int err = spec->vhost ? xvm_host_vhost_check("net", why) : 0, fd;

	if (!err)
		err = look_first(request, spec, &was_there, why);
	if (err)
		return err;
	fd = open_queue(tap, why);
	if (fd < 0)
		return fd;
	if (ioctl(fd, TUNSETOWNER, (unsigned long)request->net.owner))
		err = xvm_refuse(why, -errno, "the owner of tap %s cannot be set: %s", tap, strerror(errno));
	if (!err)
		err = plug(request, spec, was_there, why);
	if (!err && ioctl(fd, TUNSETPERSIST, 1ul))
		err = xvm_refuse(why, -errno, "tap %s cannot be made to stay: %s", tap, strerror(errno));
	image->net.mtu = read_mtu(tap);
	close(fd);
	return err;
}

/* ---- for a worker ---- */

static int set_queue(int fd, const char *tap, char *why)
{
	static const int header = HEADER_BYTES, little = 1, bytes = SEND_BYTES;

	if (!ioctl(fd, TUNSETVNETHDRSZ, &header) && !ioctl(fd, TUNSETVNETLE, &little) && !ioctl(fd, TUNSETSNDBUF, &bytes))
		return 0;
	return xvm_refuse(why, -errno, "tap %s refuses what virtio needs of it: %s", tap, strerror(errno));
}

static int open_queues(const struct xvm_image_request *request, struct xvm_image *image, struct fdset *fds, char *why)
{
	const char *tap = request->net.tap;
	int err = 0, fd;
	u32 i;

	if (!exists(tap) || !is_ours(&request->net))
		return xvm_refuse(why, -ENODEV, "its tap %s is gone; detach the device and attach it again", tap);
	while (!err && fds->count < image->spec.queues) {
		fd = open_queue(tap, why);
		if (fd >= 0)
			fds->fd[fds->count++] = fd;
		err = fd < 0 ? fd : set_queue(fd, tap, why);
	}
	image->net.mtu = read_mtu(tap);
	for (i = 0; !err && image->spec.net.vhost && i < image->spec.queues; i++)
		err = xvm_host_vhost_open("net", 2, fds, why);
	if (err)
		fdset_close(fds);
	return err;
}

/* ---- its end ---- */

static int unmake(const struct xvm_image_request *request, const struct xvm_spec_net *spec, char *why)
{
	const char *tap = request->net.tap;
	int err = 0, fd;

	if (!exists(tap) || !is_ours(&request->net))
		return 0;
	if (spec->script[0])
		err = call_script(request, spec, "remove", why);
	/* Whatever the script says: the tap goes. */
	fd = open_queue(tap, why);
	if (fd < 0)
		return fd;
	if (ioctl(fd, TUNSETPERSIST, 0ul))
		err = xvm_refuse(why, -errno, "tap %s cannot be removed: %s", tap, strerror(errno));
	close(fd);
	return err;
}

int xvm_host_net(const struct xvm_image_request *request, struct xvm_image *image, struct fdset *fds, char *why)
{
	const struct xvm_spec_net *spec = &image->spec.net;

	memcpy(image->net.mac, spec->mac_given ? spec->mac : request->net.mac, sizeof(image->net.mac));
	switch (request->net.task) {
	case XVM_NET_MAKE:
		return make(request, spec, image, why);
	case XVM_NET_OPEN:
		return open_queues(request, image, fds, why);
	case XVM_NET_REMOVE:
		return unmake(request, spec, why);
	}
	return -EINVAL;
}
