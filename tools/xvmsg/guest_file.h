/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An xl guest file as libxlutil reads it, and what of it is ours: the list
 * virtio_msg = [ "type=...", ... ]. Everything that is wrong with that list, and
 * what in the disk list does not go together with it, is found here, with its
 * place in the file.
 */
#ifndef XVM_TOOLS_GUEST_FILE_H
#define XVM_TOOLS_GUEST_FILE_H

#include "../../dom0/spec/spec.h"

struct guest_device {
	struct xvm_spec spec;
	unsigned int line, column;
};

struct guest_file {
	const char *path;
	char name[128], uuid[40];	/* empty: not said */
	struct guest_device *devices;
	unsigned int num_devices;
};

extern const char *guest_file_descriptors;	/* where descriptors lie, with a slash behind it */

/* Called for each fault; line 0: the file as a whole. */
typedef void (*guest_file_fault)(void *arg, const struct guest_file *file, unsigned int line, unsigned int column,
				 const char *what);

/* Returns the number of faults. Free it in any case. */
unsigned int guest_file_read(struct guest_file *file, const char *path, guest_file_fault fault, void *arg);
void guest_file_free(struct guest_file *file);

#endif
