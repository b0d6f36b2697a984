// SPDX-License-Identifier: GPL-2.0-or-later
#include "keep.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 400

static void keep_dir(const struct xvm_daemon *daemon, char path[PATH_BYTES])
{
	const struct xvm_options *options = &daemon->options;

	if (options->keep_dir)
		snprintf(path, PATH_BYTES, "%s", options->keep_dir);
	else
		snprintf(path, PATH_BYTES, "%s/keep", options->run_dir);
}

static bool uuid_ok(const char *uuid)
{
	size_t i;

	for (i = 0; uuid[i]; i++)
		if (!isxdigit((unsigned char)uuid[i]) && uuid[i] != '-')
			return false;
	return i && i < XVM_UUID_BYTES;
}

/* Opens DIR, made if it is not there. Descriptor or negative errno. */
static int open_dir(const struct xvm_daemon *daemon)
{
	char path[PATH_BYTES];
	struct stat st;
	int fd;

	keep_dir(daemon, path);
	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && st.st_uid == geteuid() && !(st.st_mode & 022))
		return fd;
	close(fd);
	return -EPERM;
}

/* A domain id is used again, a guest keeps its UUID over reboots: both make the name. */
static int file_name(const struct xvm_guest *guest, char name[XVM_UUID_BYTES + 16])
{
	if (!uuid_ok(guest->uuid))
		return -EINVAL;
	snprintf(name, XVM_UUID_BYTES + 16, "%u-%s", guest->domid, guest->uuid);
	return 0;
}

static int check_owner(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink == 1 && !(st.st_mode & 077) ? 0 : -EPERM;
}

/*
 * All of it is there from now on: a store into a hole of a full tmpfs would end
 * the worker by SIGBUS. A file of another size is of another build: nothing in it
 * can be read, so it is emptied. Only ever after the lock.
 */
static int set_size(int fd)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size != XVM_KEEP_BYTES && ftruncate(fd, 0))
		return -errno;
	err = posix_fallocate(fd, 0, XVM_KEEP_BYTES);
	return -err;
}

static int open_file(const struct xvm_guest *guest)
{
	char name[XVM_UUID_BYTES + 16];
	int dir, fd, err = file_name(guest, name);

	if (err)
		return err;
	dir = open_dir(guest->daemon);
	if (dir < 0)
		return dir;
	fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	err = fd < 0 ? -errno : check_owner(fd);
	close(dir);
	if (!err && flock(fd, LOCK_EX | LOCK_NB))
		err = -errno;
	if (!err)
		err = set_size(fd);
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}

int xvm_keep_open(struct xvm_guest *guest)
{
	int fd = open_file(guest);

	if (fd < 0 && fd != -EAGAIN)
		xvm_guest_log(guest, LOG_WARNING, "keep file cannot be had (%s): if its worker dies, what is in flight is lost",
			      strerror(-fd));
	return fd;
}

/*
 * The lock is asked for first: while it is held, the name must stay, or the next
 * worker would find no fence. Of a domain that is gone nobody will ask again.
 */
void xvm_keep_forget(struct xvm_guest *guest)
{
	char name[XVM_UUID_BYTES + 16];
	int dir, fd = -1;

	if (file_name(guest, name))
		return;
	dir = open_dir(guest->daemon);
	if (dir < 0)
		return;
	if (guest->alive)
		fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || !flock(fd, LOCK_EX | LOCK_NB))
		unlinkat(dir, name, 0);
	if (fd >= 0)
		close(fd);
	close(dir);
}

/* ---- sweep ---- */

static bool has_uuid(struct xvm_daemon *daemon, u32 domid, const char *uuid)
{
	char path[XVM_STORE_PATH_BYTES], text[XVM_STORE_PATH_BYTES];
	const char *slash;

	xvm_info_path(daemon, domid, "vm", path);
	if (xvm_store_read(daemon->store, XVM_STORE_NO_TXN, path, text, sizeof(text)) <= 0)
		return false;
	slash = strrchr(text, '/');
	return slash && !strcmp(slash + 1, uuid);
}

static void sweep_one(struct xvm_daemon *daemon, int dir, const char *name)
{
	const char *dash = strchr(name, '-');
	u32 domid;

	/* What is not named by us is not ours. */
	if (!dash || xvm_parse_u32(name, (size_t)(dash - name), 0x7fef, &domid) || !uuid_ok(dash + 1))
		return;
	if (!xvm_domain_alive(daemon, domid) || !has_uuid(daemon, domid, dash + 1))
		unlinkat(dir, name, 0);
}

void xvm_keep_sweep(struct xvm_daemon *daemon)
{
	int dir = open_dir(daemon);
	struct dirent *entry;
	DIR *list;

	list = dir < 0 ? NULL : fdopendir(dir);
	if (!list) {
		if (dir >= 0)
			close(dir);
		return;
	}
	while ((entry = readdir(list)))
		sweep_one(daemon, dir, entry->d_name);
	closedir(list);
}
