/*
 * The code behind the actions of the tree's table (tree.c), one function each. Called by
 * soap.c in a thread of libupnp, with every argument of the action present as text. Each
 * sets the answer's values or the fault of `call`, and may wait for the broker for as
 * long as a request to it may take.
 */
#ifndef IGDWARD_UPNP_ACTIONS_H
#define IGDWARD_UPNP_ACTIONS_H

#include "tree.h"

struct soap_call;

#define WAN_CONNECTION_TYPE "IP_Routed"

/* WANIPConnection */
void wan_ip_set_connection_type(struct soap_call *call);
void wan_ip_get_type_info(struct soap_call *call);
void wan_ip_change_connection(struct soap_call *call); /* Request.., ForceTermination */
void wan_ip_get_status(struct soap_call *call);
void wan_ip_get_nat_rsip(struct soap_call *call);
void wan_ip_get_generic(struct soap_call *call);
void wan_ip_get_specific(struct soap_call *call);
void wan_ip_add(struct soap_call *call);
void wan_ip_delete(struct soap_call *call);
void wan_ip_get_address(struct soap_call *call);

/* "Connected" when there is an external address, else "Disconnected". */
const char *wan_ip_status(const struct igw_addr *addr);

/* WANCommonInterfaceConfig */
void wan_common_get_link(struct soap_call *call);
void wan_common_get_enabled(struct soap_call *call);
void wan_common_get_maximum(struct soap_call *call);
void wan_common_get_counter(struct soap_call *call);

/* Layer3Forwarding */
void layer3_set_default(struct soap_call *call);
void layer3_get_default(struct soap_call *call);

#endif
