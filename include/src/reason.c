#include "igdward/reason.h"

struct row {
	const char *word;
	const char *sentence;
	uint16_t upnp;
	uint8_t natpmp;
	uint8_t pcp;
};

static const struct row rows[] = {
#define X(id, word, upnp, natpmp, pcp, sentence)                                         \
	[id] = { word, sentence, upnp, natpmp, pcp },
	IGW_REASONS(X)
#undef X
};

/* What a number outside the enum answers. A broken message must not read as success. */
static const struct row unknown = { "?", "unknown reason", 501, 4, 8 };

static const struct row *row_of(enum igw_reason reason)
{
	unsigned i = (unsigned)reason;

	return i < IGW_REASON_COUNT ? &rows[i] : &unknown;
}

const char *igw_reason_word(enum igw_reason reason)
{
	return row_of(reason)->word;
}

const char *igw_reason_sentence(enum igw_reason reason)
{
	return row_of(reason)->sentence;
}

uint16_t igw_reason_upnp(enum igw_reason reason)
{
	return row_of(reason)->upnp;
}

uint8_t igw_reason_natpmp(enum igw_reason reason)
{
	return row_of(reason)->natpmp;
}

uint8_t igw_reason_pcp(enum igw_reason reason)
{
	return row_of(reason)->pcp;
}
