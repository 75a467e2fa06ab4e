/*
 * The broker's end of the workers' channels: one worker per LAN link, started and ended
 * by the parent. A worker that breaks the protocol loses its channel and is replaced;
 * nothing else changes by it.
 */
#ifndef IGDWARD_BROKER_WORKERS_H
#define IGDWARD_BROKER_WORKERS_H

#include "broker.h"

/* Takes over the channel of a fresh worker for a link; closes a former one. `generation`
 * is the parent's number for it. */
void workers_attach(
	struct broker *broker, struct link *link, int fd, uint32_t generation);

/* Tells a worker what to serve, once its link has an address. */
void workers_tell(struct link *link);

/* Gives the channel up and asks the parent for a fresh worker. */
void workers_replace(struct link *link, const char *why);

/* Tells all serving workers of the external address and the number of mappings. */
void workers_changed(struct broker *broker);

#endif
