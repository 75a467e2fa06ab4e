#include "ports.h"

#include "igdward/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* All tables are sorted, without overlap, and not touching: ports_hold() needs that. */

static struct port_range smb[] = {
	{ 135, 135 }, /* RPC endpoint mapper */
	{ 137, 139 }, /* NetBIOS name, datagram, session */
	{ 445, 445 }, /* SMB: EternalBlue, EternalRed */
};

static struct port_range control[] = {
	{ 1900, 1900 }, /* SSDP */
	{ 5350, 5351 }, /* NAT-PMP and PCP, announcements and requests */
};

static struct port_range sensitive_external[] = {
	{ 1, 1023 }, /* would hide or steal services of the router */
};

static struct port_range sensitive_internal[] = {
	{ 1, 1023 },	  /* system services (WANIPConnection:2 advises so) */
	{ 1080, 1080 },	  /* SOCKS */
	{ 1433, 1434 },	  /* SQL Server */
	{ 1521, 1521 },	  /* Oracle */
	{ 1883, 1883 },	  /* MQTT */
	{ 2049, 2049 },	  /* NFS */
	{ 2375, 2376 },	  /* Docker */
	{ 2869, 2869 },	  /* UPnP events of Windows */
	{ 3128, 3128 },	  /* Squid */
	{ 3260, 3260 },	  /* iSCSI */
	{ 3306, 3306 },	  /* MySQL */
	{ 3389, 3389 },	  /* RDP */
	{ 3702, 3702 },	  /* WS-Discovery */
	{ 5353, 5353 },	  /* mDNS */
	{ 5355, 5355 },	  /* LLMNR */
	{ 5357, 5358 },	  /* WSD */
	{ 5432, 5432 },	  /* PostgreSQL */
	{ 5445, 5445 },	  /* SMB Direct */
	{ 5555, 5555 },	  /* adb */
	{ 5800, 5801 },	  /* VNC over HTTP */
	{ 5900, 5903 },	  /* VNC */
	{ 5938, 5938 },	  /* TeamViewer */
	{ 5985, 5986 },	  /* WinRM */
	{ 6379, 6379 },	  /* Redis */
	{ 6443, 6443 },	  /* Kubernetes API */
	{ 7547, 7547 },	  /* TR-069 */
	{ 8291, 8291 },	  /* Winbox */
	{ 9100, 9100 },	  /* raw print */
	{ 9200, 9200 },	  /* Elasticsearch */
	{ 10250, 10250 }, /* kubelet */
	{ 11211, 11211 }, /* memcached */
	{ 27017, 27017 }, /* MongoDB */
	{ 32764, 32764 }, /* Sercomm backdoor */
	{ 37215, 37215 }, /* Huawei HG532 */
	{ 49152, 49152 }, /* UPnP hosts' first dynamic port */
	{ 52869, 52869 }, /* Realtek SDK */
};

#define SET(a)                                                                           \
	{                                                                                \
		.ranges = (a), .n = sizeof(a) / sizeof((a)[0])                           \
	}
const struct port_set ports_smb = SET(smb);
const struct port_set ports_control = SET(control);
const struct port_set ports_sensitive_external = SET(sensitive_external);
const struct port_set ports_sensitive_internal = SET(sensitive_internal);
#undef SET

int ports_parse_range(const char *text, struct port_range *ret)
{
	const char *dash = strchr(text, '-');
	size_t n = dash ? (size_t)(dash - text) : 0;
	char first[sizeof("65535")];
	struct port_range range;

	if (n == 0 || n >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, n);
	first[n] = '\0';
	if (igw_u16_parse(first, 1, UINT16_MAX, &range.first) < 0 ||
		igw_u16_parse(dash + 1, range.first, UINT16_MAX, &range.last) < 0)
		return -EINVAL;
	*ret = range;
	return 0;
}

static int compare_first(const void *a, const void *b)
{
	const struct port_range *left = a, *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

void ports_normalise(struct port_set *set)
{
	struct port_range *ranges = set->ranges;
	size_t kept = 0;

	if (set->n == 0)
		return;
	qsort(ranges, set->n, sizeof(ranges[0]), compare_first);
	for (size_t i = 1; i < set->n; i++) {
		if (ranges[i].first > (uint32_t)ranges[kept].last + 1)
			ranges[++kept] = ranges[i];
		else if (ranges[i].last > ranges[kept].last)
			ranges[kept].last = ranges[i].last;
	}
	set->n = kept + 1;
}

/* The index of the first range that does not end before `port`; n when there is none. */
static size_t seek(const struct port_set *set, uint16_t port)
{
	size_t low = 0, high = set->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->ranges[middle].last < port)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool ports_hold_range(const struct port_set *set, struct port_range range)
{
	size_t i = seek(set, range.first);

	return i < set->n && set->ranges[i].first <= range.first &&
	       set->ranges[i].last >= range.last;
}

bool ports_hold(const struct port_set *set, uint16_t port)
{
	return ports_hold_range(set, (struct port_range){ port, port });
}

bool ports_hold_set(const struct port_set *set, const struct port_set *other)
{
	for (size_t i = 0; i < other->n; i++) {
		if (!ports_hold_range(set, other->ranges[i]))
			return false;
	}
	return true;
}

bool ports_meet(const struct port_set *set, const struct port_set *other)
{
	for (size_t i = 0; i < other->n; i++) {
		size_t at = seek(set, other->ranges[i].first);

		if (at < set->n && set->ranges[at].first <= other->ranges[i].last)
			return true;
	}
	return false;
}
