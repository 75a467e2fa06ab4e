#include "igdward/types.h"

const char *igw_protocol_word(unsigned protocol)
{
	if (protocol == IGW_TCP)
		return "tcp";
	return protocol == IGW_UDP ? "udp" : "?";
}

const char *igw_via_word(unsigned via)
{
	static const char *const words[] = {
		[IGW_VIA_UPNP] = "upnp",
		[IGW_VIA_NATPMP] = "natpmp",
		[IGW_VIA_PCP] = "pcp",
	};

	return via < sizeof(words) / sizeof(words[0]) ? words[via] : "?";
}
