/* Numbers, addresses and descriptions as clients write them. */
#include "igdward/addr.h"
#include "igdward/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[512], clean[IGW_DESCRIPTION_MAX + 1], again[IGW_DESCRIPTION_MAX + 1];
	char quoted[64];
	struct igw_addr addr;
	struct igw_prefix prefix;
	struct igw_mac mac;
	char shown[IGW_ADDR_TEXT];
	uint16_t port;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (igw_u16_parse(text, 1, 65535, &port) == 0 && port == 0)
		abort();
	if (igw_addr_parse_v4(text, &addr) == 0 &&
		strcmp(igw_addr_format(&addr, shown), text) != 0)
		abort();
	igw_addr_parse(text, &addr);
	igw_prefix_parse(text, &prefix);
	igw_mac_parse(text, &mac);
	igw_text_clean(clean, sizeof(clean), text);
	igw_text_clean(again, sizeof(again), clean);
	if (strcmp(clean, again) != 0)
		abort();
	for (const char *c = igw_text_quote(quoted, sizeof(quoted), text); *c; c++) {
		if (*c < 0x20 || *c > 0x7e)
			abort();
	}
	return 0;
}
