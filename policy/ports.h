/*
 * Sets of ports, and the lists that are built in. A set is sorted ranges that neither
 * overlap nor touch, so looking a port up takes a few steps and a set of a rule a few
 * bytes. Internal to the policy library.
 */
#ifndef IGDWARD_POLICY_PORTS_H
#define IGDWARD_POLICY_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct port_range {
	uint16_t first;
	uint16_t last;
};

struct port_set {
	struct port_range *ranges;
	size_t n;
};

/*
 * Reads "FIRST-LAST", decimal digits only, 1 to 65535, FIRST not above LAST. Returns 0 or
 * -EINVAL.
 */
int ports_parse_range(const char *text, struct port_range *ret);

/* Sorts the set's ranges and joins those that overlap or touch. */
void ports_normalise(struct port_set *set);

bool ports_hold(const struct port_set *set, uint16_t port);

/* True when every port of the range is in the set. */
bool ports_hold_range(const struct port_set *set, struct port_range range);

/* True when every port of `other` is in the set. */
bool ports_hold_set(const struct port_set *set, const struct port_set *other);

/* True when some port is in both. */
bool ports_meet(const struct port_set *set, const struct port_set *other);

/* 135, 137-139, 445: never mapped, on either side. */
extern const struct port_set ports_smb;

/* Control ports of ours whose numbers never change: SSDP, NAT-PMP and PCP. */
extern const struct port_set ports_control;

/* The built-in deny lists: a rule may lift them for single hosts, with a reason. */
extern const struct port_set ports_sensitive_internal;
extern const struct port_set ports_sensitive_external;

#endif
