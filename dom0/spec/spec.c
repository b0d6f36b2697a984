// SPDX-License-Identifier: GPL-2.0-or-later
#include "spec.h"
#include "../../xen/proto/num.h"
#include <arpa/inet.h>
#include <stdio.h>

static const char *const kind_name[] = {
	[XVM_KIND_BLK] = "disk",
	[XVM_KIND_RNG] = "rng",
	[XVM_KIND_VHOST_USER] = "vhost-user",
	[XVM_KIND_VFIO_USER] = "vfio-user",
	[XVM_KIND_NET] = "net",
	[XVM_KIND_CONSOLE] = "console",
	[XVM_KIND_VSOCK] = "vsock",
	[XVM_KIND_SCSI] = "scsi",
};

/* Types of virtio devices by the words of this project, and how many queues such a device has if nobody says. */
static const struct {
	const char *word;
	u16 id;
	u8 queues;
} devices[] = {
	{ "net", 1, 2 }, { "disk", 2, 1 }, { "rng", 4, 1 }, { "scsi", 8, 3 }, { "vsock", 19, 3 }, { "sound", 25, 4 },
	{ "fs", 26, 2 }, { "i2c", 34, 1 }, { "gpio", 41, 2 },
};

#define DISK (1u << XVM_KIND_BLK)
#define SERVED (1u << XVM_KIND_VHOST_USER)
#define VFIO (1u << XVM_KIND_VFIO_USER)
#define NET (1u << XVM_KIND_NET)
#define CONSOLE (1u << XVM_KIND_CONSOLE)
#define VSOCK (1u << XVM_KIND_VSOCK)
#define SCSI (1u << XVM_KIND_SCSI)
#define ANY ~0u

enum key { KEY_TYPE, KEY_NAME, KEY_VDEV, KEY_PATH, KEY_FORMAT, KEY_ACCESS, KEY_DISCARD, KEY_NO_DISCARD, KEY_DEVICE,
	   KEY_CONFIG, KEY_QUEUES, KEY_TAG, KEY_USER, KEY_TRUSTED, KEY_SOCKET, KEY_SERVER, KEY_MAC, KEY_BRIDGE, KEY_SCRIPT, KEY_IP,
	   KEY_GATEWAYDEV, KEY_VIFNAME, KEY_MTU, KEY_LINK, KEY_VHOST, KEY_PORTS, KEY_LOG, KEY_CID, KEY_WWPN, KEY_TARGET, NUM_KEYS };

struct parse {
	struct xvm_spec *spec;
	struct xvm_spec_fault *fault;
	const char *text;
	enum xvm_spec_form form;
	size_t seen[NUM_KEYS];		/* 1 + where the key stands; 0: it does not */
};

struct item {
	const char *key, *value;	/* value NULL: no '=' */
	size_t key_len, len;
};

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && !memcmp(text, word, len);
}

static int fault_at(struct parse *p, const char *at, const char *why)
{
	p->fault->at = (size_t)(at - p->text);
	snprintf(p->fault->why, sizeof(p->fault->why), "%s", why);
	return -EINVAL;
}

const char *xvm_kind_name(enum xvm_device_kind kind)
{
	return kind_name[kind];
}

static bool is_plain(const char *name, size_t len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t i;

	for (i = 0; i < len; i++)
		if (!name[i] || !strchr(allowed, name[i]))
			return false;
	return true;
}

bool xvm_spec_name_ok(const char *name, size_t len)
{
	size_t i, digits = 0;

	for (i = 0; i < len; i++)
		digits += name[i] >= '0' && name[i] <= '9';
	return len && len <= XVM_NAME_MAX && digits < len && is_plain(name, len);
}

static bool has_control(const char *text, size_t len)
{
	while (len--)
		if ((unsigned char)text[len] < ' ' || text[len] == 0x7f)
			return true;
	return false;
}

/* ---- one function per key; NULL, or what is wrong with the value ---- */

static const char *take_type(struct xvm_spec *spec, const char *value, size_t len)
{
	u32 i;

	/* Descriptor files of the first release say blk. */
	if (is_word(value, len, "blk")) {
		spec->kind = XVM_KIND_BLK;
		return NULL;
	}
	for (i = 0; i < XVM_ARRAY_SIZE(kind_name); i++) {
		if (is_word(value, len, kind_name[i])) {
			spec->kind = (enum xvm_device_kind)i;
			return NULL;
		}
	}
	return "unknown type";	/* said in full by take_item */
}

