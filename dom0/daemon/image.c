// SPDX-License-Identifier: GPL-2.0-or-later
#include "image.h"
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SECTOR 512u

/* Paths in messages are cut so that the advice behind them still fits. */
#define SHORT "%.120s"

static bool below_descriptors(const char *path)
{
	return !strncmp(path, XVM_DESCRIPTOR_DIR, strlen(XVM_DESCRIPTOR_DIR));
}

/* Direct I/O in 512-byte steps, as the kernel says or, before Linux 6.1, as a read shows. */
static bool direct_works(int fd, u32 *mem_align)
{
	struct statx sx;
	void *sector;
	bool works;

	if (!statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) && sx.stx_mask & STATX_DIOALIGN) {
		*mem_align = sx.stx_dio_mem_align;
		return sx.stx_dio_offset_align && sx.stx_dio_offset_align <= SECTOR &&
		       *mem_align && *mem_align <= 4096;
	}
	if (posix_memalign(&sector, SECTOR, SECTOR))
		return false;
	works = pread(fd, sector, SECTOR, 0) == SECTOR;
	free(sector);
	*mem_align = SECTOR;
	return works;
}

static int block_bytes(int fd, const struct stat *st, u64 *bytes)
{
	if (!S_ISBLK(st->st_mode)) {
		*bytes = (u64)st->st_size;
		return 0;
	}
	return ioctl(fd, BLKGETSIZE64, bytes) ? -errno : 0;
}

static int check_image(int fd, const char *path, struct xvm_image *image, bool read_only, char *why)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return xvm_refuse(why, -errno, "image " SHORT " cannot be looked at: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return xvm_refuse(why, -EINVAL, "image " SHORT " is neither a file nor a block device; give one as target=",
				  path);
	err = block_bytes(fd, &st, &image->bytes);
	if (err)
		return xvm_refuse(why, err, "image " SHORT " does not tell its size: %s", path, strerror(-err));
	if (!image->bytes)
		return xvm_refuse(why, -EINVAL, "image " SHORT " is empty; give it a size, e.g. truncate -s 1G", path);
	if (image->bytes % SECTOR)
		return xvm_refuse(why, -EINVAL, "image " SHORT " has %llu bytes, not a multiple of 512; enlarge it with truncate -s %%512",
				  path, (unsigned long long)image->bytes);
	/* root may write it all the same; who took the permission away did not mean that. */
	if (!read_only && S_ISREG(st.st_mode) && !(st.st_mode & 0222))
		return xvm_refuse(why, -EACCES, "image " SHORT " is read-only (mode %04o) but access=rw; say access=ro, or chmod u+w",
				  path, st.st_mode & 07777);
	image->id.block = S_ISBLK(st.st_mode);
	image->id.dev = image->id.block ? st.st_rdev : st.st_dev;
	image->id.ino = image->id.block ? 0 : st.st_ino;
	return 0;
}

/* O_NONBLOCK: a FIFO would make open wait for its other end. */
static int open_image(const char *path, bool read_only, bool direct)
{
	int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (direct ? O_DIRECT : 0));

	return fd < 0 ? -errno : fd;
}

static int refuse_open(const char *path, bool read_only, int err, char *why)
{
	if (err == -ENOENT)
		return xvm_refuse(why, err, "image " SHORT " does not exist; create it or correct target=", path);
	if (!read_only && (err == -EROFS || err == -EACCES || err == -EPERM))
		return xvm_refuse(why, err, "image " SHORT " cannot be written (%s) but access=rw; say access=ro, or make it writable",
				  path, strerror(-err));
	if (err == -EISDIR)
		return xvm_refuse(why, err, "image " SHORT " is neither a file nor a block device; give one as target=", path);
	return xvm_refuse(why, err, "image " SHORT " cannot be opened: %s", path, strerror(-err));
}

static int open_blk(const char *path, bool read_only, struct xvm_image *image, int *fd, char *why)
{
	int direct, err;

	*fd = open_image(path, read_only, false);
	if (*fd < 0)
		return refuse_open(path, read_only, *fd, why);
	err = check_image(*fd, path, image, read_only, why);
	if (err) {
		close(*fd);
		return err;
	}
	direct = open_image(path, read_only, true);
	if (direct < 0)
		return 0;
	/* Between two opens the name can come to mean another file. */
	if (direct_works(direct, &image->mem_align) && !check_image(direct, path, image, read_only, why)) {
		image->direct = true;
		close(*fd);
		*fd = direct;
	} else {
		close(direct);
	}
	return 0;
}

/* Only ever larger, and only a file: what a block device is, others decide. */
static int grow(const char *path, int fd, u64 bytes, struct xvm_image *image, char *why)
{
	if (image->id.block)
		return xvm_refuse(why, -EINVAL, "image " SHORT " is a block device of %llu bytes; enlarge it, then say size=image",
				  path, (unsigned long long)image->bytes);
	if (ftruncate(fd, (off_t)bytes))
		return xvm_refuse(why, -errno, "image " SHORT " cannot be enlarged to %llu bytes: %s", path,
				  (unsigned long long)bytes, strerror(errno));
	image->bytes = bytes;
	return 0;
}

