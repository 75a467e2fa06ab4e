/*
 * Conntrack: the flows that pass through mappings. Ending a mapping must end its flows,
 * because an established flow no longer looks at the maps.
 * Through ctnetlink and libmnl. Used by the broker only.
 */
#ifndef IGDWARD_BROKER_CT_H
#define IGDWARD_BROKER_CT_H

#include "igdward/addr.h"

#include <stddef.h>
#include <stdint.h>

enum {
	CT_MATCHES_MAX = 65536, /* in one call: the most mappings a policy can allow */
};

struct ct;

/* Which flows: destination-NATed ones whose original destination port is `external_port`
 * and whose answers come from the internal end; of one remote host only, unless none. */
struct ct_match {
	uint8_t protocol;
	uint16_t external_port; /* host order */
	uint16_t internal_port;
	struct igw_addr internal_client;
	struct igw_addr remote_host;
};

/* Opens the socket. Returns 0 or -errno (-EPROTONOSUPPORT: no ctnetlink in the kernel).
 */
int ct_open(struct ct **ret);
void ct_close(struct ct *ct);

/*
 * Deletes the conntrack entries of all flows that fit one of the `n` matches, IPv4. Flows
 * of other mappings stay, also those that lead to the same internal end by another
 * external port. An entry that is gone meanwhile is no error. One pass over the kernel's
 * table whatever `n` is; for n = 1 the kernel does the filtering where it can. Returns
 * the number of entries deleted, or -errno: then those that could be deleted are. -EBUSY:
 * flows that a flow table (offload) has taken over, which kernels before 6.4 do not let
 * go. -E2BIG: more than CT_MATCHES_MAX.
 */
int ct_cut(struct ct *ct, const struct ct_match *matches, size_t n);

/*
 * Counts the flows of each match into counts[i], in one pass. Returns 0 or -errno.
 */
int ct_count(struct ct *ct, const struct ct_match *matches, size_t n, uint32_t *counts);

#endif
