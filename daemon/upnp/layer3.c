#include "actions.h"
#include "soap.h"

/* There is one connection, and which one it is, is the router's own affair. */
void layer3_set_default(struct soap_call *call)
{
	soap_fail(call, SOAP_NOT_AUTHORIZED);
}

void layer3_get_default(struct soap_call *call)
{
	soap_out(call, "NewDefaultConnectionService", "%s",
		call->worker->names.default_connection);
}
