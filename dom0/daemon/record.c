// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Small files on local file systems, read and written in place: the only
 * reading that the supervisor does in its own process. They are root's word;
 * one that others could write is refused.
 */
#include "record.h"
#include <dirent.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_MAX_BYTES (XVM_MAX_DEVICES * XVM_SPEC_MAX_BYTES + 1024)
#define PATH_BYTES 512

/* ---- paths ---- */

bool xvm_record_uuid_ok(const char *uuid)
{
	size_t len = strlen(uuid);

	return len && len < XVM_UUID_BYTES && strspn(uuid, "0123456789abcdefABCDEF-") == len;
}

static void lasting_path(const struct xvm_daemon *daemon, const char *uuid, char path[PATH_BYTES])
{
	snprintf(path, PATH_BYTES, "%s/%s", daemon->options.guests_dir, uuid);
}

static void passing_path(const struct xvm_daemon *daemon, u32 domid, char path[PATH_BYTES])
{
	snprintf(path, PATH_BYTES, "%s/guests/%u", daemon->options.run_dir, domid);
}

bool xvm_record_exists(const struct xvm_daemon *daemon, u32 domid, const char *uuid)
{
	char path[PATH_BYTES];

	passing_path(daemon, domid, path);
	if (!access(path, F_OK))
		return true;
	if (!*uuid)
		return false;
	lasting_path(daemon, uuid, path);
	return !access(path, F_OK);
}

/* ---- reading ---- */

/* The whole file, allocated, or NULL; what stands in the way is logged, that there is none is not. */
static char *read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	const char *fault = NULL;
	char *text = NULL;
	ssize_t len = 0;
	struct stat st;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 022)
		fault = "must be a file of root's that only root can write; its devices are left out";
	else if (st.st_size > RECORD_MAX_BYTES)
		fault = "is longer than any record; its devices are left out";
	if (!fault) {
		text = malloc((size_t)st.st_size + 1);
		len = text ? read(fd, text, (size_t)st.st_size) : -1;
	}
	close(fd);
	if (!fault && len >= 0) {
		text[len] = 0;
		return text;
	}
	log_err("record %s %s", path, fault ? fault : "cannot be read; its devices are left out");
	free(text);
	return NULL;
}

static void take_line(struct xvm_guest *guest, const char *path, u32 number, const char *line, bool persist)
{
	char why[XVM_WHY_BYTES];
	size_t digits = strspn(line, "0123456789");
	struct xvm_spec_fault fault;
	struct xvm_spec spec;
	struct xvm_disk *disk;
	u32 num = 0;

	if (!*line || *line == '#' || !strncmp(line, "uuid ", 5))
		return;
	if (line[digits] == ' ' && !xvm_parse_u32(line, digits, XVM_LAST_NUM, &num))
		line += digits + 1;
	if (xvm_spec_parse(XVM_SPEC_LIST, line, strlen(line), &spec, &fault)) {
		xvm_guest_log(guest, LOG_ERR, "record %s line %u: %s", path, number, fault.why);
	} else if (xvm_own_new(guest, &spec, persist, &disk, why)) {
		xvm_guest_log(guest, LOG_ERR, "record %s line %u: %s", path, number, why);
	} else {
		disk->recorded = true;
		disk->num = (u16)num;
	}
}

static void take_lines(struct xvm_guest *guest, const char *path, char *text, bool persist)
{
	u32 number = 1;
	char *end;

	for (; (end = strchr(text, '\n')); text = end + 1, number++) {
		*end = 0;
		take_line(guest, path, number, text, persist);
	}
}

void xvm_record_read(struct xvm_guest *guest)
{
	char path[PATH_BYTES], first[XVM_UUID_BYTES + 8];
	char *text;

	if (guest->records_read || !guest->uuid[0] || !guest->alive)
		return;
	guest->records_read = true;
	lasting_path(guest->daemon, guest->uuid, path);
	text = read_file(path);
	if (text)
		take_lines(guest, path, text, true);
	free(text);
	passing_path(guest->daemon, guest->domid, path);
	text = read_file(path);
	snprintf(first, sizeof(first), "uuid %s\n", guest->uuid);
	/* A former owner's of this domain id is not ours. */
	if (text && !strncmp(text, first, strlen(first)))
		take_lines(guest, path, text, false);
	else if (text)
		unlink(path);
	free(text);
}

/* ---- writing ---- */

static bool belongs(const struct xvm_disk *disk, bool persist)
{
	return disk->own && disk->persist == persist && disk->wish == XVM_WISH_STAY && !disk->orphan &&
	       (disk->phase != XVM_DISK_CLOSED || disk->recorded);
}

