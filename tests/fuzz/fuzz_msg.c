/* The one check of received messages: what passes has exactly the length of its id. */
#include "igdward/msg.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum igw_sender senders[] = { IGW_PARENT, IGW_BROKER, IGW_UPNP,
		IGW_CTL };
	struct igw_hdr hdr;

	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		for (unsigned fds = 0; fds <= IGW_MSG_FDS_MAX + 1; fds++) {
			if (igw_msg_check(data, size, fds, senders[i]) < 0)
				continue;
			memcpy(&hdr, data, sizeof(hdr));
			if (size != sizeof(hdr) + igw_msg_size(hdr.id) ||
				fds != igw_msg_fds(hdr.id))
				abort();
		}
	}
	return 0;
}
