#include "record.h"

#include "fw.h"
#include "wire.h"

#include <errno.h>
#include <string.h>

enum {
	RECORD_VERSION = 1,

	RECORD_MAX = 1 + 4 + 4 + 8 + sizeof(struct igw_addr) + sizeof(struct igw_mac) +
		     1 + (IGW_IFNAME_MAX + 1) + (IGW_RULE_NAME_MAX + 1) +
		     (IGW_DESCRIPTION_MAX + 1),
};

_Static_assert((size_t)RECORD_MAX <= (size_t)FW_RECORD_MAX,
	"a record must fit into the userdata");

size_t record_write(const struct mapping *mapping, uint8_t *buf, size_t size)
{
	struct wr wr = { .at = buf, .left = size };

	wr_u8(&wr, RECORD_VERSION);
	wr_u32(&wr, mapping->id);
	wr_u32(&wr, mapping->lease_s);
	wr_u64(&wr, (uint64_t)mapping->created_s);
	wr_bytes(&wr, mapping->client.b, sizeof(mapping->client.b));
	wr_bytes(&wr, mapping->mac.b, sizeof(mapping->mac.b));
	wr_u8(&wr, mapping->via);
	wr_text(&wr, mapping->interface);
	wr_text(&wr, mapping->rule);
	wr_text(&wr, mapping->description);
	return wr.bad ? 0 : size - wr.left;
}

/* What an interface or a rule is called; these words go into log lines as they are. */
static bool is_word(const char *text)
{
	for (; *text; text++) {
		if (*text <= ' ' || *text > '~' || strchr("\"\\=", *text))
			return false;
	}
	return true;
}

int record_read(const uint8_t *bytes, size_t len, struct mapping *ret)
{
	struct rd rd = { .at = bytes, .left = len };
	struct mapping mapping = *ret;
	char description[IGW_DESCRIPTION_MAX + 1];

	if (rd_u8(&rd) != RECORD_VERSION)
		return -EBADMSG;
	mapping.id = rd_u32(&rd);
	mapping.lease_s = rd_u32(&rd);
	mapping.created_s = (int64_t)rd_u64(&rd);
	rd_bytes(&rd, mapping.client.b, sizeof(mapping.client.b));
	rd_bytes(&rd, mapping.mac.b, sizeof(mapping.mac.b));
	mapping.via = rd_u8(&rd);
	rd_text(&rd, mapping.interface, sizeof(mapping.interface));
	rd_text(&rd, mapping.rule, sizeof(mapping.rule));
	rd_text(&rd, description, sizeof(description));
	if (rd.bad || rd.left != 0 || mapping.id == 0 || mapping.via > IGW_VIA_PCP ||
		!is_word(mapping.interface) || !is_word(mapping.rule))
		return -EBADMSG;
	/* Cleaned again: the bytes need not be ours. */
	igw_text_clean(mapping.description, sizeof(mapping.description), description);
	*ret = mapping;
	return 0;
}
