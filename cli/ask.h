/*
 * One question to the broker, with every way it can fail told to the user and turned into
 * an exit code.
 */
#ifndef IGDWARD_CLI_ASK_H
#define IGDWARD_CLI_ASK_H

#include "cli.h"
#include "ctl.h"

/*
 * Connects, asks and takes the answer (see ctl_ask()). Returns IGW_EXIT_OK with *ret
 * filled when the broker did what it was asked to; any other code after printing why not.
 */
enum igw_exit ask_broker(struct cli *cli, uint32_t id, const void *payload,
	ctl_take_fn take, void *arg, struct igw_ctl_done *ret);

/* Prints that the broker broke the protocol. Returns IGW_EXIT_FAILED. */
enum igw_exit ask_nonsense(struct cli *cli);

#endif
