#include "events.h"

#include "describe.h"
#include "ev.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <upnp/upnp.h>

static struct igd_state state_copy(struct events *events)
{
	struct igd_state state;

	pthread_mutex_lock(&events->lock);
	state = events->state;
	pthread_mutex_unlock(&events->lock);
	return state;
}

static void service_init(struct events_service *known, const struct igd_service *service)
{
	for (const struct igd_variable *v = service->variables; v->name; v++) {
		if (!v->value || known->n == IGD_EVENTED_MAX)
			continue;
		known->names[known->n] = v->name;
		known->values[known->n] = v->value;
		known->n++;
	}
}

int events_init(struct events *events, const struct names *names, struct broker *broker,
	const int *device)
{
	pthread_condattr_t attr;
	int r;

	memset(events, 0, sizeof(*events));
	events->names = names;
	events->broker = broker;
	events->device = device;
	events->state.default_connection = names->default_connection;
	for (size_t i = 0; i < names->tree->n_services; i++) {
		struct events_service *known = &events->services[i];

		service_init(known, &names->tree->services[i]);
		for (int j = 0; j < known->n; j++)
			known->values[j](&events->state, known->sent[j]);
	}
	r = pthread_condattr_init(&attr);
	if (r != 0)
		return -r;
	r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (r == 0)
		r = pthread_cond_init(&events->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (r == 0)
		r = pthread_mutex_init(&events->lock, NULL);
	if (r == 0)
		r = pthread_mutex_init(&events->library, NULL);
	return -r;
}

/* ---- telling --------------------------------------------------------------- */

/* Sends these variables of a service to its subscribers; with `library` held. */
static void send_values(
	struct events *events, size_t i, const char **names, const char **values, int n)
{
	const struct igd_service *service = &events->names->tree->services[i];
	int r = UpnpNotify(*events->device, events->names->udn[service->device],
		service->id, names, values, n);

	if (r != UPNP_E_SUCCESS)
		log_warning(
			"events of %s were not sent: libupnp error %d", service->path, r);
	events->services[i].accepted = 0;
	events->services[i].last_ms = ev_now_ms();
}

/* Sends what differs from what the subscribers of the service know. */
static void tell_changes(struct events *events, size_t i, const struct igd_state *state)
{
	struct events_service *known = &events->services[i];
	const char *names[IGD_EVENTED_MAX], *values[IGD_EVENTED_MAX];
	char value[IGD_VALUE_MAX];
	int n = 0;

	for (int j = 0; j < known->n; j++) {
		known->values[j](state, value);
		if (strcmp(value, known->sent[j]) == 0)
			continue;
		memcpy(known->sent[j], value, sizeof(value));
		names[n] = known->names[j];
		values[n++] = known->sent[j];
	}
	if (n > 0)
		send_values(events, i, names, values, n);
}

/* Repeats one value when subscriptions that have ended may fill the service. */
static void purge(struct events *events, size_t i, int64_t now_ms)
{
	struct events_service *known = &events->services[i];
	const char *name = known->names[0], *value = known->sent[0];

	if (known->accepted >= EVENTS_PURGE_AFTER &&
		now_ms - known->last_ms >= EVENTS_PURGE_MS)
		send_values(events, i, &name, &value, 1);
}

/* The broker's note of a change does not say whether the WAN has a carrier. */
static void ask_link(struct events *events)
{
	const struct igw_empty empty = { 0 };
	struct igw_wan wan;

	if (broker_ask(events->broker, IGW_WAN_GET, &empty, IGW_WAN, &wan) < 0)
		return;
	pthread_mutex_lock(&events->lock);
	events->state.link_up = wan.link_up != 0;
	events->state.addr = wan.addr;
	pthread_mutex_unlock(&events->lock);
}

static void tell(struct events *events, bool changed)
{
	struct igd_state state;

	if (changed)
		ask_link(events);
	state = state_copy(events);
	pthread_mutex_lock(&events->library);
	for (size_t i = 0; i < events->names->tree->n_services; i++) {
		tell_changes(events, i, &state);
		purge(events, i, ev_now_ms());
	}
	pthread_mutex_unlock(&events->library);
}

/* Waits until something has changed or the time has come. Returns which. */
static bool wait_change(struct events *events, int64_t until_ms)
{
	const struct timespec until = { .tv_sec = until_ms / 1000,
		.tv_nsec = until_ms % 1000 * 1000000 };
	bool changed;
	int r = 0;

	pthread_mutex_lock(&events->lock);
	while (!events->changed && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&events->wake, &events->lock, &until);
	changed = events->changed;
	events->changed = false;
	pthread_mutex_unlock(&events->lock);
	return changed;
}

static void *run(void *arg)
{
	const struct timespec pause = { .tv_sec = EVENTS_PAUSE_MS / 1000,
		.tv_nsec = EVENTS_PAUSE_MS % 1000 * 1000000 };
	struct events *events = arg;

	for (;;) {
		tell(events, wait_change(events, ev_now_ms() + EVENTS_PURGE_MS));
		nanosleep(&pause, NULL); /* what changes meanwhile goes in one event */
	}
	return NULL;
}

int events_start(struct events *events)
{
	pthread_t thread;
	int r;

	pthread_mutex_lock(&events->lock);
	events->changed = true; /* the first round asks for the WAN link's state */
	pthread_mutex_unlock(&events->lock);
	r = pthread_create(&thread, NULL, run, events);
	if (r == 0)
		r = pthread_detach(thread);
	return -r;
}

/* ---- called by others ------------------------------------------------------ */

void events_changed(struct events *events, const struct igw_changed *changed)
{
	pthread_mutex_lock(&events->lock);
	events->state.addr = changed->addr;
	events->state.mappings = changed->mappings;
	events->changed = true;
	pthread_cond_signal(&events->wake);
	pthread_mutex_unlock(&events->lock);
}

void events_accept(
	struct events *events, const struct igd_service *service, const char *sid)
{
	size_t i = (size_t)(service - events->names->tree->services);
	struct events_service *known = &events->services[i];
	const char *values[IGD_EVENTED_MAX];
	int r;

	pthread_mutex_lock(&events->library);
	for (int j = 0; j < known->n; j++)
		values[j] = known->sent[j];
	known->accepted++;
	r = UpnpAcceptSubscription(*events->device, events->names->udn[service->device],
		service->id, known->names, values, known->n, sid);
	pthread_mutex_unlock(&events->library);
	if (r != UPNP_E_SUCCESS)
		log_debug("first event of %s was not sent: libupnp error %d",
			service->path, r);
}

bool events_value(struct events *events, const struct igd_service *service,
	const char *name, char value[IGD_VALUE_MAX])
{
	const struct igd_variable *variable = igd_find_variable(service, name);
	struct igd_state state;

	if (!variable || !variable->value)
		return false;
	state = state_copy(events);
	variable->value(&state, value);
	return true;
}
