/*
 * The control socket: what the CLI may ask. Reading is for whoever may open the socket
 * (the group); changing is for root, by SO_PEERCRED. Answers are sent as fast as the
 * client reads them; a client that does not read is dropped and costs nobody else
 * anything.
 */
#ifndef IGDWARD_BROKER_CONTROL_H
#define IGDWARD_BROKER_CONTROL_H

#include "broker.h"

/* Listens on `fd`, which it takes over. Returns 0 or -errno. */
int control_start(struct broker *broker, int fd);

/* Tells the clients that wait for a reload how it ended: those whose wish, by its number,
 * came before the file was read. */
void control_reloaded(struct broker *broker, uint32_t wanted_seq,
	const struct igw_policy_result *result);

void control_stop(struct broker *broker);

#endif
