// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Vhost-user servers that are named and not spelled out: found by their descriptions (QEMU's
 * docs/interop/vhost-user.json), asked what they are by --print-capabilities, and given --fd, all as the
 * document's conventions for back-end programs have it. Runs in the opener's child. Descriptions
 * and the programs they name are root's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "image.h"
#include "server.h"

#define MAX_JSON_BYTES 65536
#define ANSWER_MS 3000

/* What a description calls the types that it may be about. */
static const struct {
	u16 device_id;
	const char *word;
} types[] = {
	{ 1, "net" }, { 2, "block" }, { 3, "console" }, { 4, "rng" }, { 5, "balloon" }, { 8, "scsi" }, { 9, "9p" },
	{ 16, "gpu" }, { 18, "input" }, { 19, "vsock" }, { 20, "crypto" }, { 26, "fs" },
};

struct search {
	const char *type, *name;	/* of the device; of the program, NULL: any */
	char binary[256];		/* what was found */
};

static const char *text_of(struct json_object *json, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(json, key, &value) && json_object_is_type(value, json_type_string) ?
	       json_object_get_string(value) : "";
}

/* NULL: no such file, or no object in it. */
static struct json_object *read_json(int fd)
{
	struct json_object *json;

	if (fd < 0)
		return NULL;
	json = json_object_from_fd(fd);
	close(fd);
	if (json_object_is_type(json, json_type_object))
		return json;
	json_object_put(json);
	return NULL;
}

static bool is_it(struct search *search, struct json_object *json)
{
	const char *binary = text_of(json, "binary"), *base = strrchr(binary, '/');

	if (!base || binary[0] != '/' || strcmp(text_of(json, "type"), search->type) ||
	    (search->name && strcmp(base + 1, search->name)) || strlen(binary) >= sizeof(search->binary) ||
	    strchr(binary, ' ') || strchr(binary, '%'))
		return false;
	strcpy(search->binary, binary);
	return true;
}

static int is_json(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && !strcmp(dot, ".json");
}

/* A description in an earlier directory hides those of its name in later ones, an empty one too. */
static bool hidden(const char *const *dirs, u32 before, const char *name)
{
	char path[512];
	u32 i;

	for (i = 0; i < before; i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		if (!access(path, F_OK))
			return true;
	}
	return false;
}

/* The first that fits, by the names of the files in all directories together. */
static bool search_dirs(struct search *search, const char *const *dirs)
{
	char best[256] = "", path[512];
	struct dirent **entries;
	struct json_object *json;
	u32 d;
	int i, n;

	for (d = 0; dirs[d]; d++) {
		n = scandir(dirs[d], &entries, is_json, alphasort);
		for (i = 0; i < n; i++) {
			snprintf(path, sizeof(path), "%s/%s", dirs[d], entries[i]->d_name);
			json = hidden(dirs, d, entries[i]->d_name) || (best[0] && strcmp(best, entries[i]->d_name) < 0) ?
			       NULL : read_json(open(path, O_RDONLY | O_CLOEXEC));
			if (json && is_it(search, json))
				snprintf(best, sizeof(best), "%s", entries[i]->d_name);
			json_object_put(json);
			free(entries[i]);
		}
		if (n >= 0)
			free(entries);
	}
	return best[0];
}

static void __attribute__((noreturn)) print_capabilities(const char *binary, int to)
{
	static char *const envp[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	char *const argv[] = { (char *)binary, (char *)"--print-capabilities", NULL };

	if (dup2(to, 1) >= 0)
		execve(binary, argv, envp);
	_exit(127);
}

/* All that comes until the end, within its time and size; then it is an end. */
static size_t read_answer(int from, char *text)
{
	struct pollfd wait = { .fd = from, .events = POLLIN };
	size_t len = 0;
	ssize_t got = 1;

	while (got > 0 && len < MAX_JSON_BYTES - 1 && poll(&wait, 1, ANSWER_MS) == 1) {
		got = read(from, text + len, MAX_JSON_BYTES - 1 - len);
		len += got > 0 ? (size_t)got : 0;
	}
	text[len] = 0;
	return len;
}

/* What the program says of itself; NULL: nothing that makes sense. */
static struct json_object *ask(const char *binary)
{
	char *text = malloc(MAX_JSON_BYTES);
	struct json_object *json = NULL;
	int out[2];
	pid_t pid;

	if (!text || pipe2(out, O_CLOEXEC)) {
		free(text);
		return NULL;
	}
	pid = fork();
	if (!pid)
		print_capabilities(binary, out[1]);
	close(out[1]);
	if (pid > 0 && read_answer(out[0], text))
		json = json_tokener_parse(text);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	close(out[0]);
	free(text);
	if (json_object_is_type(json, json_type_object))
		return json;
	json_object_put(json);
	return NULL;
}

static int check_capabilities(const struct search *search, char *why)
{
	struct json_object *json = ask(search->binary);
	const char *type = json ? text_of(json, "type") : "";
	int err = 0;

	if (!json)
		err = xvm_refuse(why, -EIO, "server %.100s --print-capabilities does not answer with a JSON object", search->binary);
	else if (strcmp(type, search->type))
		err = xvm_refuse(why, -ENODEV, "server %.100s says that it is of type '%.40s'", search->binary, type);
	json_object_put(json);
	return err;
}

/* The binary in place of its name, and the listening socket if the command does not say where that is to stand. */
static int put_binary(struct xvm_spec *spec, const char *binary, char *why)
{
	char command[XVM_TARGET_BYTES];
	int len = snprintf(command, sizeof(command), "%s%s%s", binary, spec->path + strcspn(spec->path, " "),
			   strstr(spec->path, "%fd") ? "" : " --fd=%fd");

	if (len >= (int)sizeof(command))
		return xvm_refuse(why, -ENAMETOOLONG, "server %.100s with its arguments is longer than 1023 bytes", binary);
	memcpy(spec->path, command, (size_t)len + 1);
	return 0;
}

int xvm_server_find(struct xvm_spec *spec, const char *const *dirs, char *why)
{
	static const char *const usual[] = { "/etc/qemu/vhost-user", "/usr/local/share/qemu/vhost-user",
					     "/usr/share/qemu/vhost-user", NULL };
	char name[64];
	struct search search = { .name = name };
	u32 i;
	int err;

	if (!spec->command || spec->path[0] == '/')
		return 0;
	for (i = 0; i < XVM_ARRAY_SIZE(types); i++)
		if (types[i].device_id == spec->device_id)
			search.type = types[i].word;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(spec->path, " "), spec->path);
	if (!search.type)
		return xvm_refuse(why, -ENOENT, "server %.60s: no description is about such a device; give the program's path", name);
	if (!strcmp(name, "auto"))
		search.name = NULL;
	if (!search_dirs(&search, dirs ? dirs : usual))
		return xvm_refuse(why, -ENOENT, "server %.60s of type %s is in no description under /usr/share/qemu/vhost-user", name, search.type);
	err = check_capabilities(&search, why);
	return err ? err : put_binary(spec, search.binary, why);
}
