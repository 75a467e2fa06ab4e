#include "igdward/msg.h"

#include <errno.h>
#include <string.h>

static const struct msg_form {
	const char *name;
	size_t size;
	unsigned fds;
	unsigned senders;
} msg_forms[IGW_MSG_COUNT] = {
#define X(id, payload, fds, sender) [id] = { #id, sizeof(payload), fds, sender },
	IGW_MSGS(X)
#undef X
};

size_t igw_msg_size(uint32_t id)
{
	return id < IGW_MSG_COUNT ? msg_forms[id].size : 0;
}

unsigned igw_msg_fds(uint32_t id)
{
	return id < IGW_MSG_COUNT ? msg_forms[id].fds : 0;
}

const char *igw_msg_name(uint32_t id)
{
	return id < IGW_MSG_COUNT && msg_forms[id].name ? msg_forms[id].name : "?";
}

int igw_msg_check(const void *buf, size_t len, unsigned n_fds, enum igw_sender sender)
{
	struct igw_hdr hdr;
	const struct msg_form *form;

	if (len < sizeof(hdr))
		return -EBADMSG;
	memcpy(&hdr, buf, sizeof(hdr));
	if (hdr.id == IGW_MSG_NONE || hdr.id >= IGW_MSG_COUNT)
		return -EBADMSG;
	form = &msg_forms[hdr.id];
	if ((form->senders & (unsigned)sender) == 0)
		return -EBADMSG;
	if (len != sizeof(hdr) + form->size || n_fds != form->fds)
		return -EBADMSG;
	return 0;
}

bool igw_msg_text_ok(const char *field, size_t size)
{
	return memchr(field, '\0', size) != NULL;
}
