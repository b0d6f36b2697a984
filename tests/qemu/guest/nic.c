// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a network device's driver says of it, for guests of the lab, which have no ethtool:
 *   xvm-nic IFACE       a line "on FEATURE" for each that is, then a line "COUNTER VALUE" each
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <net/if.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>

static int sock;
static struct ifreq ifr;

static int ask(void *data)
{
	ifr.ifr_data = data;
	return ioctl(sock, SIOCETHTOOL, &ifr);
}

/* The names of a set, of ETH_GSTRING_LEN each; NULL: there are none. */
static char *names(unsigned int set, unsigned int *count)
{
	struct { struct ethtool_sset_info info; unsigned int n; } size = { { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << set }, 0 };
	struct ethtool_gstrings *strings;

	*count = 0;
	if (ask(&size) || !size.info.sset_mask)
		return NULL;
	strings = calloc(1, sizeof(*strings) + (size_t)size.n * ETH_GSTRING_LEN);
	if (!strings)
		return NULL;
	strings->cmd = ETHTOOL_GSTRINGS;
	strings->string_set = set;
	strings->len = size.n;
	if (ask(strings))
		return NULL;
	*count = strings->len;
	return (char *)strings->data;
}

static int features(void)
{
	unsigned int n, i;
	char *name = names(ETH_SS_FEATURES, &n);
	struct ethtool_gfeatures *all = calloc(1, sizeof(*all) + (n + 31) / 32 * sizeof(all->features[0]));

	if (!name || !all)
		return 1;
	all->cmd = ETHTOOL_GFEATURES;
	all->size = (n + 31) / 32;
	if (ask(all))
		return 1;
	for (i = 0; i < n; i++)
		if (all->features[i / 32].active & 1u << i % 32)
			printf("on %.32s\n", name + i * ETH_GSTRING_LEN);
	return 0;
}

static int counters(void)
{
	unsigned int n, i;
	char *name = names(ETH_SS_STATS, &n);
	struct ethtool_stats *all = calloc(1, sizeof(*all) + n * sizeof(all->data[0]));

	if (!name || !all)
		return 1;
	all->cmd = ETHTOOL_GSTATS;
	all->n_stats = n;
	if (ask(all))
		return 1;
	for (i = 0; i < n; i++)
		printf("%.32s %llu\n", name + i * ETH_GSTRING_LEN, (unsigned long long)all->data[i]);
	return 0;
}

int main(int argc, char **argv)
{
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	if (argc != 2 || sock < 0)
		return 2;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", argv[1]);
	return features() | counters();
}
