// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include "worker.h"

static void add_text(struct json_object *json, const char *key, const char *text)
{
	json_object_object_add(json, key, json_object_new_string(text));
}

static void add_number(struct json_object *json, const char *key, u64 number)
{
	json_object_object_add(json, key, json_object_new_uint64(number));
}

static void add_flag(struct json_object *json, const char *key, bool flag)
{
	json_object_object_add(json, key, json_object_new_boolean(flag));
}

static const char *disk_state(const struct xvm_disk *disk)
{
	switch (disk->phase) {
	case XVM_DISK_NEW:
	case XVM_DISK_OPENING:
		return "opening";
	case XVM_DISK_LEAVING:
	case XVM_DISK_LEFT:
		return "leaving";
	case XVM_DISK_CLOSED:
		return disk->own ? "failed" : "closed";
	default:
		break;
	}
	if (disk->broken)
		return "broken";
	if (disk->lock_busy)
		return "image-locked";
	return disk->driver_ok ? "driver-ok" : "ready";
}

static void add_net(struct json_object *json, const struct xvm_disk *disk)
{
	const struct xvm_spec_net *net = &disk->image.spec.net;
	const u8 *m = disk->image.net.mac;
	char mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
	add_text(json, "mac", mac);
	add_text(json, "bridge", net->bridge);
	add_text(json, "tap", disk->request.net.tap);
	add_text(json, "link", net->link_down ? "down" : "up");
	add_number(json, "queue_pairs", disk->image.spec.queues);
	add_number(json, "mtu", net->mtu ? net->mtu : disk->image.net.mtu);
}

/* "pty" is port 0's; the named ones have a list. */
static void add_console(struct json_object *json, const struct xvm_disk *disk)
{
	const struct xvm_spec_console *console = &disk->image.spec.console;
	struct json_object *ports = json_object_new_array(), *port;
	char window[16];
	u32 i;

	snprintf(window, sizeof(window), "%ux%u", disk->cols, disk->rows);
	add_text(json, "window", window);

	if (disk->ptys.count)
		add_text(json, "pty", disk->ptys.pty[0].path);
	if (console->log[0])
		add_text(json, "log", console->log);
	for (i = 1; i < disk->ptys.count; i++) {
		port = json_object_new_object();
		add_text(port, "name", console->port[i - 1]);
		add_text(port, "pty", disk->ptys.pty[i].path);
		json_object_array_add(ports, port);
	}
	json_object_object_add(json, "ports", ports);
}

/* How many requests took less than so many microseconds, and not less than the number before. */
static void add_latency(struct json_object *json, const u32 latency[XVM_LATENCY_STEPS])
{
	struct json_object *counts = json_object_new_object();
	char below[24];
	u32 i;

	for (i = 0; i < XVM_LATENCY_STEPS; i++) {
		if (!latency[i])
			continue;
		snprintf(below, sizeof(below), "%" PRIu64, xvm_latency_below_us(i));
		add_number(counts, below, latency[i]);
	}
	json_object_object_add(json, "latency_below_us", counts);
}

struct json_object *xvm_report_device(const struct xvm_disk *disk)
{
	struct json_object *json = json_object_new_object();
	char text[XVM_SPEC_MAX_BYTES];
	struct xvm_spec spec;

