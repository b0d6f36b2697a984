// SPDX-License-Identifier: MIT
/*
 * A worker that was taken over, or a guest, against whoever reads its trace. The first byte of the input chooses the
 * dialect; the rest is one batch. Whatever it is: what is printed is one line of printable text per message, and one JSON
 * object.
 */
/* LINK: xen/proto tools/trace */
/* LIBS: -ljson-c */
#include <json-c/json.h>
#include <stdlib.h>
#include "../../tools/trace/answers.h"
#include "../../tools/trace/batch.h"
#include "../../tools/trace/describe.h"

#define CHECK(cond) do { if (!(cond)) abort(); } while (0)
#define MAX_MESSAGE 65535

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef void (*printer)(FILE *f, const struct xvm_described *d);

static char *text_of(printer print, const struct xvm_described *d)
{
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);

	CHECK(f);
	print(f, d);
	CHECK(!fclose(f) && strlen(text) == bytes);
	return text;
}

static void check_text(const struct xvm_described *d)
{
	char *text = text_of(xvm_describe_text, d), *at;

	CHECK(*text);
	for (at = text; *at; at++)
		CHECK(*at >= ' ' && *at <= '~');
	free(text);
}

static void check_json(const struct xvm_described *d)
{
	char *text = text_of(xvm_describe_json, d), *whole;
	struct json_object *json, *value;

	CHECK(asprintf(&whole, "{%s}", text) > 0);
	json = json_tokener_parse(whole);
	CHECK(json_object_is_type(json, json_type_object));
	CHECK(json_object_object_get_ex(json, "dev_num", &value) &&
	      json_object_get_int(value) == d->hdr.dev_num);
	CHECK(json_object_object_get_ex(json, "malformed", &value) == (d->fault != XVM_FRAME_OK));
	json_object_put(json);
	free(whole);
	free(text);
}

static void take(const struct xvm_trace_record *r, enum xvm_dialect dialect, struct xvm_trace_answers *answers)
{
	struct xvm_described d;
	int64_t ns = -2;

	xvm_describe(&d, dialect, r->sender, MAX_MESSAGE, r->msg, r->len);
	CHECK(d.count <= XVM_MAX_FIELDS && d.len == r->len);
	check_text(&d);
	check_json(&d);
	if (!d.fault && xvm_trace_match(answers, r->sender, &d.hdr, r->msg, r->ns, &ns))
		CHECK(ns >= -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct xvm_trace_answers answers;
	struct xvm_trace_batch batch;
	struct xvm_trace_record r;
	size_t left;

	if (!size || xvm_trace_batch_init(&batch, data + 1, size - 1))
		return 0;
	memset(&answers, 0, sizeof(answers));
	for (left = batch.left; xvm_trace_batch_next(&batch, &r) > 0; left = batch.left) {
		CHECK(batch.left < left && r.msg + r.len <= data + size);
		take(&r, data[0] % XVM_DIALECT_COUNT, &answers);
	}
	return 0;
}
