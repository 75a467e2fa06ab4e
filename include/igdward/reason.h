/*
 * Every way a request can end, in one table: the word for logs and the CLI, the code each
 * protocol answers with, and a sentence for people.
 *
 * Policy refusals answer UPnP 606: a client that is told 718 tries one port after the
 * other. Only a real conflict answers 718. (WANIPConnection:1 §2.4, WANIPConnection:2
 * §2.5; RFC 6886 §3.5; RFC 6887 §7.4.)
 */
#ifndef IGDWARD_REASON_H
#define IGDWARD_REASON_H

#include <stdint.h>

/* X(constant, word, UPnP code, NAT-PMP code, PCP code, sentence) */
#define IGW_REASONS(X)                                                                   \
	X(IGW_OK, "ok", 0, 0, 0, "allowed")                                              \
	X(IGW_SMB_PORT, "smb-port", 606, 2, 2,                                           \
		"ports 135, 137-139 and 445 are never mapped, on either side")           \
	X(IGW_CONTROL_PORT, "control-port", 606, 2, 2,                                   \
		"the router's own control ports are never mapped, on either side")       \
	X(IGW_SPECIAL_ADDRESS, "special-address", 606, 2, 2,                             \
		"the internal client is not the address of a single host")               \
	X(IGW_ROUTER_TARGET, "router-target", 606, 2, 2,                                 \
		"the internal client is an address of the router itself")                \
	X(IGW_OFF_LAN, "off-lan", 606, 2, 2,                                             \
		"the internal client is not a neighbour on the requester's LAN link")    \
	X(IGW_NOT_REQUESTER, "not-requester", 606, 2, 2,                                 \
		"the internal client is another host and no rule allows third parties")  \
	X(IGW_SENSITIVE_PORT, "sensitive-port", 606, 2, 2,                               \
		"the port is on the built-in deny list; a rule for this one host with "  \
		"a reason can lift that")                                                \
	X(IGW_RULE, "rule", 606, 2, 2, "a rule of the policy denies it")                 \
	X(IGW_NO_RULE, "no-rule", 606, 2, 2, "no rule of the policy allows it")          \
	X(IGW_RATE, "rate", 606, 4, 8, "the client asks too often; try again later")     \
	X(IGW_QUOTA_CLIENT, "quota-client", 728, 4, 10,                                  \
		"the client holds as many mappings as the policy allows one client")     \
	X(IGW_QUOTA_TOTAL, "quota-total", 728, 4, 8,                                     \
		"all mappings that the policy allows are in use or kept for others")     \
	X(IGW_NOT_OWNER, "not-owner", 606, 2, 2, "the mapping belongs to another host")  \
	X(IGW_CONFLICT, "conflict", 718, 2, 11,                                          \
		"another client holds that external port")                               \
	X(IGW_PORT_IN_USE, "port-in-use", 718, 2, 11,                                    \
		"the router uses that external port itself")                             \
	X(IGW_NO_ENTRY, "no-entry", 714, 0, 0, "there is no such mapping")               \
	X(IGW_BAD_INDEX, "bad-index", 713, 0, 0, "there is no mapping of that index")    \
	X(IGW_BAD_ARGUMENT, "bad-argument", 402, 2, 3,                                   \
		"an argument is missing or not of the right form")                       \
	X(IGW_WAN_DOWN, "wan-down", 501, 3, 7, "the WAN link has no address")            \
	X(IGW_KERNEL, "kernel", 501, 4, 8, "the kernel did not take the change")         \
	X(IGW_NOT_SERVED, "not-served", 606, 2, 2,                                       \
		"the requester is not a host of a LAN link that igdward serves")

enum igw_reason {
#define X(id, word, upnp, natpmp, pcp, sentence) id,
	IGW_REASONS(X)
#undef X
		IGW_REASON_COUNT
};

/* The word of a reason: lower case and dashes, stable across versions. Never NULL. */
const char *igw_reason_word(enum igw_reason reason);

/* One sentence for people, without a full stop. Never NULL. */
const char *igw_reason_sentence(enum igw_reason reason);

/* The UPnP error code of a refusal; 0 for IGW_OK. */
uint16_t igw_reason_upnp(enum igw_reason reason);

/* The result codes of RFC 6886 §3.5 and RFC 6887 §7.4; 0 for IGW_OK. */
uint8_t igw_reason_natpmp(enum igw_reason reason);
uint8_t igw_reason_pcp(enum igw_reason reason);

#endif
