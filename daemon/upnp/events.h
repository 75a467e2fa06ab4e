/*
 * Events for subscribers (GENA). The broker says what has changed; one thread of our own
 * tells the subscribers, at most once a second and only what differs from what they know.
 *
 * Two locks: `lock` guards the state and is held for moments only, as the reader of the
 * channel takes it; `library` is held while libupnp is called, which may wait for a slow
 * subscriber, and keeps what a new subscriber is told in step with what comes after.
 */
#ifndef IGDWARD_UPNP_EVENTS_H
#define IGDWARD_UPNP_EVENTS_H

#include "broker.h"
#include "tree.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct names;

enum {
	EVENTS_PAUSE_MS = 1000, /* between two rounds of events */
	/* The library answers SSDP and sends events by the same 12 threads; a subscriber
	 * that does not answer holds one of them for a minute. */
	EVENTS_SUBSCRIPTIONS_MAX = 8, /* per service */
	EVENTS_SUBSCRIPTION_S = 1800,
	/* Subscriptions that ended count until the next event of their service: so one
	 * value is sent again when half of them may be used up by such. */
	EVENTS_PURGE_AFTER = EVENTS_SUBSCRIPTIONS_MAX / 2,
	EVENTS_PURGE_MS = 60 * 1000,
};

struct events_service {
	const char *names[IGD_EVENTED_MAX];
	char sent[IGD_EVENTED_MAX][IGD_VALUE_MAX]; /* what subscribers know */
	igd_value_fn values[IGD_EVENTED_MAX];
	int n;
	unsigned accepted; /* subscriptions since the last event */
	int64_t last_ms;
};

struct events {
	const struct names *names;
	struct broker *broker;
	const int *device; /* libupnp's handle, written by the registration */

	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct igd_state state;
	bool changed;

	pthread_mutex_t library;
	struct events_service services[IGD_SERVICES_MAX];
};

/* Makes the state "not connected" until the broker says more. Returns 0 or -errno. */
int events_init(struct events *events, const struct names *names, struct broker *broker,
	const int *device);

/* Starts the thread, which runs as long as the process; the device is registered. Returns
 * 0 or -errno. */
int events_start(struct events *events);

/* The broker's word; called by the reader of the channel. Never waits. */
void events_changed(struct events *events, const struct igw_changed *changed);

/* Takes a subscription that the library has granted: sends the values of all evented
 * variables (UDA 1.0 §4.1.2). A thread of libupnp. */
void events_accept(
	struct events *events, const struct igd_service *service, const char *sid);

/* The present value of an evented variable; false when there is none of that name. */
bool events_value(struct events *events, const struct igd_service *service,
	const char *name, char value[IGD_VALUE_MAX]);

#endif