static const char *take_name(struct xvm_spec *spec, const char *value, size_t len)
{
	if (!xvm_spec_name_ok(value, len))
		return "name= (or vdev=) is not 1 to 20 of letters, digits, '.', '_', '-' with a letter among them";
	memcpy(spec->name, value, len);
	spec->name[len] = 0;
	return NULL;
}

static const char *take_path(struct xvm_spec *spec, const char *value, size_t len)
{
	if (!len || value[0] != '/')
		return "path= is not an absolute path";
	if (len >= sizeof(spec->path))
		return "path= is longer than 1023 bytes";
	if (has_control(value, len))
		return "path= has a control character";
	memcpy(spec->path, value, len);
	spec->path[len] = 0;
	return NULL;
}

static const char *take_format(struct xvm_spec *spec, const char *value, size_t len)
{
	(void)spec;
	return is_word(value, len, "raw") ? NULL : "format= is not raw, the only one there is";
}

static const char *take_access(struct xvm_spec *spec, const char *value, size_t len)
{
	spec->read_only = is_word(value, len, "ro") || is_word(value, len, "r");
	return spec->read_only || is_word(value, len, "rw") || is_word(value, len, "w") ? NULL :
	       "access= is neither rw nor ro";
}

static const char *take_nothing(struct xvm_spec *spec, const char *value, size_t len)
{
	(void)spec;
	(void)len;
	return value ? "discard and no-discard take no value" : NULL;
}

static const char *take_device(struct xvm_spec *spec, const char *value, size_t len)
{
	u32 i, id;

	for (i = 0; i < XVM_ARRAY_SIZE(devices); i++) {
		if (!is_word(value, len, devices[i].word))
			continue;
		spec->device_id = devices[i].id;
		return NULL;
	}
	if (xvm_parse_u32(value, len, 63, &id) || !id)
		return "device= is neither a number from 1 to 63 nor one of net, disk, rng, scsi, vsock, sound, fs, i2c, gpio";
	spec->device_id = (u16)id;
	return NULL;
}

static const char *take_config(struct xvm_spec *spec, const char *value, size_t len)
{
	u32 bytes;

	if (xvm_parse_u32(value, len, XVM_VHOST_USER_MAX_CONFIG, &bytes))
		return "config= is no number from 0 to 256";
	spec->config_said = true;
	spec->config_bytes = (u16)bytes;
	return NULL;
}

/* A server of vhost-user has fewer, see check_served. */
static const char *take_queues(struct xvm_spec *spec, const char *value, size_t len)
{
	u32 queues;

	if (xvm_parse_u32(value, len, XVM_NET_MAX_QUEUES, &queues) || !queues)
		return "queues= is no number from 1 to 16";
	spec->queues = (u8)queues;
	return NULL;
}

static const char *take_tag(struct xvm_spec *spec, const char *value, size_t len)
{
	size_t i;

	if (!len || len > XVM_TAG_MAX)
		return "tag= is not 1 to 36 bytes long";
	for (i = 0; i < len; i++)
		if (value[i] <= ' ' || value[i] >= 0x7f)
			return "tag= has a character that is no printable one of ASCII";
	memcpy(spec->tag, value, len);
	spec->tag[len] = 0;
	return NULL;
}

static const char *take_socket(struct xvm_spec *spec, const char *value, size_t len)
{
	return take_path(spec, value, len) ? "socket= is no absolute path of at most 1023 printable bytes" : NULL;
}

static const char *take_trusted(struct xvm_spec *spec, const char *value, size_t len)
{
	(void)len;
	spec->trusted = true;
	return value ? "trusted takes no value" : NULL;
}

/* A path, or the name of a program that is described, with arguments. */
static const char *take_server(struct xvm_spec *spec, const char *value, size_t len)
{
	const char *blank = memchr(value, ' ', len);
	size_t name = blank ? (size_t)(blank - value) : len;

	spec->command = true;
	if (len && value[0] != '/' && (name > 60 || !is_plain(value, name)))
		return "server= begins neither with an absolute path nor with a name of at most 60 letters, digits, '.', '_', '-'";
	if (!len || len >= sizeof(spec->path) || has_control(value, len))
		return "server= is empty, or has more than 1023 bytes or a control character";
	memcpy(spec->path, value, len);
	spec->path[len] = 0;
	return NULL;
}

