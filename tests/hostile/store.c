// SPDX-License-Identifier: GPL-2.0-or-later
/* xenstore's wire protocol over /dev/xen/xenbus: no library, so that nothing is checked before it is sent. */
#include "front.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

static int store_fd = -1;

static void open_store(void)
{
	if (store_fd < 0)
		store_fd = open("/dev/xen/xenbus", O_RDWR);
	if (store_fd < 0)
		die("/dev/xen/xenbus: %s", strerror(errno));
}

static void read_all(void *dst, size_t bytes)
{
	u8 *at = dst;

	while (bytes) {
		ssize_t n = read(store_fd, at, bytes);

		if (n <= 0)
			die("xenstore: %s", n ? strerror(errno) : "closed");
		at += n;
		bytes -= (size_t)n;
	}
}

static int error_number(const char *name)
{
	u32 i;

	for (i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		if (!strcmp(name, xsd_errors[i].errstring))
			return -xsd_errors[i].errnum;
	return -EIO;
}

/* Bytes of the answer, cut to what fits dst; terminated there. */
static int talk(u32 type, const void *data, size_t bytes, char *dst, size_t dst_bytes)
{
	struct xsd_sockmsg hdr = { .type = type, .len = (u32)bytes };
	char answer[XENSTORE_PAYLOAD_MAX + 1];
	u8 *out = malloc(sizeof(hdr) + bytes);
	size_t n;

	open_store();
	memcpy(out, &hdr, sizeof(hdr));
	memcpy(out + sizeof(hdr), data, bytes);
	if (write(store_fd, out, sizeof(hdr) + bytes) < 0) {
		free(out);
		close(store_fd);	/* a refused write leaves the device with half a message */
		store_fd = -1;
		return -errno;
	}
	free(out);
	read_all(&hdr, sizeof(hdr));
	if (hdr.len > XENSTORE_PAYLOAD_MAX)
		die("xenstore: answer of %u bytes", hdr.len);
	read_all(answer, hdr.len);
	answer[hdr.len] = 0;
	if (hdr.type == XS_ERROR)
		return error_number(answer);
	n = hdr.len < dst_bytes ? hdr.len : dst_bytes - 1;
	if (dst) {
		memcpy(dst, answer, n);
		dst[n] = 0;
	}
	return (int)hdr.len;
}

int store_read(const char *path, char *dst, size_t bytes)
{
	return talk(XS_READ, path, strlen(path) + 1, dst, bytes);
}

int store_write_bytes(const char *path, const void *data, size_t bytes)
{
	size_t len = strlen(path) + 1;
	u8 *out = malloc(len + bytes);
	int ret;

	memcpy(out, path, len);
	memcpy(out + len, data, bytes);
	ret = talk(XS_WRITE, out, len + bytes, NULL, 1);
	free(out);
	return ret < 0 ? ret : 0;
}

int store_write(const char *path, const char *text)
{
	return store_write_bytes(path, text, strlen(text));
}

int store_rm(const char *path)
{
	int ret = talk(XS_RM, path, strlen(path) + 1, NULL, 1);

	return ret < 0 ? ret : 0;
}

int store_raw(u32 type, const void *data, size_t bytes)
{
	int ret = talk(type, data, bytes, NULL, 1);

	return ret < 0 ? ret : 0;
}

int store_front(const char *leaf, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), FRONT "/%s", leaf);
	return store_write(path, text);
}

int store_front_u32(const char *leaf, u32 value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	return store_front(leaf, text);
}
