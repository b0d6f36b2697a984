/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptor files: a disk's target= may name one of these small text files
 * instead of an image, so that xl carries any kind of device. A file is one by
 * its place alone (below XVM_DESCRIPTOR_DIR), never by its content: the content
 * of an image is a guest's.
 *
 * The text: one key=value per line, '#' starts a comment line, no blanks around
 * '='. An unknown key is an error.
 */
#ifndef XVM_DAEMON_DESCRIPTOR_H
#define XVM_DAEMON_DESCRIPTOR_H

#include "../../xen/proto/plat.h"

#define XVM_DESCRIPTOR_DIR XVM_SYSCONFDIR "/xen-virtio-msg/devices/"
#define XVM_DESCRIPTOR_MAX_BYTES 4096
#define XVM_TARGET_BYTES 1024

enum xvm_device_kind {
	XVM_KIND_BLK,
	XVM_KIND_RNG,
};

const char *xvm_kind_name(enum xvm_device_kind kind);

struct xvm_descriptor {
	enum xvm_device_kind kind;
	char path[XVM_TARGET_BYTES];	/* blk: the image; else empty */
};

/* Returns 0, or -EINVAL with one line in why, which names the line number. */
int xvm_descriptor_parse(const char *text, size_t len, struct xvm_descriptor *desc, char *why,
			 size_t why_bytes);

#endif
