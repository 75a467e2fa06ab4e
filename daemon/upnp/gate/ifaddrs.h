/*
 * The gate: getifaddrs() as the library sees it. It asks which addresses an interface has
 * and takes the last of several; the broker has decided for one. So the library is told
 * of that one only, which also spares the worker a netlink socket.
 */
#ifndef IGDWARD_UPNP_GATE_IFADDRS_H
#define IGDWARD_UPNP_GATE_IFADDRS_H

#include "igdward/msg.h"

/* From now on getifaddrs() tells of this link's interface and address and of nothing
 * else; until then it fails with ENODEV. Not for more than one thread. */
void ifaddrs_set(const struct igw_link *link);

#endif
