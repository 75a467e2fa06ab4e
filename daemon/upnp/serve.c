#include "serve.h"

#include "gate/ifaddrs.h"
#include "gate/sockets.h"
#include "log.h"
#include "soap.h"
#include "webdir.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <upnp/upnp.h>
#include <upnp/upnptools.h>

enum {
	UNPRIVILEGED_PORT = 1024, /* the first port that a worker may take */
};

/* libupnp before 1.14.20 does not have it; its limit is 100, too. */
void UpnpSetMaxJobsTotal(int n) __attribute__((weak));

/* ---- start ----------------------------------------------------------------- */

static void log_library(const char *what, int r)
{
	log_error("libupnp: %s: error %d (%s)", what, r, UpnpGetErrorMessage(r));
}

/* The library takes the next port when the wanted one is taken. Address and port must be
 * what the broker believes. */
static enum worker_exit check_place(const struct worker *worker, uint16_t port)
{
	const struct igw_link *link = &worker->link;
	const char *served = UpnpGetServerIpAddress();
	char wanted[IGW_ADDR_TEXT];

	igw_addr_format(&link->addr, wanted);
	if (!served || strcmp(served, wanted) != 0) {
		log_error("libupnp serves on %s, not on %s of %s",
			served ? served : "no address", wanted, link->interface);
		return WORKER_CANNOT_SERVE;
	}
	if (link->http_port == 0 || link->http_port == port)
		return WORKER_STOPPED;
	if (link->http_port < UNPRIVILEGED_PORT)
		log_error(
			"port %u on %s needs privilege, which a worker does not have; set "
			"http_port to %d or more",
			link->http_port, link->interface, UNPRIVILEGED_PORT);
	else
		log_error("port %u on %s is taken by another program; free it or set "
			  "http_port",
			link->http_port, link->interface);
	return WORKER_CANNOT_SERVE;
}

static int register_device(struct worker *worker, uint16_t port)
{
	char addr[IGW_ADDR_TEXT], url[IGW_ADDR_TEXT + IGD_PATH_TEXT + 16];

	snprintf(url, sizeof(url), "http://%s:%u%s",
		igw_addr_format(&worker->link.addr, addr), port,
		worker->documents.list[0].path);
	return UpnpRegisterRootDevice4(
		url, soap_callback, worker, &worker->device, AF_INET, NULL);
}

/*
 * The first registration is there to be ended: that says byebye for whatever a former
 * life of this device has left with the clients (WANIPConnection:2 §1.2). For each the
 * library fetches the description from itself over TCP, which a listener bound to the
 * interface takes, too: to the kernel the host's own packets to an address of an
 * interface come by that interface.
 */
static int register_anew(struct worker *worker, uint16_t port)
{
	int r = register_device(worker, port);

	if (r != UPNP_E_SUCCESS)
		return r;
	r = UpnpUnRegisterRootDevice(worker->device);
	if (r != UPNP_E_SUCCESS)
		log_library("byebye", r);
	return register_device(worker, port);
}

static int start_device(struct worker *worker, uint16_t port)
{
	int r = UpnpSetMaxContentLength(SERVE_CONTENT_MAX);

	if (r == UPNP_E_SUCCESS)
		r = webdir_start(&worker->documents);
	if (r == UPNP_E_SUCCESS)
		r = register_anew(worker, port);
	if (r == UPNP_E_SUCCESS)
		r = UpnpSetMaxSubscriptions(worker->device, EVENTS_SUBSCRIPTIONS_MAX);
	if (r == UPNP_E_SUCCESS)
		r = UpnpSetMaxSubscriptionTimeOut(worker->device, EVENTS_SUBSCRIPTION_S);
	return r;
}

/* The library's sockets are open from UpnpInit2 on, so nothing comes before this. */
static int guard_sockets(const struct worker *worker)
{
	int r = sockets_guard_search(&worker->link, &worker->lan);

	if (r == 0)
		r = sockets_guard_listeners(&worker->link);
	if (r == 0)
		r = sockets_seal_stop();
	return r;
}

static enum worker_exit start_on_sockets(struct worker *worker, uint16_t port)
{
	int r = guard_sockets(worker);

	if (r < 0) {
		log_error("cannot confine the library's sockets to %s: %s",
			worker->link.interface, strerror(-r));
		return WORKER_FAILED;
	}
	r = start_device(worker, port);
	if (r != UPNP_E_SUCCESS) {
		log_library("registration", r);
		return WORKER_FAILED;
	}
	r = UpnpSendAdvertisement(worker->device, SERVE_MAX_AGE_S);
	if (r != UPNP_E_SUCCESS) {
		log_library("announcement", r);
		return WORKER_FAILED;
	}
	return WORKER_STOPPED;
}

enum worker_exit serve_start(struct worker *worker, uint16_t *ret_port)
{
	enum worker_exit code;
	uint16_t port;
	int r;

	if (&UpnpSetMaxJobsTotal)
		UpnpSetMaxJobsTotal(SERVE_JOBS_MAX);
	ifaddrs_set(&worker->link);
	r = UpnpInit2(worker->link.interface, worker->link.http_port);
	if (r != UPNP_E_SUCCESS) {
		log_library("start", r);
		return WORKER_FAILED;
	}
	port = UpnpGetServerPort();
	code = check_place(worker, port);
	if (code == WORKER_STOPPED)
		code = start_on_sockets(worker, port);
	if (code == WORKER_STOPPED)
		*ret_port = port;
	return code;
}

/* ---- end ------------------------------------------------------------------- */

static volatile sig_atomic_t exit_code;

static void on_alarm(int signal)
{
	(void)signal;
	_exit(exit_code);
}

_Noreturn void serve_stop(const struct worker *worker, enum worker_exit code)
{
	struct sigaction action = { .sa_handler = on_alarm };

	if (worker->device > 0) {
		exit_code = (sig_atomic_t)code;
		sigaction(SIGALRM, &action, NULL);
		alarm(SERVE_STOP_S);
		UpnpUnRegisterRootDevice(worker->device);
	}
	_exit((int)code);
}
