#include "soap.h"

#include "arguments.h"
#include "gate/request.h"
#include "log.h"
#include "report.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <upnp/upnptools.h>

const char *soap_code_text(enum soap_code code)
{
	switch (code) {
	case SOAP_OK:
		break;
	case SOAP_INVALID_ACTION:
		return "Invalid Action";
	case SOAP_INVALID_ARGS:
		return "Invalid Args";
	case SOAP_INVALID_VAR:
		return "Invalid Var";
	case SOAP_ACTION_FAILED:
		return "Action Failed";
	case SOAP_OUT_OF_RANGE:
		return "Argument Value Out of Range";
	case SOAP_NOT_AUTHORIZED:
		return "Action not authorized";
	case SOAP_NO_SUCH_ENTRY:
		return "NoSuchEntryInArray";
	case SOAP_WILDCARD_PORT:
		return "WildCardNotPermittedInExtPort";
	case SOAP_REMOTE_HOST_WILDCARD:
		return "RemoteHostOnlySupportsWildcard";
	case SOAP_READ_ONLY:
		return "ReadOnly";
	}
	return "Action Failed";
}

/* ---- for the code of actions ----------------------------------------------- */

static int index_of(const struct igd_argument *list, const char *name)
{
	for (int i = 0; list[i].name; i++) {
		if (strcmp(list[i].name, name) == 0)
			return i;
	}
	assert(false && "argument is not in the table");
	return 0;
}

const char *soap_in(const struct soap_call *call, const char *name)
{
	return call->in[index_of(call->action->in, name)];
}

void soap_out(struct soap_call *call, const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(call->out[index_of(call->action->out, name)], IGD_VALUE_MAX, format,
		args);
	va_end(args);
}

void soap_fail(struct soap_call *call, enum soap_code code)
{
	call->code = code;
	call->text = soap_code_text(code);
}

void soap_refuse(struct soap_call *call, enum igw_reason reason)
{
	call->code = igw_reason_upnp(reason);
	call->text = igw_reason_sentence(reason);
}

void soap_bad_argument(struct soap_call *call, enum soap_code code, const char *name)
{
	char where[IGD_VALUE_MAX];
	const char *text = NULL;

	soap_fail(call, code);
	for (int i = 0; call->action->in[i].name; i++) {
		if (strcmp(call->action->in[i].name, name) == 0)
			text = call->in[i];
	}
	snprintf(where, sizeof(where), "%s %s", call->action->name, name);
	report_refused(&call->client, IGW_BAD_ARGUMENT, where, text);
}

bool soap_ask(struct soap_call *call, uint32_t id, const void *request,
	uint32_t answer_id, void *answer)
{
	int r = broker_ask(&call->worker->broker, id, request, answer_id, answer);

	if (r == 0)
		return true;
	soap_fail(call, SOAP_ACTION_FAILED);
	log_warning(
		"%s: the broker gave no answer: %s", call->action->name, strerror(-r));
	return false;
}

bool soap_ask_wan(struct soap_call *call, struct igw_wan *ret)
{
	const struct igw_empty empty = { 0 };

	return soap_ask(call, IGW_WAN_GET, &empty, IGW_WAN, ret);
}

/* ---- one action ------------------------------------------------------------ */

static int device_of(const struct worker *worker, const char *udn)
{
	for (unsigned i = 0; i < worker->names.tree->n_devices; i++) {
		if (strcmp(worker->names.udn[i], udn) == 0)
			return (int)i;
	}
	return -1;
}

static const struct igd_service *service_of(
	const struct worker *worker, const char *udn, const char *service_id)
{
	const struct igd_tree *tree = worker->names.tree;
	int device = device_of(worker, udn);
	int i = device < 0 ? -1 : igd_find_service(tree, (unsigned)device, service_id);

	return i < 0 ? NULL : &tree->services[i];
}

/* Finds what is asked for. The library compares service types without their version, so
 * that is done here. */
static bool find_action(struct soap_call *call, IXML_Node *root)
{
	const char *type = ixmlNode_getNamespaceURI(root);
	const char *name = ixmlNode_getLocalName(root);

	if (!name)
		name = ixmlNode_getNodeName(root);
	if (!call->service || !type || !name || !igd_offers(call->service, type))
		return false;
	call->action = igd_find_action(call->service, name);
	return call->action != NULL;
}

void soap_run(struct soap_call *call, const char *udn, const char *service_id,
	const struct igw_addr *client, IXML_Node *root, const char *trouble)
{
	const struct igd_argument *bad;

	call->service = service_of(call->worker, udn, service_id);
	if (!client || !worker_is_lan_host(call->worker, client)) {
		const struct igw_addr unknown = { 0 };

		soap_refuse(call, IGW_NOT_SERVED);
		report_refused(
			client ? client : &unknown, IGW_NOT_SERVED, "control", NULL);
		return;
	}
	call->client = *client;
	if (!root || !find_action(call, root)) {
		soap_fail(call, SOAP_INVALID_ACTION);
		return;
	}
	if (trouble) {
		soap_bad_argument(call, SOAP_INVALID_ARGS, trouble);
		return;
	}
	bad = arguments_read(root, call->action->in, call->in);
	if (bad) {
		soap_bad_argument(call, SOAP_INVALID_ARGS, bad->name);
		return;
	}
	call->action->run(call);
}

