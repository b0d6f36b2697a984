// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest_file.h"
#include <ctype.h>
#include <errno.h>
#include <libxl.h>
#include <libxlutil.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILE_BYTES (1u << 20)
#define MAX_DEVICES 256

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

/* Behind the '=' of a setting of this name; the last one counts, as for libxlutil. */
static const char *find_setting(const struct reader *r, const char *key)
{
	struct scan s = { r->text, r->text + r->len };
	const char *found = NULL, *word;
	int depth = 0;

	while (s.at < s.end) {
		if (*s.at == '"' || *s.at == '\'') {
			skip_string(&s);
		} else if (*s.at == '#') {
			skip_to_line_end(&s);
		} else if (!depth && (isalpha((unsigned char)*s.at) || *s.at == '_')) {
			for (word = s.at; s.at < s.end && (isalnum((unsigned char)*s.at) || *s.at == '_'); s.at++)
				;
			if ((size_t)(s.at - word) != strlen(key) || strncmp(word, key, strlen(key)))
				continue;
			while (s.at < s.end && isblank((unsigned char)*s.at))
				s.at++;
			if (s.at < s.end && *s.at == '=')
				found = s.at + 1;
		} else {
			depth += (*s.at == '[') - (*s.at == ']');
			s.at++;
		}
	}
	return found;
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

/* The offset'th character of the string that is item number n of the list. */
static struct place place_in_list(const struct reader *r, const char *key, int n, size_t offset)
{
	const char *start = find_setting(r, key);
	struct scan s = { start, r->text + r->len };

	while (start && s.at < s.end && *s.at != ']') {
		if (*s.at == '#') {
			skip_to_line_end(&s);
		} else if ((*s.at == '"' || *s.at == '\'') && !n--) {
			return place_of(r, s.at + 1 + offset);
		} else if (*s.at == '"' || *s.at == '\'') {
			skip_string(&s);
		} else {
			s.at++;
		}
	}
	return place_of(r, start);
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

/* ---- disk = [ ... ] ---- */

static bool names_device(const struct reader *r, const char *name)
{
	unsigned int i;

	for (i = 0; i < r->file->num_devices; i++)
		if (!strcmp(r->file->devices[i].spec.name, name))
			return true;
	return false;
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
		if (disk.pdev_path && strncmp(disk.pdev_path, XVM_SYSCONFDIR "/xen-virtio-msg/devices/",
					      strlen(XVM_SYSCONFDIR "/xen-virtio-msg/devices/")))
			check_target(r, at, disk.pdev_path, !disk.readwrite);
		if (disk.vdev && names_device(r, disk.vdev))
			say(r, at, "virtio_msg has a device named %s too; give one of them another name", disk.vdev);
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

/* ---- virtio_msg = [ ... ] ---- */

static void check_duplicate(struct reader *r, const struct guest_device *new)
{
	struct place at = { new->line, new->column };
	unsigned int i;

	for (i = 0; i < r->file->num_devices; i++) {
		const struct guest_device *old = &r->file->devices[i];

		if (*new->spec.name && !strcmp(old->spec.name, new->spec.name))
			say(r, at, "a device named %s stands in line %u already", new->spec.name, old->line);
		if (*new->spec.path && !strcmp(old->spec.path, new->spec.path) &&
		    !(old->spec.read_only && new->spec.read_only))
			say(r, at, "%s is the disk of line %u already, and one of them would write", new->spec.path, old->line);
	}
}

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
	if (*device.spec.path)
		check_target(r, at, device.spec.path, device.spec.read_only);
	check_duplicate(r, &device);
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
	r.config = r.report ? xlu_cfg_init(r.report, path) : NULL;
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
	}
	if (r.config)
		xlu_cfg_destroy(r.config);
	if (r.report)
		fclose(r.report);
	free(r.said);
	free(r.text);
	return r.faults;
}

void guest_file_free(struct guest_file *file)
{
	free(file->devices);
	file->devices = NULL;
}
