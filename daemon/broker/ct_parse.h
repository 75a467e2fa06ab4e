/*
 * Conntrack messages as plain structs, and the search for the matches that fit a flow.
 *
 * Pure functions without I/O or state, so that tests can feed them anything. Used by ct
 * only.
 */
#ifndef IGDWARD_BROKER_CT_PARSE_H
#define IGDWARD_BROKER_CT_PARSE_H

#include "ct.h"

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What identifies and describes one IPv4 flow; numbers in host order. */
struct ct_flow {
	uint8_t protocol;
	bool dnat;
	uint32_t remote;	/* source of the first packet */
	uint16_t external_port; /* destination of the first packet */
	uint32_t client;	/* source of the answers */
	uint16_t internal_port;
	uint32_t id;		   /* as the kernel wrote it */
	const struct nlattr *orig; /* CTA_TUPLE_ORIG in the message */
	const struct nlattr *zone; /* CTA_ZONE, or NULL */
};

/* A match made ready for searching. */
struct ct_key {
	uint32_t ports; /* external, internal */
	uint32_t client;
	uint32_t remote; /* 0 = any */
	uint32_t index;	 /* in the caller's list */
	uint32_t hits;
	uint8_t protocol;
};

/* A conntrack entry. Returns 0, -ENOMSG when it is no IPv4 TCP or UDP flow, or -EBADMSG
 * when something that we need is missing or malformed. */
int ct_parse_flow(const struct nlmsghdr *nlh, struct ct_flow *ret);

/* Makes keys of the matches, sorted, in keys[n]; what cannot fit any IPv4 flow is left
 * out. Returns their number. */
size_t ct_keys_make(const struct ct_match *matches, size_t n, struct ct_key *keys);

/* Counts the flow at the keys that fit it: of several equal keys, at the first. Returns
 * whether there was one. */
bool ct_keys_hit(struct ct_key *keys, size_t n, const struct ct_flow *flow);

/* Are these two the same match? */
bool ct_key_same(const struct ct_key *a, const struct ct_key *b);

#endif
