#include "actions.h"
#include "soap.h"

#include <string.h>

enum {
	/* What is said of a link whose rate nobody knows: clients read 0 as "no link". */
	LINK_BITS_PER_S = 100 * 1000 * 1000,
};

void wan_common_get_link(struct soap_call *call)
{
	struct igw_wan wan;
	uint32_t rate = LINK_BITS_PER_S;

	if (!soap_ask_wan(call, &wan))
		return;
	if (wan.bits_per_s > 0) /* a ui4 holds no more than 4 Gbit/s */
		rate = wan.bits_per_s > UINT32_MAX ? UINT32_MAX
						   : (uint32_t)wan.bits_per_s;
	soap_out(call, "NewWANAccessType", "Ethernet");
	soap_out(call, "NewLayer1UpstreamMaxBitRate", "%u", rate);
	soap_out(call, "NewLayer1DownstreamMaxBitRate", "%u", rate);
	soap_out(call, "NewPhysicalLinkStatus", "%s", wan.link_up ? "Up" : "Down");
}

void wan_common_get_enabled(struct soap_call *call)
{
	soap_out(call, "NewEnabledForInternet", "1");
}

void wan_common_get_maximum(struct soap_call *call)
{
	soap_out(call, "NewMaximumActiveConnections", "1");
}

/* All four counters: the broker's are 64 bits wide, a ui4 shows them modulo 2^32. */
void wan_common_get_counter(struct soap_call *call)
{
	const char *name = call->action->out[0].name;
	struct igw_wan wan;
	uint64_t value;

	if (!soap_ask_wan(call, &wan))
		return;
	if (strcmp(name, "NewTotalBytesSent") == 0)
		value = wan.tx_bytes;
	else if (strcmp(name, "NewTotalBytesReceived") == 0)
		value = wan.rx_bytes;
	else if (strcmp(name, "NewTotalPacketsSent") == 0)
		value = wan.tx_packets;
	else
		value = wan.rx_packets;
	soap_out(call, name, "%u", (uint32_t)value);
}