static int put_lines(struct xvm_guest *guest, bool persist, FILE *file)
{
	char text[XVM_SPEC_MAX_BYTES];
	const struct xvm_disk *disk;
	struct xvm_spec spec;

	if (persist)
		fprintf(file, "# %s: devices kept by xvmsgd; change them with xvmsg attach and detach\n", guest->name);
	else
		fprintf(file, "uuid %s\n", guest->uuid);
	for (disk = guest->disks; disk; disk = disk->next) {
		if (!belongs(disk, persist))
			continue;
		xvm_own_spec(disk, &spec);
		xvm_spec_print(&spec, text);
		fprintf(file, "%u %s\n", disk->num, text);
	}
	return fflush(file) || fsync(fileno(file)) ? -errno : 0;
}

static int write_file(struct xvm_guest *guest, bool persist, const char *path)
{
	char new[PATH_BYTES + 8];
	FILE *file;
	int err, fd;

	snprintf(new, sizeof(new), "%s.new", path);
	unlink(new);
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	file = fdopen(fd, "w");
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	err = put_lines(guest, persist, file);
	if (fclose(file) && !err)
		err = -errno;
	if (!err && rename(new, path))
		err = -errno;
	if (err)
		unlink(new);
	return err;
}

static int write_or_remove(struct xvm_guest *guest, bool persist, const char *path, char *why)
{
	const struct xvm_disk *disk = guest->disks;
	int err;

	while (disk && !belongs(disk, persist))
		disk = disk->next;
	if (disk)
		err = write_file(guest, persist, path);
	else
		err = unlink(path) && errno != ENOENT ? -errno : 0;
	if (err)
		snprintf(why, XVM_WHY_BYTES, "%.150s cannot be written: %s", path, strerror(-err));
	return err;
}

int xvm_record_write(struct xvm_guest *guest, char why[XVM_WHY_BYTES])
{
	char path[PATH_BYTES];
	int err;

	if (!guest->uuid[0]) {
		snprintf(why, XVM_WHY_BYTES, "the guest has no UUID in xenstore, by which its devices are kept");
		return -ENOENT;
	}
	mkdir(guest->daemon->options.guests_dir, 0755);
	lasting_path(guest->daemon, guest->uuid, path);
	err = write_or_remove(guest, true, path, why);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/guests", guest->daemon->options.run_dir);
	mkdir(path, 0755);
	passing_path(guest->daemon, guest->domid, path);
	return write_or_remove(guest, false, path, why);
}

void xvm_record_end(struct xvm_guest *guest)
{
	char path[PATH_BYTES];

	passing_path(guest->daemon, guest->domid, path);
	unlink(path);
}

/* ---- about all of them ---- */

/* A domain that went while no daemon ran; what is not named by us is not ours. */
void xvm_record_sweep(const struct xvm_daemon *daemon)
{
	struct dirent *entry;
	char path[PATH_BYTES];
	DIR *dir;
	u32 domid;

	snprintf(path, sizeof(path), "%s/guests", daemon->options.run_dir);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (!xvm_parse_u32(entry->d_name, strlen(entry->d_name), 0x7fef, &domid) &&
		    !xvm_domain_alive(daemon, domid))
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

static struct json_object *describe_record(const char *uuid, char *text)
{
	struct json_object *json = json_object_new_object(), *devices = json_object_new_array();
	char *end, *name = strchr(text, ':');

	json_object_object_add(json, "uuid", json_object_new_string(uuid));
	for (; (end = strchr(text, '\n')); text = end + 1) {
		*end = 0;
		if (text[0] == '#' && text[1] == ' ' && name && name < end && name > text) {
			json_object_object_add(json, "name", json_object_new_string_len(text + 2, (int)(name - text - 2)));
			name = NULL;
		} else if (*text && *text != '#') {
			json_object_array_add(devices, json_object_new_string(text));
		}
	}
	json_object_object_add(json, "devices", devices);
	return json;
}

struct json_object *xvm_record_list(struct xvm_daemon *daemon)
{
	struct json_object *list = json_object_new_array();
	DIR *dir = opendir(daemon->options.guests_dir);
	char path[PATH_BYTES], *text;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (!xvm_record_uuid_ok(entry->d_name))
			continue;
		lasting_path(daemon, entry->d_name, path);
		text = read_file(path);
		if (text)
			json_object_array_add(list, describe_record(entry->d_name, text));
		free(text);
	}
	if (dir)
		closedir(dir);
	return list;
}

int xvm_record_forget(struct xvm_daemon *daemon, const char *uuid)
{
	char path[PATH_BYTES];

	if (!xvm_record_uuid_ok(uuid))
		return -EINVAL;
	lasting_path(daemon, uuid, path);
	return unlink(path) ? -errno : 0;
}