static const char *take_user(struct xvm_spec *spec, const char *value, size_t len)
{
	if (!len || len > XVM_USER_MAX || !is_plain(value, len))
		return "user= is not 1 to 32 letters, digits, '.', '_', '-'";
	memcpy(spec->user, value, len);
	spec->user[len] = 0;
	return NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *take_mac(struct xvm_spec *spec, const char *value, size_t len)
{
	static const char why[] = "mac= is not six bytes of two hex digits with ':' between them, of one card and no group";
	u32 i;

	if (len != 17)
		return why;
	for (i = 0; i < 6; i++) {
		int high = hex_digit(value[3 * i]), low = hex_digit(value[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && value[3 * i + 2] != ':'))
			return why;
		spec->net.mac[i] = (u8)(high << 4 | low);
	}
	spec->net.mac_given = true;
	return spec->net.mac[0] & 1 ? why : NULL;
}

static bool take_ifname(const char *value, size_t len, char name[XVM_IFNAME_BYTES])
{
	size_t i;

	if (!len || len >= XVM_IFNAME_BYTES || value[0] == '.')
		return false;
	for (i = 0; i < len; i++)
		if (value[i] <= ' ' || value[i] >= 0x7f || strchr("/:%", value[i]))
			return false;
	memcpy(name, value, len);
	name[len] = 0;
	return true;
}

static const char *take_bridge(struct xvm_spec *spec, const char *value, size_t len)
{
	return take_ifname(value, len, spec->net.bridge) ? NULL :
	       "bridge= is no name of an interface: 1 to 15 characters, without '/', ':', '%' and blanks";
}

static const char *take_vifname(struct xvm_spec *spec, const char *value, size_t len)
{
	return take_ifname(value, len, spec->net.vifname) ? NULL :
	       "vifname= is no name of an interface: 1 to 15 characters, without '/', ':', '%' and blanks";
}

static const char *take_script(struct xvm_spec *spec, const char *value, size_t len)
{
	size_t i;

	if (!len || len >= sizeof(spec->net.script))
		return "script= is not 1 to 255 bytes long";
	for (i = 0; i < len; i++)
		if (value[i] < ' ' || value[i] == 0x7f || (value[i] == '/' && value[0] != '/'))
			return "script= is neither an absolute path nor the name of a script in Xen's own folder";
	memcpy(spec->net.script, value, len);
	spec->net.script[len] = 0;
	return NULL;
}

/* An address, or a network with its bits behind a '/'. */
static bool is_network(const char *text, size_t len)
{
	const char *slash = memchr(text, '/', len);
	size_t n = slash ? (size_t)(slash - text) : len;
	bool colon = memchr(text, ':', n);
	char address[INET6_ADDRSTRLEN];
	u8 bytes[16];
	u32 bits;

	if (n >= sizeof(address))
		return false;
	memcpy(address, text, n);
	address[n] = 0;
	return inet_pton(colon ? AF_INET6 : AF_INET, address, bytes) == 1 &&
	       (!slash || !xvm_parse_u32(slash + 1, len - n - 1, colon ? 128 : 32, &bits));
}

/* For the scripts, which take what stands between blanks as words. */
static const char *take_ip(struct xvm_spec *spec, const char *value, size_t len)
{
	size_t at, n;

	if (!len || len >= sizeof(spec->net.ip))
		return "ip= is not 1 to 159 bytes long";
	memcpy(spec->net.ip, value, len);
	spec->net.ip[len] = 0;
	for (at = 0; at <= len; at += n + 1) {
		n = strcspn(spec->net.ip + at, " ");
		if (!is_network(value + at, n))
			return "ip= is no list of addresses and networks (192.0.2.1 198.51.100.0/24) with one blank between two";
	}
	return NULL;
}

static const char *take_gatewaydev(struct xvm_spec *spec, const char *value, size_t len)
{
	return take_ifname(value, len, spec->net.gatewaydev) ? NULL :
	       "gatewaydev= is no name of an interface: 1 to 15 characters, without '/', ':', '%' and blanks";
}

static const char *take_mtu(struct xvm_spec *spec, const char *value, size_t len)
{
	return !xvm_parse_u32(value, len, 65535, &spec->net.mtu) && spec->net.mtu >= 68 ? NULL : "mtu= is no number from 68 to 65535";
}

static const char *take_link(struct xvm_spec *spec, const char *value, size_t len)
{
	spec->net.link_down = is_word(value, len, "down");
	return spec->net.link_down || is_word(value, len, "up") ? NULL : "link= is neither up nor down";
}

static const char *take_vhost(struct xvm_spec *spec, const char *value, size_t len)
{
	spec->net.vhost = is_word(value, len, "on");
	return spec->net.vhost || is_word(value, len, "off") ? NULL : "vhost= is neither on nor off";
}

/* "agent:monitor" */
static const char *take_ports(struct xvm_spec *spec, const char *value, size_t len)
{
	struct xvm_spec_console *console = &spec->console;
	size_t from, n;
	u32 i;

	for (from = 0; from <= len; from += n + 1) {
		const char *colon = memchr(value + from, ':', len - from);

		n = colon ? (size_t)(colon - value) - from : len - from;
		if (console->ports == XVM_CONSOLE_PORTS)
			return "ports= names more than 7 ports";
		if (!n || n > XVM_PORT_NAME_MAX || !is_plain(value + from, n))
			return "ports= has a name that is not 1 to 31 of letters, digits, '.', '_', '-'";
		for (i = 0; i < console->ports; i++)
			if (is_word(value + from, n, console->port[i]))
				return "ports= has the same name twice";
		memcpy(console->port[console->ports++], value + from, n);
	}
	return NULL;
}

static const char *take_log(struct xvm_spec *spec, const char *value, size_t len)
{
	if (!len || value[0] != '/')
		return "log= is not an absolute path";
	if (len >= sizeof(spec->console.log) || has_control(value, len) || memchr(value, ',', len))
		return "log= is longer than 1023 bytes, or has a comma or a control character";
	memcpy(spec->console.log, value, len);
	return NULL;
}

/* 0 to 2 mean the hypervisor, oneself and the host; 2^32 - 1 means any. */
static const char *take_cid(struct xvm_spec *spec, const char *value, size_t len)
{
	return xvm_parse_u32(value, len, 0xfffffffeu, &spec->cid) || spec->cid < 3 ?
	       "cid= is no number from 3 to 4294967294" : NULL;
}

static bool begins(const char *value, size_t len, const char *with)
{
	return len > strlen(with) && !memcmp(value, with, strlen(with));
}

/* As Linux has them below /sys/kernel/config/target/vhost; so none is a path. */
static const char *take_wwpn(struct xvm_spec *spec, const char *value, size_t len)
{
	bool ok = begins(value, len, "naa.") || begins(value, len, "iqn.") || begins(value, len, "fc.");
	size_t i;

	for (i = 0; i < len; i++)
		ok = ok && (value[i] == ':' || is_plain(value + i, 1));
	if (!ok || len >= XVM_WWPN_BYTES)
		return "wwpn= is not naa., iqn. or fc. with letters, digits, '.', '_', '-', ':' behind it, at most 223 bytes";
	memcpy(spec->wwpn, value, len);
	spec->wwpn[len] = 0;
	return NULL;
}

/* ---- one function per key that is printed: its item, or nothing ---- */

static void put_name(const struct xvm_spec *spec, char *item, size_t bytes)
{
	if (spec->name[0])
		snprintf(item, bytes, "name=%s", spec->name);
}

static void put_access(const struct xvm_spec *spec, char *item, size_t bytes)
{
	snprintf(item, bytes, "access=%s", spec->read_only ? "ro" : "rw");
}

static void put_no_discard(const struct xvm_spec *spec, char *item, size_t bytes)
{
	if (!spec->read_only && !spec->discard)
		snprintf(item, bytes, "no-discard");
}

static void put_device(const struct xvm_spec *spec, char *item, size_t bytes)
{
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(devices); i++)
		if (devices[i].id == spec->device_id)
			break;
	if (i < XVM_ARRAY_SIZE(devices))
		snprintf(item, bytes, "device=%s", devices[i].word);
	else
		snprintf(item, bytes, "device=%u", spec->device_id);
}

