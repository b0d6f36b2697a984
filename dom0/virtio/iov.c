// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bounded copies between a chain's iovecs and private memory, and cutting an
 * iovec array at both ends. The iovecs are private and checked; the memory
 * they point to is the guest's and is copied once. Called by device models.
 */
#include "vq.h"

/* One step of a walk: skips *off bytes, then says how much of this iovec is in reach. */
static size_t iov_step(const struct iovec *iov, size_t *off, size_t bytes, u8 **at)
{
	size_t room;

	if (*off >= iov->iov_len) {
		*off -= iov->iov_len;
		return 0;
	}
	*at = (u8 *)iov->iov_base + *off;
	room = iov->iov_len - *off;
	*off = 0;
	return room < bytes ? room : bytes;
}

size_t xvm_iov_get(const struct iovec *iov, u32 n, size_t off, void *dst, size_t bytes)
{
	size_t done = 0, step;
	u8 *at = NULL;
	u32 i;

	for (i = 0; i < n && done < bytes; i++) {
		step = iov_step(&iov[i], &off, bytes - done, &at);
		if (step)
			xvm_shm_copy((u8 *)dst + done, at, step);
		done += step;
	}
	return done;
}

size_t xvm_iov_put(const struct iovec *iov, u32 n, size_t off, const void *src, size_t bytes)
{
	size_t done = 0, step;
	u8 *at = NULL;
	u32 i;

	for (i = 0; i < n && done < bytes; i++) {
		step = iov_step(&iov[i], &off, bytes - done, &at);
		if (step)
			xvm_shm_copy(at, (const u8 *)src + done, step);
		done += step;
	}
	return done;
}

size_t xvm_iov_zero(const struct iovec *iov, u32 n)
{
	size_t done = 0;
	u32 i;

	for (i = 0; i < n; i++) {
		if (iov[i].iov_len)
			memset(iov[i].iov_base, 0, iov[i].iov_len);
		done += iov[i].iov_len;
	}
	return done;
}

static u32 iov_trim_front(struct iovec **iov, u32 n, size_t bytes)
{
	while (n && bytes >= (*iov)->iov_len) {
		bytes -= (*iov)->iov_len;
		(*iov)++;
		n--;
	}
	if (n && bytes) {
		(*iov)->iov_base = (u8 *)(*iov)->iov_base + bytes;
		(*iov)->iov_len -= bytes;
	}
	return n;
}

static u32 iov_trim_back(struct iovec *iov, u32 n, size_t bytes)
{
	while (n && bytes >= iov[n - 1].iov_len) {
		bytes -= iov[n - 1].iov_len;
		n--;
	}
	if (n)
		iov[n - 1].iov_len -= bytes;
	return n;
}

u32 xvm_iov_trim(struct iovec **iov, u32 n, size_t front, size_t back)
{
	n = iov_trim_front(iov, n, front);
	return iov_trim_back(*iov, n, back);
}
