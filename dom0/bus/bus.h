/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One bus of one guest, device side: takes messages from the drv ring, lets
 * each device answer in order, and sends what is owed to the driver. Owns the
 * devices and the areas. The worker's loop calls it; the few things that need
 * the supervisor or Xen go through bus_host.
 *
 * Trust: everything behind the rings and areas is the guest's. The host is
 * ours.
 */
#ifndef DOM0_BUS_BUS_H
#define DOM0_BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus;
struct xvm_aio;
struct xvm_keep;
struct xvm_ipc_dev_add;
struct xvm_ipc_map;
struct xvm_ipc_dev_stats;
struct xvm_ipc_stats;

struct fdset;
struct bus_host {
	/* Have an area mapped; bus_map_done brings the answer. One at a time. */
	void (*map)(void *arg, struct xvm_ipc_map *map);
	/* No mapping of the area is left here. */
	void (*unmapped)(void *arg, uint32_t area, uint32_t npages);
	/* enum xvm_dev_state */
	void (*dev_state)(void *arg, uint16_t num, int state, const char *reason);
	/* Wake the driver side up. */
	void (*notify)(void *arg);
	/* Another descriptor of a mapped area, for the server of a device; bus_share_done brings the answer. */
	void (*share)(void *arg, uint16_t num, uint32_t area);
};

/* What a connection is; the memory is the caller's and outlives the bus. */
struct bus_link {
	uint32_t dialect, max_message, credits, bus_features;
	uint32_t ring_bytes;
	uint8_t *control, *drv, *dev;
};

/* host and aio outlive the bus. NULL: out of memory. */
struct bus *bus_new(const struct bus_host *host, void *arg, struct xvm_aio *aio);
/* Where queues of devices added from now on are recorded; outlives the bus. */
void bus_keep_in(struct bus *bus, struct xvm_keep *keep);
/* Every device is gone (bus_idle). */
void bus_free(struct bus *bus);

/* Starts talking. Returns 0 or negative errno. */
int bus_connect(struct bus *bus, const struct bus_link *link);

/* fd is the bus's from now on. Failures are told by dev_state. */
void bus_add_device(struct bus *bus, const struct xvm_ipc_dev_add *desc, struct fdset *fds);
/*
 * Not forced: the driver is told, and may use the device until it lets go.
 * dev_state GONE follows in any case, when nothing of the device is in use.
 */
void bus_remove_device(struct bus *bus, uint16_t num, bool forced);

/* A new capacity, for devices that have one; the driver is told. */
void bus_resize_device(struct bus *bus, uint16_t num, uint64_t bytes);

/* The server of a device is there again, at these descriptors, which are the bus's from now on. */
void bus_device_server(struct bus *bus, uint16_t num, struct fdset *fds);

/* The server that was lost has ended. */
void bus_device_server_end(struct bus *bus, uint16_t num);

/* The cable of a device that has one. */
void bus_link_device(struct bus *bus, uint16_t num, bool up);

/* The supervisor's answer to host.map; fd is the bus's from now on, -1: none. */
void bus_map_done(struct bus *bus, uint32_t area, uint32_t status, uint32_t limit, int fd);

/* The supervisor's answer to host.share; fd is the bus's from now on, -1: none. */
void bus_share_done(struct bus *bus, uint16_t num, uint32_t area, int fd);

/* One bounded round of work. True: there is more, come again before sleeping. */
bool bus_pass(struct bus *bus);
/* Asks the driver side for notifications, then looks again. True: there is work. */
bool bus_arm(struct bus *bus);

/*
 * Once true, the connection is dropped: reason is XVM_ERR_*, the driver side
 * has been told, nothing is read from it any more.
 */
bool bus_failed(const struct bus *bus, uint32_t *reason, uint32_t *detail);

/*
 * Once true, the driver side stands still and the connection is to end as if
 * the worker had died: it can be taken up again when the driver side goes on.
 */
bool bus_stalled(const struct bus *bus);

/* Drops the connection in good order and removes every device; bus_idle says when it is done. */
void bus_stop(struct bus *bus);
bool bus_idle(const struct bus *bus);

/*
 * From now on each record taken from the drv ring, whatever is in it, and each
 * message put into the dev ring is copied to sock, which is the bus's; in place
 * of an earlier one. -1: no longer.
 */
void bus_trace(struct bus *bus, int sock);

/* One line per reason for which messages were discarded. */
void bus_log_bad(const struct bus *bus, uint32_t domid);
/*
 * The counters of the devices with numbers above after, in order; sets count, 0
 * when there are no more.
 */
void bus_dev_stats(const struct bus *bus, uint16_t after, struct xvm_ipc_dev_stats *stats);
/* Adds the bus's part. */
void bus_stats(const struct bus *bus, struct xvm_ipc_stats *stats);

#endif
