/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a disk's target is: looked at, checked and opened. Blocks as long as
 * the file system behind it does, so only the opener's child calls
 * xvm_image_open. Also the rule which guests may share an image.
 *
 * A target is the operator's word; its content is a guest's and is never
 * looked at.
 */
#ifndef XVM_DAEMON_IMAGE_H
#define XVM_DAEMON_IMAGE_H

#include "../base/fdset.h"
#include "../spec/spec.h"
#include "why.h"

/*
 * A target below this directory is a descriptor: a small text file of root's
 * (../spec/spec.h) that says what the device is, so that xl carries any kind. Its
 * place alone makes it one, never its content: the content of an image is a guest's.
 */
#define XVM_DESCRIPTOR_DIR XVM_SYSCONFDIR "/xen-virtio-msg/devices/"
#define XVM_DESCRIPTOR_MAX_BYTES 4096

/* What makes two targets the same storage: a device number, or file system and inode. */
struct xvm_image_id {
	u64 dev, ino;		/* block device: dev is its number, ino is 0 */
	bool block;
};

#define XVM_TAP_BYTES XVM_IFNAME_BYTES

/* What is wanted of host_net.h. */
enum xvm_net_task {
	XVM_NET_MAKE,		/* the tap, in its bridge */
	XVM_NET_OPEN,		/* its queues, for a worker */
	XVM_NET_REMOVE,
};

/* Kind net: what the description does not say. */
struct xvm_net_request {
	enum xvm_net_task task;
	char tap[XVM_TAP_BYTES];
	u8 mac[6];		/* unless it says one */
	u32 owner;		/* the user of the guest's workers */
};

struct xvm_image {
	struct xvm_spec spec;	/* what the device is; xl's own disk: the kind alone */
	struct xvm_image_id id;	/* kind blk */
	u64 bytes;
	bool direct;		/* was opened with O_DIRECT */
	u32 mem_align;		/* with direct */
	u32 uid, gid;		/* kind vhost-user: of a server that is started */
	struct {		/* kind net */
		u8 mac[6];
		u16 mtu;	/* of the tap */
	} net;
};

struct xvm_image_request {
	char target[XVM_TARGET_BYTES];
	bool read_only;
	bool plain;		/* an image, and no descriptor */
	struct xvm_spec spec;	/* own device of another kind than blk: what it is; target is not looked at */
	struct xvm_net_request net;
	u32 default_cid;	/* of a vsock device whose spec says none */
	u64 grow_to;		/* enlarge a file that is smaller; 0: leave it */
};

/*
 * Checks and opens what the device stands on. Returns 0, with the descriptors its
 * worker needs in fds (blk: the image), or negative errno with one line in why
 * that says what is wrong and what to do.
 */
int xvm_image_open(const struct xvm_image_request *request, struct xvm_image *image, struct fdset *fds, char *why);

/* Does a device of this kind need anything opened at all? */
bool xvm_kind_stands_on(enum xvm_device_kind kind);

/* The same kind, and the same storage. */
bool xvm_image_same(const struct xvm_image *a, const struct xvm_image *b);

/* A guest's use of an image. */
struct xvm_image_use {
	struct xvm_image_id id;
	bool read_only;
	u32 domid;
	const char *uuid, *name;	/* of the guest; the name of a guest being received ends in --incoming */
};

/*
 * May newcomer use its image while holder does? Readers may share; a writer
 * shares with nobody, but for a guest's own successor in a migration.
 */
bool xvm_image_may_share(const struct xvm_image_use *holder, const struct xvm_image_use *newcomer);

#endif