	add_number(json, "device", disk->num);
	add_text(json, "name", disk->vdev);
	add_text(json, "vdev", disk->vdev);
	add_text(json, "type", xvm_kind_name(disk->image.spec.kind));
	add_text(json, "target", disk->request.target);
	add_text(json, "state", disk_state(disk));
	add_number(json, "size_bytes", disk->image.bytes);
	add_flag(json, "read_only", disk->request.read_only);
	add_flag(json, "direct_io", disk->image.direct);
	add_flag(json, "discard", disk->discard);
	if (disk->image.spec.kind == XVM_KIND_NET)
		add_net(json, disk);
	add_text(json, "from", !disk->own ? "xl" : disk->persist ? "record" : "attach");
	if (disk->own) {
		xvm_own_spec(disk, &spec);
		xvm_spec_print(&spec, text);
		add_text(json, "spec", text);
	}
	if (disk->image.spec.kind == XVM_KIND_CONSOLE)
		add_console(json, disk);
	if (disk->image.spec.kind == XVM_KIND_VSOCK)
		add_number(json, "cid", disk->image.spec.cid);
	if (disk->image.spec.kind == XVM_KIND_SCSI)
		add_text(json, "wwpn", disk->image.spec.wwpn);
	/* Names of their own: who adds up a guest's counters takes those of its worker. */
	add_number(json, "io_requests", disk->stats.requests);
	add_number(json, "io_bytes_read", disk->stats.bytes_read);
	add_number(json, "io_bytes_written", disk->stats.bytes_written);
	if (disk->image.spec.kind == XVM_KIND_VFIO_USER)
		add_number(json, "io_bytes_by_message", disk->stats.bytes_by_message);
	add_number(json, "in_flight", disk->stats.in_flight);
	add_number(json, "notifications_in", disk->stats.kicks);
	add_number(json, "notifications_out", disk->stats.calls);
	add_number(json, "latency_ns", disk->stats.latency_ns);
	add_latency(json, disk->stats.latency);
	if (disk->why[0])
		add_text(json, "error", disk->why);
	return json;
}

static struct json_object *report_guest(const struct xvm_guest *guest)
{
	static const char *const link_state[] = {
		[XVM_LINK_NONE] = "none",
		[XVM_LINK_OFFERED] = "waiting",
		[XVM_LINK_STARTING] = "starting",
		[XVM_LINK_UP] = "connected",
		[XVM_LINK_STOPPING] = "stopping",
		[XVM_LINK_CLOSED] = "closed",
	};
	struct json_object *json = json_object_new_object(), *disks = json_object_new_array();
	const struct xvm_disk *disk;

	add_number(json, "domid", guest->domid);
	add_text(json, "name", guest->name);
	add_text(json, "uuid", guest->uuid);
	add_text(json, "bus", link_state[guest->link.phase]);
	for (disk = guest->disks; disk; disk = disk->next)
		json_object_array_add(disks, xvm_report_device(disk));
	json_object_object_add(json, "devices", disks);
	return json;
}

struct json_object *xvm_report_list(struct xvm_daemon *daemon, const struct xvm_guest *only)
{
	struct json_object *json = json_object_new_array();
	const struct xvm_guest *guest;

	for (guest = daemon->guests; guest; guest = guest->next)
		if (!only || only == guest)
			json_object_array_add(json, report_guest(guest));
	return json;
}

static struct json_object *report_worker(const struct xvm_worker *worker)
{
	static const struct {
		const char *name;
		size_t at;
	} counters[] = {
#define COUNTER(name) { #name, offsetof(struct xvm_ipc_stats, name) }
		COUNTER(requests), COUNTER(bytes_read), COUNTER(bytes_written), COUNTER(messages_in),
		COUNTER(messages_out), COUNTER(messages_bad), COUNTER(events_sent), COUNTER(events_taken),
		COUNTER(areas), COUNTER(area_pages), COUNTER(maps), COUNTER(unmaps), COUNTER(io_submits),
		COUNTER(wakeups), COUNTER(bounced), COUNTER(devices), COUNTER(traced), COUNTER(trace_lost),
#undef COUNTER
	};
	struct json_object *json = json_object_new_object();
	u32 i;

	add_number(json, "pid", (u64)worker->pid);
	add_number(json, "age_ms", worker->stats_ms ? xvm_now_ms() - worker->stats_ms : 0);
	for (i = 0; i < XVM_ARRAY_SIZE(counters); i++) {
		u64 value;

		memcpy(&value, (const char *)&worker->stats + counters[i].at, sizeof(value));
		add_number(json, counters[i].name, value);
	}
	return json;
}

struct json_object *xvm_report_stat(struct xvm_guest *guest)
{
	struct json_object *json = report_guest(guest);

	add_number(json, "connects", guest->connects);
	add_number(json, "worker_deaths", guest->worker_deaths);
	add_number(json, "pages_held", guest->pages_held);
	add_number(json, "grants_mapped", guest->grants_mapped);
	add_number(json, "grants_unmapped", guest->grants_unmapped);
	if (guest->worker)
		json_object_object_add(json, "worker", report_worker(guest->worker));
	return json;
}
