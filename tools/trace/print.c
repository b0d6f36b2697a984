// SPDX-License-Identifier: MIT
/* Fields as text and as JSON. Everything printed is a number, hexadecimal, or a word of ours. */
#include "describe.h"

/* Of a malformed message: enough to see what it is. */
#define RAW_BYTES 32u

static const struct { u32 bit; const char *name; } status_bits[] = {
	{ 0x01, "ACKNOWLEDGE" }, { 0x02, "DRIVER" }, { 0x08, "FEATURES_OK" }, { 0x04, "DRIVER_OK" },
	{ 0x40, "DEVICE_NEEDS_RESET" }, { 0x80, "FAILED" },
};

static void put_bytes(FILE *f, const u8 *data, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		fprintf(f, "%02x", data[i]);
}

static bool bit_of(const struct xvm_field *field, u32 i)
{
	return field->data[i / 8] & 1 << i % 8;
}

/* ---- text ---- */

static void status_text(FILE *f, u64 status)
{
	const char *between = " (";
	u32 i;

	fprintf(f, "0x%02llx", (unsigned long long)status);
	for (i = 0; i < XVM_ARRAY_SIZE(status_bits); i++) {
		if (!(status & status_bits[i].bit))
			continue;
		fprintf(f, "%s%s", between, status_bits[i].name);
		between = " ";
	}
	if (*between == ' ' && !between[1])
		fputc(')', f);
}

static void list_text(FILE *f, const struct xvm_field *field)
{
	const char *between = "";
	u32 i;

	for (i = 0; i < field->count; i++) {
		if (field->kind == XVM_FIELD_WORDS)
			fprintf(f, "%s%08x", between, xvm_get32(field->data + 4 * i));
		else if (bit_of(field, i))
			fprintf(f, "%s%llu", between, (unsigned long long)field->number + i);
		else
			continue;
		between = ",";
	}
	if (!*between)
		fputs("none", f);
}

static void field_text(FILE *f, const struct xvm_field *field)
{
	fprintf(f, " %s=", field->name);
	switch (field->kind) {
	case XVM_FIELD_NUMBER:
		fprintf(f, "%llu", (unsigned long long)field->number);
		break;
	case XVM_FIELD_HEX:
		fprintf(f, "0x%llx", (unsigned long long)field->number);
		break;
	case XVM_FIELD_STATUS:
		status_text(f, field->number);
		break;
	case XVM_FIELD_WORD:
		fputs(field->word, f);
		break;
	case XVM_FIELD_BYTES:
		put_bytes(f, field->data, field->count);
		break;
	case XVM_FIELD_WORDS:
	case XVM_FIELD_BITMAP:
		list_text(f, field);
		break;
	}
}

void xvm_describe_text(FILE *f, const struct xvm_described *d)
{
	u32 i;

	if (d->hdr.type & VIRTIO_MSG_TYPE_BUS)
		fputs("bus  ", f);
	else
		fprintf(f, "dev %u", d->hdr.dev_num);
	if (d->name)
		fprintf(f, " %s", d->name);
	else
		fprintf(f, " id 0x%02x", d->hdr.id);
	if (d->hdr.type & VIRTIO_MSG_TYPE_RESPONSE)
		fputs(" answer", f);
	for (i = 0; i < d->count; i++)
		field_text(f, &d->field[i]);
	if (!d->fault)
		return;
	fprintf(f, " malformed (%s), %u bytes: ", xvm_frame_fault_name(d->fault), d->len);
	put_bytes(f, d->msg, d->len < RAW_BYTES ? d->len : RAW_BYTES);
}

/* ---- JSON ---- */

static void list_json(FILE *f, const struct xvm_field *field)
{
	const char *between = "";
	u32 i;

	fputc('[', f);
	for (i = 0; i < field->count; i++) {
		if (field->kind == XVM_FIELD_WORDS)
			fprintf(f, "%s%u", between, xvm_get32(field->data + 4 * i));
		else if (bit_of(field, i))
			fprintf(f, "%s%llu", between, (unsigned long long)field->number + i);
		else
			continue;
		between = ", ";
	}
	fputc(']', f);
}

static void field_json(FILE *f, const struct xvm_field *field)
{
	fprintf(f, "\"%s\": ", field->name);
	switch (field->kind) {
	case XVM_FIELD_NUMBER:
	case XVM_FIELD_HEX:
	case XVM_FIELD_STATUS:
		fprintf(f, "%llu", (unsigned long long)field->number);
		break;
	case XVM_FIELD_WORD:
		fprintf(f, "\"%s\"", field->word);
		break;
	case XVM_FIELD_BYTES:
		fputc('"', f);
		put_bytes(f, field->data, field->count);
		fputc('"', f);
		break;
	case XVM_FIELD_WORDS:
	case XVM_FIELD_BITMAP:
		list_json(f, field);
		break;
	}
}

void xvm_describe_json(FILE *f, const struct xvm_described *d)
{
	bool answer = d->hdr.type & VIRTIO_MSG_TYPE_RESPONSE;
	u32 i;

	fprintf(f, "\"from\": \"%s\", \"bus\": %s, \"dev_num\": %u, \"id\": %u, \"message\": ",
		d->sender == XVM_SIDE_DRIVER ? "driver" : "device",
		d->hdr.type & VIRTIO_MSG_TYPE_BUS ? "true" : "false", d->hdr.dev_num, d->hdr.id);
	if (d->name)
		fprintf(f, "\"%s\"", d->name);
	else
		fputs("null", f);
	fprintf(f, ", \"answer\": %s, \"token\": %u, \"fields\": {", answer ? "true" : "false", d->hdr.token);
	for (i = 0; i < d->count; i++) {
		if (i)
			fputs(", ", f);
		field_json(f, &d->field[i]);
	}
	fputc('}', f);
	if (!d->fault)
		return;
	fprintf(f, ", \"malformed\": \"%s\", \"bytes\": \"", xvm_frame_fault_name(d->fault));
	put_bytes(f, d->msg, d->len);
	fputc('"', f);
}
