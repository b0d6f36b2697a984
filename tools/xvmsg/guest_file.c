// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest_file.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libxl.h>
#include <libxlutil.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE_BYTES (1u << 20)
#define MAX_DEVICES 256
#define MAX_SETTINGS 16		/* of one name; further ones have the place of the last */
#define MAX_SEEN (3 * MAX_DEVICES)
#define MAX_DESCRIPTOR_BYTES 4096
#define VIRTIO_TYPE "type=xen-virtio-msg:"

const char *guest_file_descriptors = XVM_SYSCONFDIR "/xen-virtio-msg/devices/";

/* A device of ours, from whichever list. */
struct seen {
	struct xvm_spec spec;
	unsigned int line;
};

struct reader {
	struct guest_file *file;
	guest_file_fault fault;
	void *arg;
	unsigned int faults;
	char *text;			/* of the file, for places */
	size_t len;
	XLU_Config *config;
	FILE *report;			/* what libxlutil has to say */
	char *said;
	size_t said_len;
	bool has_virtio, has_pv;	/* disks of xl's */
	unsigned int pv_line, pv_column;
	struct seen *seen;
	unsigned int num_seen;
};

struct place {
	unsigned int line, column;
};

static void say(struct reader *r, struct place at, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void say(struct reader *r, struct place at, const char *format, ...)
{
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	r->faults++;
	r->fault(r->arg, r->file, at.line, at.column, what);
}

/* ---- places: libxlutil keeps none, so the text is looked at once more ---- */

struct scan {
	const char *at, *end;
};

static void skip_string(struct scan *s)
{
	char quote = *s->at++;

	while (s->at < s->end && *s->at != quote && *s->at != '\n')
		s->at += *s->at == '\\' && s->at + 1 < s->end ? 2 : 1;
	if (s->at < s->end)
		s->at++;
}

static void skip_to_line_end(struct scan *s)
{
	while (s->at < s->end && *s->at != '\n')
		s->at++;
}

/* The next setting of this name, or what adds to one. False: there is none. */
static bool next_setting(struct scan *s, const char *key, bool *adds)
{
	const char *word;
	int depth = 0;

	while (s->at < s->end) {
		if (*s->at == '"' || *s->at == '\'') {
			skip_string(s);
		} else if (*s->at == '#') {
			skip_to_line_end(s);
		} else if (!depth && (isalpha((unsigned char)*s->at) || *s->at == '_')) {
			for (word = s->at; s->at < s->end && (isalnum((unsigned char)*s->at) || *s->at == '_'); s->at++)
				;
			if ((size_t)(s->at - word) != strlen(key) || strncmp(word, key, strlen(key)))
				continue;
			while (s->at < s->end && isblank((unsigned char)*s->at))
				s->at++;
			*adds = s->at < s->end && *s->at == '+';
			s->at += *adds;
			if (s->at < s->end && *s->at++ == '=')
				return true;
		} else {
			depth += (*s->at == '[') - (*s->at == ']');
			s->at++;
		}
	}
	return false;
}

/* Behind each '=' of a setting of this name that counts: the last one of its own, and those that add to it. Returns their number. */
static unsigned int find_settings(const struct reader *r, const char *key, const char *starts[MAX_SETTINGS])
{
	struct scan s = { r->text, r->text + r->len };
	unsigned int n = 0;
	bool adds;

	while (next_setting(&s, key, &adds)) {
		if (!adds)
			n = 0;
		if (n < MAX_SETTINGS)
			starts[n++] = s.at;
	}
	return n;
}

static const char *find_setting(const struct reader *r, const char *key)
{
	const char *starts[MAX_SETTINGS];
	unsigned int n = find_settings(r, key, starts);

	return n ? starts[n - 1] : NULL;
}

static struct place place_of(const struct reader *r, const char *at)
{
	struct place place = { 1, 1 };
	const char *c;

	if (!at)
		return (struct place){ 0, 0 };
	for (c = r->text; c < at; c++) {
		place.column++;
		if (*c == '\n')
			place = (struct place){ place.line + 1, 1 };
	}
	return place;
}

/* A character of a string as libxlutil reads it: behind a backslash, one, or up to three digits. */
static const char *next_char(const char *at, const char *end)
{
	int digits;

	if (*at++ != '\\' || at == end)
		return at;
	for (digits = 0; digits < 3 && at < end && isdigit((unsigned char)*at); digits++)
		at++;
	return digits ? at : at + 1;
}

/* The string that is item number *n of this list; NULL: it has fewer, and *n is less by so many. */
static const char *find_item(const struct reader *r, const char *start, int *n)
{
	struct scan s = { start, r->text + r->len };

	while (s.at < s.end && *s.at != ']') {
		if (*s.at == '#') {
			skip_to_line_end(&s);
		} else if ((*s.at == '"' || *s.at == '\'') && !(*n)--) {
			return s.at;
		} else if (*s.at == '"' || *s.at == '\'') {
			skip_string(&s);
		} else {
			s.at++;
		}
	}
	return NULL;
}

/* The offset'th character of the string that is item number n of the list. */
static struct place place_in_list(const struct reader *r, const char *key, int n, size_t offset)
{
	const char *starts[MAX_SETTINGS], *item = NULL, *end = r->text + r->len;
	unsigned int i, count = find_settings(r, key, starts);

	for (i = 0; i < count && !item; i++)
		item = find_item(r, starts[i], &n);
	if (!item)
		return place_of(r, count ? starts[count - 1] : NULL);
	for (item++; offset-- && item < end; )
		item = next_char(item, end);
	return place_of(r, item);
}

/* ---- what libxlutil says: "FILE:LINE: text", or "FILE: text" ---- */

static void pass_on_report(struct reader *r)
{
	size_t path = strlen(r->file->path);
	char *line, *next, *text;
	struct place at;

	fflush(r->report);
	for (line = r->said; line && (next = strchr(line, '\n')); line = next + 1) {
		*next = 0;
		at = (struct place){ 0, 0 };
		text = line;
		if (!strncmp(line, r->file->path, path) && line[path] == ':') {
			text = line + path + 1;
			if (isdigit((unsigned char)*text)) {
				at = (struct place){ (unsigned int)strtoul(text, &text, 10), 1 };
				text += *text == ':';
			}
		}
		say(r, at, "%s", text + strspn(text, " "));
	}
	rewind(r->report);
	if (r->said)
		r->said[0] = 0;
}

/* ---- files ---- */

static void check_target(struct reader *r, struct place at, const char *path, bool read_only)
{
	struct stat st;

	if (stat(path, &st))
		say(r, at, "%s: %s", path, errno == ENOENT ? "does not exist; create it or correct the path" : strerror(errno));
	else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		say(r, at, "%s is neither a file nor a block device", path);
	else if (S_ISREG(st.st_mode) && (!st.st_size || st.st_size % 512))
		say(r, at, "%s has %lld bytes; a disk has a multiple of 512, and not none", path, (long long)st.st_size);
	else if (S_ISREG(st.st_mode) && !read_only && !(st.st_mode & 0222))
		say(r, at, "%s is read-only (mode %04o), and access is not ro", path, st.st_mode & 07777);
}

/* ---- what two devices cannot both have ---- */

static void say_twice(struct reader *r, struct place at, const char *key, const char *value, const struct seen *old)
{
	say(r, at, "%s%.200s stands in line %u already", key, value, old->line);
}

static void check_pair(struct reader *r, struct place at, const struct seen *old, const struct xvm_spec *new)
{
	const struct xvm_spec *spec = &old->spec;
	char text[20];

	if (*new->name && !strcmp(spec->name, new->name))
		say(r, at, "a device named %s stands in line %u already; give one of them another name", new->name, old->line);
	if (spec->kind != new->kind)
		return;
	if (new->kind == XVM_KIND_BLK && *new->path && !strcmp(spec->path, new->path) &&
	    !(spec->read_only && new->read_only))
		say(r, at, "%s is the disk of line %u already, and one of them would write", new->path, old->line);
	if (new->kind == XVM_KIND_NET && new->net.mac_given && spec->net.mac_given && !memcmp(new->net.mac, spec->net.mac, 6)) {
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", new->net.mac[0], new->net.mac[1], new->net.mac[2],
			 new->net.mac[3], new->net.mac[4], new->net.mac[5]);
		say_twice(r, at, "mac=", text, old);
	}
	if (new->kind == XVM_KIND_NET && *new->net.vifname && !strcmp(new->net.vifname, spec->net.vifname))
		say_twice(r, at, "vifname=", new->net.vifname, old);
	snprintf(text, sizeof(text), "%u", new->cid);
	if (new->kind == XVM_KIND_VSOCK && new->cid && new->cid == spec->cid)
		say_twice(r, at, "cid=", text, old);
	if (new->kind == XVM_KIND_SCSI && !strcmp(new->wwpn, spec->wwpn))
		say_twice(r, at, "wwpn=", new->wwpn, old);
}

