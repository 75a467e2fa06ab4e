/*
 * Exit codes of igdwardd and igdward, stable and documented in their man pages.
 */
#ifndef IGDWARD_EXIT_H
#define IGDWARD_EXIT_H

enum igw_exit {
	IGW_EXIT_OK = 0,
	IGW_EXIT_FAILED = 1, /* or refused */
	IGW_EXIT_USAGE = 2,
	IGW_EXIT_NOT_RUNNING = 3,
	IGW_EXIT_PERMISSION = 4,
	IGW_EXIT_NOT_FOUND = 5,
	IGW_EXIT_INVALID = 6, /* config or policy */
	IGW_EXIT_DEGRADED = 7,
};

#endif
