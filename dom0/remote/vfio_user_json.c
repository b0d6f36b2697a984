// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The JSON of a VERSION reply: reads all of it strictly, keeps the few
 * capabilities that matter. The text is a hostile server's: no allocation, a
 * limit to the depth, and nothing in it is shown to anybody.
 */
#include "vfio_user_msg.h"

#define MAX_DEPTH 8u

/* Objects whose members mean something. */
enum where { TOP, CAPS, TWIN, ELSEWHERE };

enum leaf { NO_LEAF, MAX_FDS, MAX_XFER, TWIN_SUPPORTED, TWIN_INDEX };

struct reader {
	const char *at, *end;
	struct vfu_version *version;
};

static const struct {
	enum where in;
	const char *key;
	enum where object;	/* what its value must be: this object, */
	enum leaf leaf;		/* or this leaf */
} keys[] = {
	{ TOP, "capabilities", CAPS, NO_LEAF },
	{ CAPS, "max_msg_fds", ELSEWHERE, MAX_FDS },
	{ CAPS, "max_data_xfer_size", ELSEWHERE, MAX_XFER },
	{ CAPS, "twin_socket", TWIN, NO_LEAF },
	{ TWIN, "supported", ELSEWHERE, TWIN_SUPPORTED },
	{ TWIN, "fd_index", ELSEWHERE, TWIN_INDEX },
};

static int read_value(struct reader *r, u32 depth, enum where object, enum leaf leaf);

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at)
		r->at++;
}

static bool take(struct reader *r, char c)
{
	skip_blanks(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static bool take_word(struct reader *r, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len))
		return false;
	r->at += len;
	return true;
}

/* What is between the quotes, as it stands: a name with escapes in it is none that we know. */
static int read_string(struct reader *r, const char **text, size_t *len)
{
	if (!take(r, '"'))
		return -EPROTO;
	*text = r->at;
	for (; r->at < r->end && *r->at != '"'; r->at++) {
		if ((unsigned char)*r->at < ' ')
			return -EPROTO;
		if (*r->at == '\\' && ++r->at == r->end)
			return -EPROTO;
	}
	*len = (size_t)(r->at - *text);
	return take(r, '"') ? 0 : -EPROTO;
}

static bool is_digit(const struct reader *r)
{
	return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

/* Any number passes; *whole is its value if it is an integer of 32 bits. */
static int read_number(struct reader *r, bool *is_whole, u32 *whole)
{
	u64 value = 0;

	*is_whole = *r->at != '-';
	if (!*is_whole)
		r->at++;
	if (!is_digit(r))
		return -EPROTO;
	for (; is_digit(r); r->at++) {
		value = value * 10 + (u64)(*r->at - '0');
		if (value > UINT32_MAX) {
			*is_whole = false;
			value = 0;
		}
	}
	while (is_digit(r) || (r->at < r->end && *r->at && strchr(".eE+-", *r->at))) {
		*is_whole = false;
		r->at++;
	}
	*whole = (u32)value;
	return 0;
}

static int set_number(struct vfu_version *version, enum leaf leaf, bool is_whole, u32 value)
{
	if (leaf == NO_LEAF)
		return 0;
	if (leaf == TWIN_SUPPORTED || !is_whole)
		return -EPROTO;
	if (leaf == MAX_FDS) {
		version->max_fds = value;
	} else if (leaf == MAX_XFER) {
		version->max_xfer = value < VFU_MAX_XFER ? value : VFU_MAX_XFER;
	} else {
		version->twin_index = value;
		version->twin_indexed = true;
	}
	return 0;
}

static int set_bool(struct vfu_version *version, enum leaf leaf, bool value)
{
	if (leaf == TWIN_SUPPORTED)
		version->twin = value;
	return leaf == TWIN_SUPPORTED || leaf == NO_LEAF ? 0 : -EPROTO;
}

static int read_member(struct reader *r, u32 depth, enum where in)
{
	enum where object = ELSEWHERE;
	enum leaf leaf = NO_LEAF;
	const char *key;
	size_t len;
	u32 i;

	if (read_string(r, &key, &len) || !take(r, ':'))
		return -EPROTO;
	for (i = 0; i < XVM_ARRAY_SIZE(keys); i++) {
		if (keys[i].in == in && strlen(keys[i].key) == len && !memcmp(keys[i].key, key, len)) {
			object = keys[i].object;
			leaf = keys[i].leaf;
		}
	}
	return read_value(r, depth, object, leaf);
}

/* Behind its opening bracket. */
static int read_list(struct reader *r, u32 depth, enum where in, char close)
{
	int err;

	if (take(r, close))
		return 0;
	do {
		err = close == '}' ? read_member(r, depth, in) :
		      read_value(r, depth, ELSEWHERE, NO_LEAF);
	} while (!err && take(r, ','));
	return !err && take(r, close) ? 0 : -EPROTO;
}

/* object or leaf: what the value is to be, if it is to be anything. */
static int read_value(struct reader *r, u32 depth, enum where object, enum leaf leaf)
{
	const char *text;
	bool is_whole;
	size_t len;
	u32 whole;

	if (depth == MAX_DEPTH)
		return -EPROTO;
	if (take(r, '{'))
		return leaf != NO_LEAF ? -EPROTO : read_list(r, depth + 1, object, '}');
	if (object != ELSEWHERE)
		return -EPROTO;
	if (take_word(r, "true"))
		return set_bool(r->version, leaf, true);
	if (take_word(r, "false"))
		return set_bool(r->version, leaf, false);
	if (r->at < r->end && (*r->at == '-' || is_digit(r)))
		return read_number(r, &is_whole, &whole) ? -EPROTO :
		       set_number(r->version, leaf, is_whole, whole);
	if (leaf != NO_LEAF)
		return -EPROTO;
	if (take(r, '['))
		return read_list(r, depth + 1, ELSEWHERE, ']');
	return take_word(r, "null") ? 0 : read_string(r, &text, &len);
}

int vfu_get_caps(const char *text, size_t len, struct vfu_version *version)
{
	struct reader r = { .at = text, .end = text + len, .version = version };

	if (read_value(&r, 0, TOP, NO_LEAF))
		return -EPROTO;
	skip_blanks(&r);
	return r.at == r.end ? 0 : -EPROTO;
}
