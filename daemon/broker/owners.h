/*
 * A mapping belongs to a host, not to an address: when another network card answers for
 * the owner's address, its mappings end, so that a host that is given the address later
 * does not inherit open ports.
 */
#ifndef IGDWARD_BROKER_OWNERS_H
#define IGDWARD_BROKER_OWNERS_H

#include "broker.h"

/* Ends the mappings of that address if its MAC address is known now and another than when
 * they were made. An address that does not answer at present keeps them. */
void owners_check(struct broker *broker, const struct link *link,
	const struct igw_addr *addr, int64_t now_ms);

/* The same for every owner, when owners_due_ms() has come. */
void owners_check_all(struct broker *broker, int64_t now_ms);

/* When all owners are to be looked at next; INT64_MAX when there are none. */
int64_t owners_due_ms(const struct broker *broker);

#endif
