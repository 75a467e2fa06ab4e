/* A configuration file: whatever is taken must survive being written and read again. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_report report = { 0 };
	struct config config, again;
	char text[16384];
	int len;

	config_init(&config);
	if (config_parse((const char *)data, size, &config, &report) < 0) {
		if (report.error.message[0] == '\0')
			abort();
		return 0;
	}
	len = config_format(&config, text, sizeof(text));
	if (len < 0)
		abort();
	config_init(&again);
	if (config_parse(text, (size_t)len, &again, &report) < 0)
		abort();
	if (strcmp(config.external, again.external) != 0 ||
		config.http_port != again.http_port || config.mark != again.mark)
		abort();
	return 0;
}