static int open_grown(const char *path, const struct xvm_image_request *request, struct xvm_image *image, int *fd,
		      char *why)
{
	int err = open_blk(path, request->read_only, image, fd, why);

	if (err || request->grow_to <= image->bytes)
		return err;
	err = grow(path, *fd, request->grow_to, image, why);
	if (err) {
		close(*fd);
		*fd = -1;
	}
	return err;
}

static u32 line_of(const char *text, size_t at)
{
	u32 line = 1;

	while (at--)
		line += *text++ == '\n';
	return line;
}

static int read_descriptor(const char *path, struct xvm_spec *desc, char *why)
{
	char text[XVM_DESCRIPTOR_MAX_BYTES + 1];
	struct xvm_spec_fault fault;
	struct stat st;
	ssize_t len;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return xvm_refuse(why, -errno, "descriptor " SHORT " cannot be opened: %s", path, strerror(errno));
	len = fstat(fd, &st) ? -1 : 0;
	if (!len && S_ISREG(st.st_mode) && !st.st_uid && !(st.st_mode & 022))
		len = read(fd, text, sizeof(text));
	else
		len = -2;
	close(fd);
	if (len == -2)
		return xvm_refuse(why, -EPERM, "descriptor " SHORT " must be a file owned by root that only root can write",
				  path);
	if (len < 0 || len > XVM_DESCRIPTOR_MAX_BYTES)
		return xvm_refuse(why, -EINVAL, "descriptor " SHORT " cannot be read, or is longer than %u bytes", path,
				  XVM_DESCRIPTOR_MAX_BYTES);
	if (xvm_spec_parse(XVM_SPEC_LINES, text, (size_t)len, desc, &fault))
		return xvm_refuse(why, -EINVAL, "descriptor " SHORT ": line %u: %s", path, line_of(text, fault.at), fault.why);
	return 0;
}

static int real_path(const char *target, char real[PATH_MAX], char *why)
{
	if (target[0] != '/')
		return xvm_refuse(why, -EINVAL, "target=" SHORT " is not an absolute path", target);
	if (!realpath(target, real))
		return refuse_open(target, true, -errno, why);
	return 0;
}

static int open_target(const struct xvm_image_request *request, struct xvm_image *image, int *fd, char *why)
{
	char real[PATH_MAX];
	int err = real_path(request->target, real, why);

	if (err)
		return err;
	if (!below_descriptors(real) && below_descriptors(request->target))
		return xvm_refuse(why, -EPERM, "descriptor " SHORT " is a link to elsewhere; put the file itself there",
				  request->target);
	if (!below_descriptors(real))
		return open_grown(real, request, image, fd, why);
	if (request->plain)
		return xvm_refuse(why, -EINVAL, "path=" SHORT " lies among the descriptors and is no image; say what it says",
				  request->target);
	err = read_descriptor(real, &image->spec, why);
	if (err || image->spec.kind != XVM_KIND_BLK)
		return err;
	err = real_path(image->spec.path, real, why);
	if (err)
		return err;
	if (below_descriptors(real))
		return xvm_refuse(why, -EINVAL, "descriptor " SHORT ": path= names another descriptor", request->target);
	return open_grown(real, request, image, fd, why);
}

int xvm_image_open(const struct xvm_image_request *request, struct xvm_image *image, struct fdset *fds, char *why)
{
	int err = 0, fd = -1;

	memset(fds, 0, sizeof(*fds));
	memset(image, 0, sizeof(*image));
	image->spec = request->spec;
	if (request->spec.kind == XVM_KIND_BLK)
		err = open_target(request, image, &fd, why);
	if (!err && fd >= 0)
		fds->fd[fds->count++] = fd;
	return err;
}

bool xvm_kind_stands_on(enum xvm_device_kind kind)
{
	return kind != XVM_KIND_RNG;
}

bool xvm_image_same(const struct xvm_image *a, const struct xvm_image *b)
{
	return a->spec.kind == b->spec.kind && a->id.block == b->id.block && a->id.dev == b->id.dev && a->id.ino == b->id.ino;
}

static bool is_incoming(const char *name)
{
	static const char suffix[] = "--incoming";
	size_t len = strlen(name), n = sizeof(suffix) - 1;

	return len >= n && !strcmp(name + len - n, suffix);
}

bool xvm_image_may_share(const struct xvm_image_use *holder, const struct xvm_image_use *newcomer)
{
	if (holder->id.block != newcomer->id.block || holder->id.dev != newcomer->id.dev ||
	    holder->id.ino != newcomer->id.ino)
		return true;
	if (holder->read_only && newcomer->read_only)
		return true;
	if (holder->domid == newcomer->domid)
		return false;
	return (holder->uuid[0] && !strcmp(holder->uuid, newcomer->uuid)) || is_incoming(newcomer->name);
}