static void put_config(const struct xvm_spec *spec, char *item, size_t bytes)
{
	if (spec->config_said)
		snprintf(item, bytes, "config=%u", spec->config_bytes);
}

static void put_mac(const struct xvm_spec *spec, char *item, size_t bytes)
{
	const u8 *m = spec->net.mac;

	if (spec->net.mac_given)
		snprintf(item, bytes, "mac=%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void put_text(const char *key, const char *text, char *item, size_t bytes)
{
	if (*text)
		snprintf(item, bytes, "%s=%s", key, text);
}

static void put_bridge(const struct xvm_spec *spec, char *item, size_t bytes)
{
	put_text("bridge", spec->net.bridge, item, bytes);
}

static void put_script(const struct xvm_spec *spec, char *item, size_t bytes)
{
	put_text("script", spec->net.script, item, bytes);
}

static void put_ip(const struct xvm_spec *spec, char *item, size_t bytes)
{
	put_text("ip", spec->net.ip, item, bytes);
}

static void put_gatewaydev(const struct xvm_spec *spec, char *item, size_t bytes)
{
	put_text("gatewaydev", spec->net.gatewaydev, item, bytes);
}

static void put_vifname(const struct xvm_spec *spec, char *item, size_t bytes)
{
	put_text("vifname", spec->net.vifname, item, bytes);
}

static void put_mtu(const struct xvm_spec *spec, char *item, size_t bytes)
{
	if (spec->net.mtu)
		snprintf(item, bytes, "mtu=%u", spec->net.mtu);
}

static void put_queues(const struct xvm_spec *spec, char *item, size_t bytes)
{
	snprintf(item, bytes, "queues=%u", spec->queues);
}

static void put_tag(const struct xvm_spec *spec, char *item, size_t bytes)
{
	if (spec->tag[0])
		snprintf(item, bytes, "tag=%s", spec->tag);
}

static void put_user(const struct xvm_spec *spec, char *item, size_t bytes)
{
	if (spec->user[0])
		snprintf(item, bytes, "user=%s", spec->user);
}

static void put_trusted(const struct xvm_spec *spec, char *item, size_t bytes)
{
	if (spec->trusted)
		snprintf(item, bytes, "trusted");
}

/* Where put_server does not do it. */
static void put_socket(const struct xvm_spec *spec, char *item, size_t bytes)
{
	if (VFIO & 1u << spec->kind)
		snprintf(item, bytes, "socket=%s", spec->path);
}

static void put_server(const struct xvm_spec *spec, char *item, size_t bytes)
{
	snprintf(item, bytes, "%s=%s", spec->command ? "server" : "socket", spec->path);
}

static void put_link(const struct xvm_spec *spec, char *item, size_t bytes)
{
	if (spec->net.link_down)
		snprintf(item, bytes, "link=down");
}

static void put_vhost(const struct xvm_spec *spec, char *item, size_t bytes)
{
	if (spec->net.vhost)
		snprintf(item, bytes, "vhost=on");
}

static void put_wwpn(const struct xvm_spec *spec, char *item, size_t bytes)
{
	snprintf(item, bytes, "wwpn=%s", spec->wwpn);
}

static void put_ports(const struct xvm_spec *spec, char *item, size_t bytes)
{
	const struct xvm_spec_console *console = &spec->console;
	size_t len;
	u32 i;

	for (i = 0; i < console->ports; i++) {
		len = (size_t)snprintf(item, bytes, "%s%s", i ? ":" : "ports=", console->port[i]);
		item += len;
		bytes -= len;
	}
}

static void put_log(const struct xvm_spec *spec, char *item, size_t bytes)
{
	if (spec->console.log[0])
		snprintf(item, bytes, "log=%s", spec->console.log);
}

static void put_cid(const struct xvm_spec *spec, char *item, size_t bytes)
{
	if (spec->cid)
		snprintf(item, bytes, "cid=%u", spec->cid);
}

static void put_target(const struct xvm_spec *spec, char *item, size_t bytes)
{
	if (spec->path[0])
		snprintf(item, bytes, "target=%s", spec->path);
}

static const struct {
	const char *name;
	u32 kinds;		/* types that have it */
	bool in_lines;		/* also in descriptor files */
	bool bare;		/* a word without a value */
	enum key as;		/* the same as that one */
	const char *(*take)(struct xvm_spec *spec, const char *value, size_t len);
	void (*put)(const struct xvm_spec *spec, char *item, size_t bytes);	/* target= and server= are the last */
} keys[NUM_KEYS] = {
	[KEY_TYPE] = { "type", ANY, true, false, KEY_TYPE, take_type, NULL },
	[KEY_NAME] = { "name", ANY, false, false, KEY_NAME, take_name, put_name },
	[KEY_VDEV] = { "vdev", DISK, false, false, KEY_NAME, take_name, NULL },
	[KEY_PATH] = { "path", DISK, true, false, KEY_PATH, take_path, NULL },
	[KEY_FORMAT] = { "format", DISK, true, false, KEY_FORMAT, take_format, NULL },
	[KEY_ACCESS] = { "access", DISK, false, false, KEY_ACCESS, take_access, put_access },
	[KEY_DISCARD] = { "discard", DISK, false, true, KEY_DISCARD, take_nothing, NULL },
	[KEY_NO_DISCARD] = { "no-discard", DISK, false, true, KEY_DISCARD, take_nothing, put_no_discard },
	[KEY_DEVICE] = { "device", SERVED, true, false, KEY_DEVICE, take_device, put_device },
	[KEY_CONFIG] = { "config", SERVED, true, false, KEY_CONFIG, take_config, put_config },
	[KEY_QUEUES] = { "queues", SERVED | NET | SCSI, true, false, KEY_QUEUES, take_queues, put_queues },
	[KEY_TAG] = { "tag", SERVED, true, false, KEY_TAG, take_tag, put_tag },
	[KEY_USER] = { "user", SERVED, true, false, KEY_USER, take_user, put_user },
	[KEY_TRUSTED] = { "trusted", SERVED | VFIO, true, true, KEY_TRUSTED, take_trusted, put_trusted },
	[KEY_SOCKET] = { "socket", SERVED | VFIO, true, false, KEY_SERVER, take_socket, put_socket },
	[KEY_SERVER] = { "server", SERVED, true, false, KEY_SERVER, take_server, put_server },
	[KEY_MAC] = { "mac", SERVED | NET, true, false, KEY_MAC, take_mac, put_mac },
	[KEY_BRIDGE] = { "bridge", NET, true, false, KEY_BRIDGE, take_bridge, put_bridge },
	[KEY_SCRIPT] = { "script", NET, true, false, KEY_SCRIPT, take_script, put_script },
	[KEY_IP] = { "ip", NET, true, false, KEY_IP, take_ip, put_ip },
	[KEY_GATEWAYDEV] = { "gatewaydev", NET, true, false, KEY_GATEWAYDEV, take_gatewaydev, put_gatewaydev },
	[KEY_VIFNAME] = { "vifname", NET, true, false, KEY_VIFNAME, take_vifname, put_vifname },
	[KEY_MTU] = { "mtu", SERVED | NET, true, false, KEY_MTU, take_mtu, put_mtu },
	[KEY_LINK] = { "link", NET, true, false, KEY_LINK, take_link, put_link },
	[KEY_VHOST] = { "vhost", NET, true, false, KEY_VHOST, take_vhost, put_vhost },
	[KEY_PORTS] = { "ports", CONSOLE, true, false, KEY_PORTS, take_ports, put_ports },
	[KEY_LOG] = { "log", CONSOLE, true, false, KEY_LOG, take_log, put_log },
	[KEY_CID] = { "cid", VSOCK, true, false, KEY_CID, take_cid, put_cid },
	[KEY_WWPN] = { "wwpn", SCSI, true, false, KEY_WWPN, take_wwpn, put_wwpn },
	[KEY_TARGET] = { "target", DISK, true, false, KEY_PATH, take_path, put_target },
};

/* ---- a whole text ---- */

/* "disk, rng": of these kinds, and with this between them. */
static void list_kinds(u32 kinds, const char *between, char *text, size_t bytes)
{
	size_t len = 0;
	u32 i;

	text[0] = 0;
	for (i = 0; i < XVM_ARRAY_SIZE(kind_name) && len < bytes; i++)
		if (kinds & 1u << i)
			len += (size_t)snprintf(text + len, bytes - len, "%s%s", len ? between : "", kind_name[i]);
}

static int unknown_type(struct parse *p, const struct item *item)
{
	char why[sizeof(p->fault->why)], kinds[90];

	list_kinds(ANY, ", ", kinds, sizeof(kinds));
	snprintf(why, sizeof(why), "type= is none of %s", kinds);
	return fault_at(p, item->value, why);
}

/* Names the keys of the type, if that was said before. */
static int unknown_key(struct parse *p, const struct item *item)
{
	u32 kinds = p->seen[KEY_TYPE] ? 1u << p->spec->kind : ANY, k;
	char why[sizeof(p->fault->why)];
	size_t len = (size_t)snprintf(why, sizeof(why), "unknown key; known are");
	const char *comma = "";

	for (k = 0; k < NUM_KEYS && len < sizeof(why); k++) {
		if ((p->form == XVM_SPEC_LINES && !keys[k].in_lines) || !(keys[k].kinds & kinds))
			continue;
		len += (size_t)snprintf(why + len, sizeof(why) - len, "%s %s", comma, keys[k].name);
		comma = ",";
	}
	return fault_at(p, item->key, why);
}

static bool said_already(const struct parse *p, enum key key)
{
	u32 k;

	for (k = 0; k < NUM_KEYS; k++)
		if (p->seen[k] && keys[k].as == keys[key].as)
			return true;
	return false;
}

static int take_item(struct parse *p, const struct item *item)
{
	char why[sizeof(p->fault->why)];
	const char *fault;
	u32 k;

	for (k = 0; k < NUM_KEYS; k++)
		if (is_word(item->key, item->key_len, keys[k].name) && (p->form == XVM_SPEC_LIST || keys[k].in_lines))
			break;
	if (k == NUM_KEYS && !item->value)
		return fault_at(p, item->key, "not key=value");
	if (k == NUM_KEYS)
		return unknown_key(p, item);
	if (said_already(p, (enum key)k)) {
		snprintf(why, sizeof(why), "%s is there twice", keys[k].name);
		return fault_at(p, item->key, why);
	}
	if (!item->value && !keys[k].bare) {
		snprintf(why, sizeof(why), "%s needs a value: %s=...", keys[k].name, keys[k].name);
		return fault_at(p, item->key, why);
	}
	p->seen[k] = 1 + (size_t)(item->key - p->text);
	fault = keys[k].take(p->spec, item->value, item->len);
	if (fault && k == KEY_TYPE)
		return unknown_type(p, item);
	return fault ? fault_at(p, item->value ? item->value : item->key, fault) : 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cuts text[0..len) at its first '='; blanks around the whole are not part of it, around '=' they are. */
static int take_text(struct parse *p, const char *text, size_t len)
{
	struct item item;
	const char *eq;

	while (len && is_blank(*text) && p->form == XVM_SPEC_LIST) {
		text++;
		len--;
	}
	while (len && is_blank(text[len - 1]) && p->form == XVM_SPEC_LIST)
		len--;
	if (p->form == XVM_SPEC_LINES && (!len || *text == '#'))
		return 0;
	if (memchr(text, 0, len))
		return fault_at(p, text, "a zero byte");
	if (!len)
		return fault_at(p, text, "nothing between two commas, or before or behind one");
	eq = memchr(text, '=', len);
	item.key = text;
	item.key_len = eq ? (size_t)(eq - text) : len;
	item.value = eq ? eq + 1 : NULL;
	item.len = eq ? len - item.key_len - 1 : 0;
	return take_item(p, &item);
}

/* target= and server= take the rest of a list. */
static bool takes_rest(const char *text, size_t len)
{
	static const char *const words[] = { "target=", "server=" };
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(words); i++)
		if (len >= strlen(words[i]) && !memcmp(text, words[i], strlen(words[i])))
			return true;
	return false;
}

static size_t item_length(const struct parse *p, const char *text, size_t len)
{
	size_t blanks = 0;
	const char *end;

	if (p->form == XVM_SPEC_LIST) {
		while (blanks < len && is_blank(text[blanks]))
			blanks++;
		if (takes_rest(text + blanks, len - blanks))
			return len;
	}
	end = memchr(text, p->form == XVM_SPEC_LIST ? ',' : '\n', len);
	return end ? (size_t)(end - text) : len;
}

static int check_served(struct parse *p)
{
	struct xvm_spec *spec = p->spec;
	const char *at = p->text + p->seen[KEY_TYPE] - 1;
	u32 i;

	if (!spec->device_id)
		return fault_at(p, at, "type=vhost-user needs device=");
	if (!spec->path[0])
		return fault_at(p, at, "type=vhost-user needs socket= or server=");
	if (spec->user[0] && !spec->command)
		return fault_at(p, p->text + p->seen[KEY_USER] - 1, "user= is for server=: who is found at a socket has been started");
	if (spec->trusted && spec->command)
		return fault_at(p, p->text + p->seen[KEY_TRUSTED] - 1, "trusted is for socket=: a server that is started here needs no trust");
	if (spec->queues > XVM_VHOST_USER_MAX_QUEUES)
		return fault_at(p, p->text + p->seen[KEY_QUEUES] - 1 + strlen("queues="), "queues= is no number from 1 to 8");
	if (spec->device_id != 1 && (spec->net.mac_given || spec->net.mtu))
		return fault_at(p, p->text + p->seen[spec->net.mtu ? KEY_MTU : KEY_MAC] - 1, "mac= and mtu= are for device=net");
	if (spec->config_said && (spec->device_id == 1 || spec->device_id == 26))
		return fault_at(p, p->text + p->seen[KEY_CONFIG] - 1, "config= is not for device=net and device=fs: theirs is made here");
	if (spec->device_id == 26 ? !spec->tag[0] : spec->tag[0])
		return fault_at(p, at, "tag= is for device=fs, which needs it");
	for (i = 0; i < XVM_ARRAY_SIZE(devices) && !spec->queues; i++)
		if (devices[i].id == spec->device_id)
			spec->queues = devices[i].queues;
	if (!spec->queues)
		return fault_at(p, at, "queues= is needed: how many such a device has is not known here");
	if (spec->device_id == 26 && spec->queues < 2)
		return fault_at(p, at, "queues= is below 2, the least that device=fs has");
	return 0;
}

/* What only a script can make true must not be passed over in silence. */
static int check_net(struct parse *p)
{
	enum key key = p->seen[KEY_IP] ? KEY_IP : KEY_GATEWAYDEV;

	if (!p->seen[key] || p->spec->net.script[0])
		return 0;
	return fault_at(p, p->text + p->seen[key] - 1, "ip= and gatewaydev= are for a script=, as script=vif-route");
}

static int check_whole(struct parse *p)
{
	struct xvm_spec *spec = p->spec;
	char why[sizeof(p->fault->why)], kinds[90];
	u32 k;

	if (!p->seen[KEY_TYPE])
		return fault_at(p, p->text, "type= is missing");
	for (k = 0; k < NUM_KEYS; k++) {
		if (!p->seen[k] || keys[k].kinds & 1u << spec->kind)
			continue;
		list_kinds(keys[k].kinds, " or ", kinds, sizeof(kinds));
		snprintf(why, sizeof(why), "%s is only for type=%s", keys[k].name, kinds);
		return fault_at(p, p->text + p->seen[k] - 1, why);
	}
	if (spec->kind == XVM_KIND_BLK && !spec->path[0])
		return fault_at(p, p->text + p->seen[KEY_TYPE] - 1, "type=disk needs path=");
	if (spec->kind == XVM_KIND_VFIO_USER && !spec->path[0])
		return fault_at(p, p->text + p->seen[KEY_TYPE] - 1, "type=vfio-user needs socket=");
	if (p->seen[KEY_DISCARD] && spec->read_only)
		return fault_at(p, p->text + p->seen[KEY_DISCARD] - 1, "discard on a disk with access=ro");
	if (spec->kind == XVM_KIND_SCSI && !spec->wwpn[0])
		return fault_at(p, p->text + p->seen[KEY_TYPE] - 1, "type=scsi needs wwpn=");
	if ((spec->kind == XVM_KIND_NET || spec->kind == XVM_KIND_SCSI) && !spec->queues)
		spec->queues = 1;
	if ((spec->net.vhost || spec->kind == XVM_KIND_SCSI) && spec->queues > XVM_VHOST_MAX_QUEUES)
		return fault_at(p, p->text + p->seen[KEY_QUEUES] - 1 + strlen("queues="),
				"queues= is above 8, the most with vhost=on and of type=scsi");
	spec->discard = spec->kind == XVM_KIND_BLK && !spec->read_only && !p->seen[KEY_NO_DISCARD];
	if (spec->kind == XVM_KIND_NET)
		return check_net(p);
	return spec->kind == XVM_KIND_VHOST_USER ? check_served(p) : 0;
}

int xvm_spec_parse(enum xvm_spec_form form, const char *text, size_t len, struct xvm_spec *spec,
		   struct xvm_spec_fault *fault)
{
	struct parse p = { .spec = spec, .fault = fault, .text = text, .form = form };
	size_t at = 0, n;
	int err;

	memset(spec, 0, sizeof(*spec));
	memset(fault, 0, sizeof(*fault));
	if (form == XVM_SPEC_LIST && len >= XVM_SPEC_MAX_BYTES)
		return fault_at(&p, text, "longer than 2047 bytes");
	/* A list that ends in a comma has an empty last item; a file that ends in a line feed has not. */
	do {
		n = item_length(&p, text + at, len - at);
		err = take_text(&p, text + at, n);
		at += n + 1;
	} while (!err && (form == XVM_SPEC_LIST ? at <= len : at < len));
	return err ? err : check_whole(&p);
}

void xvm_spec_print(const struct xvm_spec *spec, char text[XVM_SPEC_MAX_BYTES])
{
	size_t len = (size_t)snprintf(text, XVM_SPEC_MAX_BYTES, "type=%s", kind_name[spec->kind]);
	u32 k;

	for (k = 0; k < NUM_KEYS; k++) {
		if (!keys[k].put || !(keys[k].kinds & 1u << spec->kind))
			continue;
		text[len + 1] = 0;
		keys[k].put(spec, text + len + 1, XVM_SPEC_MAX_BYTES - len - 1);
		if (!text[len + 1])
			continue;
		text[len] = ',';
		len += strlen(text + len);
	}
	text[len] = 0;
}

void xvm_spec_make_name(enum xvm_device_kind kind, char name[XVM_NAME_MAX + 1],
			bool (*taken)(void *arg, const char *name), void *arg)
{
	u32 i = 0;

	do
		snprintf(name, XVM_NAME_MAX + 1, "%s%u", kind_name[kind], i++);
	while (taken(arg, name));
}
