/*
 * Reading the arguments of an action out of its element, strictly: each argument exactly
 * once and as plain text, each value in its one form. Anything that two readers could
 * read in two ways is refused. Pure functions, fuzzed.
 */
#ifndef IGDWARD_UPNP_ARGUMENTS_H
#define IGDWARD_UPNP_ARGUMENTS_H

#include "igdward/addr.h"
#include "igdward/types.h"
#include "tree.h"

#include <stdbool.h>
#include <stdint.h>
#include <upnp/ixml.h>

/*
 * Finds every argument of the list `wanted` among the children of the action's element,
 * in any order, under any namespace prefix. ret[i] becomes the text of wanted[i] ("" when
 * the element is empty); it belongs to the document. Other elements are ignored (UDA 1.0
 * §3.2: unknown elements). Returns NULL, or the argument that is missing, is there twice,
 * or holds anything but text.
 */
const struct igd_argument *arguments_read(IXML_Node *action,
	const struct igd_argument *wanted, const char *ret[IGD_ARGUMENTS_MAX]);

/* "TCP" or "UDP", upper case (WANIPConnection:1 §2.2.16). Returns 0 or -EINVAL. */
int argument_protocol(const char *text, uint8_t *ret);

/* 0, 1, false, true, no, yes (UDA 1.0 §2.3); in any case, as "True" is common. Returns 0
 * or -EINVAL. */
int argument_boolean(const char *text, bool *ret);

/*
 * "" = any (none is stored), or the IPv4 address of a single host. Returns 0; -EINVAL for
 * what is no address; -EDOM for an address that no single host has (0.0.0.0, broadcast,
 * multicast, loopback). Nothing is ever widened to "any".
 */
int argument_remote_host(const char *text, struct igw_addr *ret);

#endif
