/*
 * The gate, first part: what is set on the library's sockets, which it opens without any
 * of it. Nothing here needs a privilege (SO_BINDTODEVICE: Linux 5.7).
 *
 * A worker answers on its own link only: not on the WAN address, not for another worker's
 * LAN, not to sources off the link; and only searches of a sound form, from the LAN,
 * reach the library at all. Its loopback socket takes no orders from other local users.
 *
 * The library's sockets are found by looking at all descriptors of the process, after
 * UpnpInit2. What wakes the library by its stop socket must come before
 * sockets_seal_stop.
 */
#ifndef IGDWARD_UPNP_GATE_SOCKETS_H
#define IGDWARD_UPNP_GATE_SOCKETS_H

#include "igdward/addr.h"
#include "igdward/msg.h"

#include <linux/filter.h>

enum {
	SOCKETS_SSDP_PORT = 1900,
	SOCKETS_FILTER_MAX = 16, /* instructions of the search filter */
};

/*
 * Confines the sockets on UDP port 1900 to the link: device, own multicast groups only,
 * and a packet filter that lets nothing through but searches from the link's network.
 * IPv6 ones, which a system's libupnp may open, hear nothing. Returns 0; -ENOENT when
 * there is no such socket; or another -errno.
 */
int sockets_guard_search(const struct igw_link *link, const struct igw_prefix *lan);

/* Confines the TCP listeners to the link's device; IPv6 ones hear nothing. Returns as
 * above. */
int sockets_guard_listeners(const struct igw_link *link);

/* Lets nothing more through to the loopback socket by which the library can be stopped.
 * We never stop it (serve.h), anybody else could. Returns as above. */
int sockets_seal_stop(void);

/* The filter of sockets_guard_search(), which is public for its tests. Returns the number
 * of instructions. */
unsigned short sockets_search_filter(
	const struct igw_prefix *lan, struct sock_filter ret[SOCKETS_FILTER_MAX]);

#endif