/* ---- libupnp's side -------------------------------------------------------- */

/* NULL for a peer that is not on IPv4. */
static const struct igw_addr *peer_address(
	const struct sockaddr_storage *peer, struct igw_addr *ret)
{
	struct sockaddr_in in;

	if (!peer || peer->ss_family != AF_INET)
		return NULL;
	memcpy(&in, peer, sizeof(in));
	*ret = igw_addr_from_v4(ntohl(in.sin_addr.s_addr));
	return ret;
}

/* Makes the answer's document in the namespace of the request; NULL = no memory. */
static IXML_Document *make_answer(const struct soap_call *call, const char *type)
{
	const struct igd_argument *out = call->action->out;
	IXML_Document *answer = NULL;
	int r;

	if (!out->name)
		return UpnpMakeActionResponse(call->action->name, type, 0, NULL);
	for (int i = 0; out[i].name; i++) {
		r = UpnpAddToActionResponse(
			&answer, call->action->name, type, out[i].name, call->out[i]);
		if (r != UPNP_E_SUCCESS) {
			ixmlDocument_free(answer);
			return NULL;
		}
	}
	return answer;
}

static void on_action(struct worker *worker, UpnpActionRequest *request)
{
	struct soap_call call = { .worker = worker };
	IXML_Document *document = UpnpActionRequest_get_ActionRequest(request);
	IXML_Node *root = document ? ixmlNode_getFirstChild((IXML_Node *)document) : NULL;
	IXML_Document *answer = NULL;
	struct igw_addr client;

	soap_run(&call, UpnpActionRequest_get_DevUDN_cstr(request),
		UpnpActionRequest_get_ServiceID_cstr(request),
		peer_address(UpnpActionRequest_get_CtrlPtIPAddr(request), &client), root,
		request_trouble());
	if (call.code == SOAP_OK) {
		answer = make_answer(&call, ixmlNode_getNamespaceURI(root));
		if (!answer)
			soap_fail(&call, SOAP_ACTION_FAILED);
	}
	/* The library frees the answer, but only of a request without an error. */
	if (call.code == SOAP_OK) {
		UpnpActionRequest_set_ActionResult(request, answer);
		UpnpActionRequest_set_ErrCode(request, UPNP_E_SUCCESS);
		return;
	}
	UpnpActionRequest_set_ErrCode(request, (int)call.code);
	UpnpActionRequest_strcpy_ErrStr(request, call.text);
}

/* UDA 1.0 §3.3; Windows XP asks for ConnectionStatus in this way. */
static void on_query(struct worker *worker, UpnpStateVarRequest *request)
{
	const struct igd_service *service =
		service_of(worker, UpnpStateVarRequest_get_DevUDN_cstr(request),
			UpnpStateVarRequest_get_ServiceID_cstr(request));
	const char *name = UpnpStateVarRequest_get_StateVarName_cstr(request);
	char value[IGD_VALUE_MAX];
	struct igw_addr client;

	if (service &&
		peer_address(UpnpStateVarRequest_get_CtrlPtIPAddr(request), &client) &&
		worker_is_lan_host(worker, &client) &&
		events_value(&worker->events, service, name, value)) {
		UpnpStateVarRequest_set_CurrentVal(request, value);
		UpnpStateVarRequest_set_ErrCode(request, UPNP_E_SUCCESS);
		return;
	}
	UpnpStateVarRequest_set_ErrCode(request, SOAP_INVALID_VAR);
	UpnpStateVarRequest_strcpy_ErrStr(request, soap_code_text(SOAP_INVALID_VAR));
}

static void on_subscription(struct worker *worker, UpnpSubscriptionRequest *request)
{
	const struct igd_service *service =
		service_of(worker, UpnpSubscriptionRequest_get_UDN_cstr(request),
			UpnpSubscriptionRequest_get_ServiceId_cstr(request));

	if (service)
		events_accept(&worker->events, service,
			UpnpSubscriptionRequest_get_SID_cstr(request));
}

int soap_callback(Upnp_EventType type, const void *event, void *cookie)
{
	struct worker *worker = cookie;
	void *request = (void *)(uintptr_t)event;

	switch ((int)type) {
	case UPNP_CONTROL_ACTION_REQUEST:
		on_action(worker, request);
		break;
	case UPNP_CONTROL_GET_VAR_REQUEST:
		on_query(worker, request);
		break;
	case UPNP_EVENT_SUBSCRIPTION_REQUEST:
		on_subscription(worker, request);
		break;
	}
	return UPNP_E_SUCCESS;
}