static void see(struct reader *r, struct place at, const struct xvm_spec *spec)
{
	unsigned int i;

	for (i = 0; i < r->num_seen; i++)
		check_pair(r, at, &r->seen[i], spec);
	if (r->num_seen < MAX_SEEN)
		r->seen[r->num_seen++] = (struct seen){ *spec, at.line };
}

/* ---- descriptors ---- */

static bool is_below(const char *path, const char *dir)
{
	return !strncmp(path, dir, strlen(dir));
}

/* All of it, or -1 with errno; EPERM: somebody else could have written it. */
static ssize_t read_descriptor(const char *path, char text[MAX_DESCRIPTOR_BYTES + 1])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	ssize_t len = -1;
	struct stat st;

	if (fd < 0)
		return -1;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && !st.st_uid && !(st.st_mode & 022))
		len = read(fd, text, MAX_DESCRIPTOR_BYTES + 1);
	else
		errno = EPERM;
	close(fd);
	if (len > MAX_DESCRIPTOR_BYTES)
		errno = EFBIG;
	return len > MAX_DESCRIPTOR_BYTES ? -1 : len;
}

static unsigned int line_of(const char *text, size_t at)
{
	unsigned int line = 1;

	while (at--)
		line += *text++ == '\n';
	return line;
}

