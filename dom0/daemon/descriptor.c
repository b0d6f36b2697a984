// SPDX-License-Identifier: GPL-2.0-or-later
#include "descriptor.h"
#include <stdio.h>

static const char *const kind_name[] = {
	[XVM_KIND_BLK] = "blk",
	[XVM_KIND_RNG] = "rng",
};

struct parse {
	struct xvm_descriptor *desc;
	bool have_type, have_path;
};

const char *xvm_kind_name(enum xvm_device_kind kind)
{
	return kind_name[kind];
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && !memcmp(text, word, len);
}

static const char *take_type(struct parse *p, const char *value, size_t len)
{
	u32 i;

	if (p->have_type)
		return "type= is there twice";
	for (i = 0; i < XVM_ARRAY_SIZE(kind_name); i++) {
		if (is_word(value, len, kind_name[i])) {
			p->desc->kind = (enum xvm_device_kind)i;
			p->have_type = true;
			return NULL;
		}
	}
	return "type= is none of blk, rng";
}

static const char *take_path(struct parse *p, const char *value, size_t len)
{
	if (p->have_path)
		return "path= is there twice";
	if (!len || value[0] != '/')
		return "path= is not an absolute path";
	if (len >= sizeof(p->desc->path))
		return "path= is longer than 1023 bytes";
	memcpy(p->desc->path, value, len);
	p->desc->path[len] = 0;
	p->have_path = true;
	return NULL;
}

static const char *take_line(struct parse *p, const char *line, size_t len)
{
	const char *eq = memchr(line, '=', len);
	size_t key = eq ? (size_t)(eq - line) : 0;

	if (!len || line[0] == '#')
		return NULL;
	if (memchr(line, 0, len))
		return "a zero byte";
	if (!eq)
		return "not key=value";
	if (is_word(line, key, "type"))
		return take_type(p, eq + 1, len - key - 1);
	if (is_word(line, key, "path"))
		return take_path(p, eq + 1, len - key - 1);
	return "unknown key; known are type, path";
}

static const char *check_whole(const struct parse *p)
{
	if (!p->have_type)
		return "type= is missing";
	if (p->desc->kind == XVM_KIND_BLK && !p->have_path)
		return "type=blk needs path=";
	if (p->desc->kind != XVM_KIND_BLK && p->have_path)
		return "path= is only for type=blk";
	return NULL;
}

int xvm_descriptor_parse(const char *text, size_t len, struct xvm_descriptor *desc, char *why,
			 size_t why_bytes)
{
	struct parse p = { .desc = desc };
	u32 line = 1;
	size_t at = 0;
	const char *fault = NULL;

	memset(desc, 0, sizeof(*desc));
	while (at < len && !fault) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t n = end ? (size_t)(end - text) - at : len - at;

		fault = take_line(&p, text + at, n);
		at += n + 1;
		if (!fault)
			line++;
	}
	if (fault) {
		snprintf(why, why_bytes, "line %u: %s", line, fault);
		return -EINVAL;
	}
	fault = check_whole(&p);
	if (fault) {
		snprintf(why, why_bytes, "%s", fault);
		return -EINVAL;
	}
	return 0;
}
