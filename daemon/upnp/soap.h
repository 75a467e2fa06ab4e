/*
 * From libupnp's action callback to the code of the action and back. A call carries the
 * arguments as text and the answer's values or a fault; the namespace of the answer is
 * the one of the request.
 */
#ifndef IGDWARD_UPNP_SOAP_H
#define IGDWARD_UPNP_SOAP_H

#include "igdward/reason.h"
#include "tree.h"
#include "worker.h"

#include <upnp/upnp.h>

/* UPnP error codes not behind a reason (UDA 1.0 §3.2, WANIPConnection:1 §2.4.22) */
enum soap_code {
	SOAP_OK = 0,
	SOAP_INVALID_ACTION = 401,
	SOAP_INVALID_ARGS = 402,
	SOAP_INVALID_VAR = 404,
	SOAP_ACTION_FAILED = 501,
	SOAP_OUT_OF_RANGE = 601,
	SOAP_NOT_AUTHORIZED = 606,
	SOAP_NO_SUCH_ENTRY = 714,
	SOAP_WILDCARD_PORT = 716,
	SOAP_REMOTE_HOST_WILDCARD = 726,
	SOAP_READ_ONLY = 731,
};

struct soap_call {
	struct worker *worker;
	const struct igd_service *service;
	const struct igd_action *action;
	struct igw_addr client; /* as seen on the wire */
	const char *in[IGD_ARGUMENTS_MAX];
	char out[IGD_ARGUMENTS_MAX][IGD_VALUE_MAX];
	unsigned code;	  /* 0 = success */
	const char *text; /* of the fault; a constant that needs no escape */
};

/* The text of an argument of this action. The name must stand in the table. */
const char *soap_in(const struct soap_call *call, const char *name);

/* Sets a value of the answer. The name must stand in the table; what is not set is sent
 * empty. */
void soap_out(struct soap_call *call, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Ends the call with a fault. */
void soap_fail(struct soap_call *call, enum soap_code code);

/* Ends the call with the code and the sentence of a reason other than IGW_OK. */
void soap_refuse(struct soap_call *call, enum igw_reason reason);

/* Ends the call with a fault because of this argument, and tells the broker so. The name
 * need not stand in the table. */
void soap_bad_argument(struct soap_call *call, enum soap_code code, const char *name);

/*
 * broker_ask() for this call. Returns true with the answer; else the call has failed with
 * 501 and the function of the action has nothing more to do.
 */
bool soap_ask(struct soap_call *call, uint32_t id, const void *request,
	uint32_t answer_id, void *answer);

/* The same for the state of the WAN link. */
bool soap_ask_wan(struct soap_call *call, struct igw_wan *ret);

/*
 * Runs one action: `root` is the action's element, `client` NULL when the peer has no
 * IPv4 address, `trouble` NULL or what the request came with that two readers read in two
 * ways (gate/request.h). Fills *call but for `worker`, which is set.
 */
void soap_run(struct soap_call *call, const char *udn, const char *service_id,
	const struct igw_addr *client, IXML_Node *root, const char *trouble);

/* The fault's text for a code that is not behind a reason. */
const char *soap_code_text(enum soap_code code);

/* What libupnp calls; `cookie` is the struct worker. */
int soap_callback(Upnp_EventType type, const void *event, void *cookie);

#endif
