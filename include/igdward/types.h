/*
 * The words that every part of igdward shares: protocols, ways in, sizes of names.
 */
#ifndef IGDWARD_TYPES_H
#define IGDWARD_TYPES_H

#include <stdint.h>

enum {
	IGW_IFNAME_MAX = 15,	  /* bytes of an interface name (IFNAMSIZ - 1) */
	IGW_RULE_NAME_MAX = 31,	  /* bytes of a policy rule's name */
	IGW_LINKS_MAX = 8,	  /* LAN interfaces served by one daemon */
	IGW_UUID_TEXT = 37,	  /* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" and its NUL */
	IGW_NAME_MAX = 63,	  /* bytes of the friendly name (UDA 1.0 §2.1: < 64) */
	IGW_USER_MAX = 32,	  /* bytes of a system user's name */
	IGW_LEASE_MAX_S = 604800, /* WANIPConnection:2 §2.3.15; the most we ever grant */
};

/* IANA protocol numbers; nothing else is ever mapped. */
enum igw_protocol {
	IGW_TCP = 6,
	IGW_UDP = 17,
};

/* The protocol a request came by. */
enum igw_via {
	IGW_VIA_UPNP = 0,
	IGW_VIA_NATPMP = 1,
	IGW_VIA_PCP = 2,
};

/* "tcp" or "udp"; "?" for any other number. */
const char *igw_protocol_word(unsigned protocol);

/* "upnp", "natpmp" or "pcp"; "?" for any other number. */
const char *igw_via_word(unsigned via);

#endif
