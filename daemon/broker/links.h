/*
 * The WAN link and the LAN links: which interfaces they are, what addresses they have,
 * and what follows when that changes.
 */
#ifndef IGDWARD_BROKER_LINKS_H
#define IGDWARD_BROKER_LINKS_H

#include "broker.h"

/*
 * Chooses the interfaces from the config, or where it is silent from the network, and
 * logs which and why. Returns 0, or -EINVAL after one clear sentence in the log.
 */
int links_choose(struct broker *broker);

/* What the kernel's sets should hold now. */
void links_fill(const struct broker *broker, struct fw_links *ret);

/*
 * Takes in a change of the network: WAN address, LAN addresses. Workers whose link
 * changed are replaced, mappings that no longer fit end.
 */
void links_update(struct broker *broker, int64_t now_ms);

/* True while mappings of a changed link could not be judged anew, and the next try. */
bool links_behind(const struct broker *broker);
void links_retry(struct broker *broker, int64_t now_ms);

#endif