/* What stands in the descriptor, as a device of that name (NULL: what it says). */
static void check_descriptor(struct reader *r, struct place at, const char *path, const char *name)
{
	char text[MAX_DESCRIPTOR_BYTES + 1];
	ssize_t len = read_descriptor(path, text);
	struct xvm_spec_fault fault;
	struct xvm_spec spec;

	if (len < 0 && errno == EPERM) {
		say(r, at, "descriptor %s must be a file owned by root that only root can write", path);
	} else if (len < 0) {
		say(r, at, "descriptor %s: %s", path, errno == ENOENT ? "does not exist; create it or correct the name" : strerror(errno));
	} else if (xvm_spec_parse(XVM_SPEC_LINES, text, (size_t)len, &spec, &fault)) {
		say(r, at, "descriptor %s: line %u: %s", path, line_of(text, fault.at), fault.why);
	} else {
		if (spec.kind == XVM_KIND_BLK)
			check_target(r, at, spec.path, spec.read_only);
		snprintf(spec.name, sizeof(spec.name), "%s", name);
		see(r, at, &spec);
	}
}

/* ---- disk = [ ... ] ---- */

/* Linux finds no device at all when one of them is beyond xvdp, and the daemon refuses such a disk. */
static bool vdev_too_far(const char *vdev)
{
	size_t letters, digits;

	if (strncmp(vdev, "xvd", 3))
		return false;
	letters = strspn(vdev + 3, "abcdefghijklmnopqrstuvwxyz");
	digits = strspn(vdev + 3 + letters, "0123456789");
	return letters > 1 || (letters == 1 && vdev[3] > 'p') || digits > 2 || atoi(vdev + 3 + letters) > 15;
}

