/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device in words: the one parser for `xvmsg attach`, for virtio_msg = [ ... ]
 * in a guest file, for the records of persistent devices, and for descriptor
 * files. The syntax is that of xl's disk and vif lists:
 *   type=disk,vdev=xvdb,access=ro,path=/srv/x.img
 *   type=rng,name=entropy
 * Blanks around an item are ignored; `target=` is `path=` and takes the rest of
 * the text, commas too. A descriptor file has one item per line and '#'
 * comments, and only what xl's own entry does not say.
 *
 * Knows nothing of Xen or virtio and opens no file, so that the command and
 * the daemon give the same answer to the same text.
 */
#ifndef XVM_DOM0_SPEC_SPEC_H
#define XVM_DOM0_SPEC_SPEC_H

#include "../../xen/proto/plat.h"

#define XVM_TARGET_BYTES 1024
#define XVM_NAME_MAX 20		/* what a disk's serial number has room for */
#define XVM_USER_MAX 32
#define XVM_TAG_MAX 36		/* what a file system's configuration has room for */
#define XVM_VHOST_USER_MAX_QUEUES 8u
#define XVM_VHOST_USER_MAX_CONFIG 256u
#define XVM_SPEC_MAX_BYTES 2048	/* of one device's text */
#define XVM_IFNAME_BYTES 16	/* Linux's, with the terminator */
#define XVM_SCRIPT_BYTES 256
#define XVM_IP_BYTES 160
#define XVM_NET_MAX_QUEUES 16	/* pairs of them */
#define XVM_VHOST_MAX_QUEUES 8	/* of requests, of type=scsi; pairs, of type=net with vhost=on */
#define XVM_WWPN_BYTES 224	/* Linux's, with the terminator */

enum xvm_device_kind {
	XVM_KIND_BLK,
	XVM_KIND_RNG,
	XVM_KIND_VHOST_USER,
	XVM_KIND_VFIO_USER,
	XVM_KIND_NET,
	XVM_KIND_CONSOLE,
	XVM_KIND_VSOCK,
	XVM_KIND_SCSI,
};

/* "disk", "rng", "vhost-user", "vfio-user", "net", "console", "vsock", "scsi" */
const char *xvm_kind_name(enum xvm_device_kind kind);

/* As in xl's vif list, where that has it. */
struct xvm_spec_net {
	u8 mac[6];
	bool mac_given;		/* else one is made up */
	bool link_down;
	bool vhost;			/* dom0's kernel moves its frames */
	char bridge[XVM_IFNAME_BYTES];	/* empty: in none */
	char vifname[XVM_IFNAME_BYTES];	/* of the tap; empty: one is made up */
	char script[XVM_SCRIPT_BYTES];	/* a path, or a name below Xen's scripts; empty: none */
	char ip[XVM_IP_BYTES];		/* for the script: the guest's addresses and networks, blanks between; empty: not said */
	char gatewaydev[XVM_IFNAME_BYTES];	/* for the script: the host's interface that a route goes by; empty: not said */
	u32 mtu;		/* 0: the bridge's, and the guest is not told */
};

/* Named ports beside the console itself, which is port 0. */
#define XVM_CONSOLE_PORTS 7
#define XVM_PORT_NAME_MAX 31

struct xvm_spec_console {
	u32 ports;
	char port[XVM_CONSOLE_PORTS][XVM_PORT_NAME_MAX + 1];
	char log[XVM_TARGET_BYTES];	/* empty: none */
};

struct xvm_spec {
	enum xvm_device_kind kind;
	char name[XVM_NAME_MAX + 1];	/* empty: not said */
	char path[XVM_TARGET_BYTES];	/* disk: the image; vhost-user: the socket, or the program with its arguments;
					 * vfio-user: the socket; else empty */
	bool read_only;
	bool discard;			/* disk: discard may reach the image */
	u16 device_id;			/* vhost-user: virtio device type */
	bool config_said;		/* vhost-user: so many bytes of configuration are the server's; else by the type */
	u16 config_bytes;
	u8 queues;			/* vhost-user; net: pairs of them; scsi: those of requests */
	bool command;			/* vhost-user: path is a program that is started, or the name of one */
	char user[XVM_USER_MAX + 1];	/* vhost-user: whom a program that is started runs as; empty: root */
	char tag[XVM_TAG_MAX + 1];	/* vhost-user, device=fs */
	bool trusted;			/* vhost-user, vfio-user: a server that was found may map the areas of the device */
	struct xvm_spec_net net;	/* net; vhost-user, device=net: mac and mtu of it */
	struct xvm_spec_console console;
	u32 cid;			/* vsock: the guest's address; 0: not said */
	char wwpn[XVM_WWPN_BYTES];	/* scsi: the target, as dom0's kernel calls it */
};

/* What is wrong, and where: at counts bytes of the text. */
struct xvm_spec_fault {
	size_t at;
	char why[200];
};

enum xvm_spec_form {
	XVM_SPEC_LIST,		/* one line, items between commas */
	XVM_SPEC_LINES,		/* a descriptor file */
};

/* Returns 0, or -EINVAL with a fault. */
int xvm_spec_parse(enum xvm_spec_form form, const char *text, size_t len, struct xvm_spec *spec,
		   struct xvm_spec_fault *fault);
/* As a list that parses to the same; at most XVM_SPEC_MAX_BYTES with the terminator. */
void xvm_spec_print(const struct xvm_spec *spec, char text[XVM_SPEC_MAX_BYTES]);
/* Letters, digits, '.', '_', '-', at most XVM_NAME_MAX, and not a number. */
bool xvm_spec_name_ok(const char *name, size_t len);
/* The first of disk0, disk1, ... (rng0, ...) for which taken says no. */
void xvm_spec_make_name(enum xvm_device_kind kind, char name[XVM_NAME_MAX + 1],
			bool (*taken)(void *arg, const char *name), void *arg);

#endif
