/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A few descriptors that change hands together. Who wants one takes it; whoever holds the set closes the rest. */
#ifndef DOM0_BASE_FDSET_H
#define DOM0_BASE_FDSET_H

#include <unistd.h>

#define FDSET_MAX 56

struct fdset {
	unsigned int count;
	int fd[FDSET_MAX];	/* -1: taken */
};

/* Descriptor number i, the caller's from now on; -1: there is none. */
static inline int fdset_take(struct fdset *set, unsigned int i)
{
	int fd = i < set->count ? set->fd[i] : -1;

	if (fd >= 0)
		set->fd[i] = -1;
	return fd;
}

static inline void fdset_close(struct fdset *set)
{
	unsigned int i;
	int fd;

	for (i = 0; i < set->count; i++) {
		fd = fdset_take(set, i);
		if (fd >= 0)
			close(fd);
	}
	set->count = 0;
}

#endif