static void check_virtio_disk(struct reader *r, struct place at, const libxl_device_disk *disk)
{
	struct xvm_spec spec = { .kind = XVM_KIND_BLK, .read_only = !disk->readwrite };
	const char *path = disk->pdev_path ? disk->pdev_path : "", *vdev = disk->vdev ? disk->vdev : "";
	char real[PATH_MAX];
	bool found = realpath(path, real);

	if (vdev_too_far(vdev))
		say(r, at, "vdev=%s: a Linux guest finds no device at all when one has such a high number; use vdev=xvda to xvdp, "
		    "then sda to sdp", vdev);
	if (is_below(path, guest_file_descriptors) && found && !is_below(real, guest_file_descriptors)) {
		say(r, at, "descriptor %s is a link to elsewhere; put the file itself there", path);
	} else if (is_below(found ? real : path, guest_file_descriptors)) {
		check_descriptor(r, at, found ? real : path, vdev);
	} else {
		if (*path)
			check_target(r, at, path, spec.read_only);
		snprintf(spec.name, sizeof(spec.name), "%s", vdev);
		snprintf(spec.path, sizeof(spec.path), "%s", path);
		see(r, at, &spec);
	}
}

static void check_disk(struct reader *r, int n, const char *text)
{
	struct place at = place_in_list(r, "disk", n, 0);
	libxl_device_disk disk;

	libxl_device_disk_init(&disk);
	if (xlu_disk_parse(r->config, 1, &text, &disk)) {
		pass_on_report(r);
	} else if (disk.specification == LIBXL_DISK_SPECIFICATION_VIRTIO) {
		r->has_virtio = true;
		check_virtio_disk(r, at, &disk);
	} else {
		if (!r->has_pv) {
			r->pv_line = at.line;
			r->pv_column = at.column;
		}
		r->has_pv = true;
	}
	libxl_device_disk_dispose(&disk);
}

static void check_disks(struct reader *r)
{
	XLU_ConfigList *list;
	int i, n;

	if (xlu_cfg_get_list(r->config, "disk", &list, &n, 1))
		return;
	for (i = 0; i < n; i++) {
		const char *text = xlu_cfg_get_listitem(list, i);

		if (text)
			check_disk(r, i, text);
	}
	if (r->has_pv && r->has_virtio)
		say(r, (struct place){ r->pv_line, r->pv_column },
		    "a PV disk beside virtio disks: libxl loses all disks of such a guest at its reboot; "
		    "give every disk specification=virtio, or none");
}

/* ---- virtio = [ ... ], of Xen 4.18 and later: those of ours are descriptors ---- */

static void check_virtio_entry(struct reader *r, int n, const char *text)
{
	const char *type = strstr(text, VIRTIO_TYPE), *name = type ? type + sizeof(VIRTIO_TYPE) - 1 : NULL;
	size_t len = name ? strcspn(name, ", \t") : 0;
	char path[PATH_MAX];
	struct place at;

	if (!type)
		return;
	at = place_in_list(r, "virtio", n, (size_t)(name - text));
	if (!xvm_spec_name_ok(name, len)) {
		say(r, at, "type= is not xen-virtio-msg: and the name of a descriptor, 1 to %u of letters, digits, '.', '_', '-'",
		    XVM_NAME_MAX);
		return;
	}
	snprintf(path, sizeof(path), "%.3000s%.*s", guest_file_descriptors, (int)len, name);
	check_descriptor(r, at, path, "");
}

static void check_virtio_entries(struct reader *r)
{
	XLU_ConfigList *list;
	int i, n;

	if (xlu_cfg_get_list(r->config, "virtio", &list, &n, 1))
		return;
	for (i = 0; i < n; i++) {
		const char *text = xlu_cfg_get_listitem(list, i);

		if (text)
			check_virtio_entry(r, i, text);
	}
}

/* ---- virtio_msg = [ ... ] ---- */

