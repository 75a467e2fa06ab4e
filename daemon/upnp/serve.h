/*
 * The life of libupnp in a worker: start, registration, announcement, end. There is one
 * start per process: the library cannot move to another address, nor stop in bounded time
 * with clients connected, so a worker that must end or move exits.
 */
#ifndef IGDWARD_UPNP_SERVE_H
#define IGDWARD_UPNP_SERVE_H

#include "worker.h"

#include <stdint.h>

/*
 * Starts the library on the worker's link, says byebye for the device's last life and
 * announces it. Returns WORKER_STOPPED when it serves; *ret_port is where. Else the
 * reason has been logged and the process must exit with what is returned.
 */
enum worker_exit serve_start(struct worker *worker, uint16_t *ret_port);

/* Says byebye and exits; within SERVE_STOP_S seconds, whatever the library does. */
_Noreturn void serve_stop(const struct worker *worker, enum worker_exit code);

enum {
	SERVE_STOP_S = 2, /* byebye takes 0.1 s when nothing holds the library's lock */
	SERVE_MAX_AGE_S = 1800,	       /* UDA 1.0 §1.1.2: at least that */
	SERVE_CONTENT_MAX = 16 * 1024, /* of a request's body, and of the description */
	SERVE_JOBS_MAX = 100, /* above 1,000 descriptors select() overruns its set */
};

#endif
