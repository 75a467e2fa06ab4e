/*
 * getifaddrs() and freeifaddrs() are defined here under the names of libc's, and so stand
 * before libc's for our own program and for libupnp, be it static or shared.
 */
#include "ifaddrs.h"

#include "igdward/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>

enum {
	V4_BITS = 32,
};

/* State outside of any struct, as libc's getifaddrs() has no argument for one. */
static struct {
	struct ifaddrs entry;
	struct sockaddr_in addr, mask;
	char name[IGW_IFNAME_MAX + 1];
} told;

void ifaddrs_set(const struct igw_link *link)
{
	uint32_t mask = UINT32_MAX << (V4_BITS - link->prefix_len);

	igw_text_copy(told.name, sizeof(told.name), link->interface);
	told.addr.sin_family = AF_INET;
	told.addr.sin_addr.s_addr = htonl(igw_addr_to_v4(&link->addr));
	told.mask.sin_family = AF_INET;
	told.mask.sin_addr.s_addr = htonl(mask);
	told.entry.ifa_name = told.name;
	told.entry.ifa_flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST | IFF_MULTICAST;
	told.entry.ifa_addr = (struct sockaddr *)&told.addr;
	told.entry.ifa_netmask = (struct sockaddr *)&told.mask;
}

__attribute__((visibility("default"))) int getifaddrs(struct ifaddrs **ret)
{
	if (!told.entry.ifa_name) {
		errno = ENODEV;
		return -1;
	}
	*ret = &told.entry;
	return 0;
}

__attribute__((visibility("default"))) void freeifaddrs(struct ifaddrs *list)
{
	(void)list;
}