static void take_device(struct reader *r, int n, const char *text)
{
	struct place at = place_in_list(r, "virtio_msg", n, 0);
	struct guest_device device = { .line = at.line, .column = at.column };
	struct guest_file *file = r->file;
	struct xvm_spec_fault fault;

	if (!text) {
		say(r, at, "virtio_msg is a list of strings: virtio_msg = [ \"type=...\", ... ]");
		return;
	}
	if (xvm_spec_parse(XVM_SPEC_LIST, text, strlen(text), &device.spec, &fault)) {
		say(r, place_in_list(r, "virtio_msg", n, fault.at), "%s", fault.why);
		return;
	}
	if (device.spec.kind == XVM_KIND_BLK)
		check_target(r, at, device.spec.path, device.spec.read_only);
	see(r, at, &device.spec);
	file->devices[file->num_devices++] = device;
}

static void take_devices(struct reader *r)
{
	XLU_ConfigList *list;
	int i, n, err;

	err = xlu_cfg_get_list(r->config, "virtio_msg", &list, &n, 1);
	if (err == ESRCH)
		return;
	if (err) {
		say(r, place_of(r, find_setting(r, "virtio_msg")),
		    "virtio_msg is a list of strings: virtio_msg = [ \"type=...\", ... ]");
		return;
	}
	if (n > MAX_DEVICES) {
		say(r, place_of(r, find_setting(r, "virtio_msg")), "%d devices; a guest has at most %u", n, MAX_DEVICES);
		return;
	}
	r->file->devices = calloc((size_t)n + 1, sizeof(*r->file->devices));
	for (i = 0; r->file->devices && i < n; i++)
		take_device(r, i, xlu_cfg_get_listitem(list, i));
}

/* ---- all of it ---- */

static void copy_text(struct reader *r, const char *key, char *to, size_t bytes)
{
	const char *text;

	if (xlu_cfg_get_string(r->config, key, &text, 1))
		return;
	if (strlen(text) < bytes)
		strcpy(to, text);
	else
		say(r, place_of(r, find_setting(r, key)), "%s is longer than %zu bytes", key, bytes - 1);
}

static bool read_text(struct reader *r)
{
	FILE *file = fopen(r->file->path, "re");

	r->text = malloc(MAX_FILE_BYTES + 1);
	if (file && r->text) {
		r->len = fread(r->text, 1, MAX_FILE_BYTES + 1, file);
		if (ferror(file))
			r->len = 0;
	}
	if (!file || ferror(file) || r->len > MAX_FILE_BYTES)
		say(r, (struct place){ 0, 0 }, "%s", file && r->len > MAX_FILE_BYTES ? "longer than any guest file" :
		    strerror(errno));
	if (file)
		fclose(file);
	return !r->faults && r->text;
}

unsigned int guest_file_read(struct guest_file *file, const char *path, guest_file_fault fault, void *arg)
{
	struct reader r = { .file = file, .fault = fault, .arg = arg };

	memset(file, 0, sizeof(*file));
	file->path = path;
	if (!read_text(&r)) {
		free(r.text);
		return r.faults;
	}
	r.report = open_memstream(&r.said, &r.said_len);
	r.seen = calloc(MAX_SEEN, sizeof(*r.seen));
	r.config = r.report && r.seen ? xlu_cfg_init(r.report, path) : NULL;
	if (!r.config) {
		say(&r, (struct place){ 0, 0 }, "out of memory");
	} else if (xlu_cfg_readdata(r.config, r.text, (int)r.len)) {
		pass_on_report(&r);
		if (!r.faults)
			say(&r, (struct place){ 0, 0 }, "not a guest file");
	} else {
		copy_text(&r, "name", file->name, sizeof(file->name));
		copy_text(&r, "uuid", file->uuid, sizeof(file->uuid));
		if (!file->name[0])
			say(&r, (struct place){ 0, 0 }, "name= is missing");
		take_devices(&r);
		check_disks(&r);
		check_virtio_entries(&r);
	}
	if (r.config)
		xlu_cfg_destroy(r.config);
	if (r.report)
		fclose(r.report);
	free(r.said);
	free(r.seen);
	free(r.text);
	return r.faults;
}

void guest_file_free(struct guest_file *file)
{
	free(file->devices);
	file->devices = NULL;
}
