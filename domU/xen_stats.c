// SPDX-License-Identifier: GPL-2.0-only
/* Counters of a bus, a key and a value per line: debugfs, xen-virtio-msg/<xenbus device>/stats. */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "front.h"

static struct dentry *root;

static int stats_show(struct seq_file *s, void *unused)
{
	struct xvm_bus *bus = s->private;

#define SHOW(name) seq_printf(s, #name " %lld\n", (s64)atomic64_read(&bus->stats.name));
	XVM_STATS(SHOW)
#undef SHOW
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

void xvm_stats_add(struct xvm_bus *bus)
{
	bus->debugfs = debugfs_create_dir(dev_name(&bus->xdev->dev), root);
	debugfs_create_file("stats", 0444, bus->debugfs, bus, &stats_fops);
}

void xvm_stats_del(struct xvm_bus *bus)
{
	debugfs_remove_recursive(bus->debugfs);
}

void xvm_stats_init(void)
{
	root = debugfs_create_dir("xen-virtio-msg", NULL);
}

void xvm_stats_exit(void)
{
	debugfs_remove_recursive(root);
}
