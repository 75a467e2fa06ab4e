/* Userdata of an nftables element: what is read must be written back the same. */
#include "fw.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mapping mapping = { 0 }, again = { 0 };
	uint8_t buf[FW_RECORD_MAX];
	size_t len;

	if (record_read(data, size, &mapping) < 0)
		return 0;
	len = record_write(&mapping, buf, sizeof(buf));
	if (len == 0 || record_read(buf, len, &again) < 0 || again.id != mapping.id ||
		strcmp(again.description, mapping.description) != 0)
		abort();
	return 0;
}
