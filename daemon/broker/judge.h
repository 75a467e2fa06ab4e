/*
 * From a request to a verdict: gathers what the policy needs to know of addresses, ports
 * and use, asks the policy, and adds what only the running router can say (conflicts,
 * ports in use, no WAN). The same code judges a client's request, a live mapping after a
 * change, and the CLI's "what if".
 */
#ifndef IGDWARD_BROKER_JUDGE_H
#define IGDWARD_BROKER_JUDGE_H

#include "broker.h"

/* A request as the broker understands it; all addresses IPv4. */
struct judge_request {
	const struct link *link; /* the link it came in on */
	struct igw_addr client;
	struct igw_addr internal_client;
	struct igw_addr remote_host;
	uint8_t protocol;
	uint8_t via;
	uint16_t external_port;
	uint16_t internal_port;
	uint32_t lease_s;
	bool over_rate;
	bool live; /* not a request but a mapping that exists */
};

struct judge_verdict {
	enum igw_reason reason;
	char rule[IGW_RULE_NAME_MAX + 1];
	uint32_t lease_s;
	struct igw_mac mac;	  /* the client's, none = not known */
	struct mapping *existing; /* the client's own mapping of the same key */
};

/* Judges a new or repeated request. Changes nothing. */
void judge_request(struct broker *broker, const struct judge_request *request,
	struct judge_verdict *ret);

/* Judges a live mapping by `policy`, with `left_s` of its lease left. */
void judge_mapping(struct broker *broker, const struct policy *policy,
	const struct mapping *mapping, uint32_t left_s, struct judge_verdict *ret);

/* Is this a host on that link, by route, and not the router itself? */
bool judge_is_neighbour(
	struct broker *broker, const struct link *link, const struct igw_addr *addr);

#endif
