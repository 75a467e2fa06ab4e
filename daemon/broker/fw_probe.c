#include "fw_probe.h"

#include "fw_batch.h"
#include "fw_elem.h"

#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>

/* Never to be seen: the transaction that makes them is not committed. Not our own names,
 * because those tables may be there and belong to another process. */
#define PROBE_TABLE "igdward_probe"
#define PROBE_OWNED "igdward_probe_owned"
#define PROBE_MAP   "map"

enum { PROBE_INET, PROBE_COUNTERS, PROBE_DESTROY, PROBE_PERSIST, PROBES };

static void probe_table(struct fw *fw, const char *name, uint32_t flags)
{
	struct nlmsghdr *nlh = fw_batch_msg(fw, NFT_MSG_NEWTABLE, NLM_F_CREATE);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htobe32(flags));
	fw_batch_close(fw, nlh);
}

/* A map like dnat4, with a counter in each element. */
static void probe_map(struct fw *fw)
{
	struct nlmsghdr *nlh = fw_batch_msg(fw, NFT_MSG_NEWSET, NLM_F_CREATE);
	struct nlattr *expr;

	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, PROBE_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, PROBE_MAP);
	mnl_attr_put_u32(nlh, NFTA_SET_FLAGS, htobe32(NFT_SET_MAP | NFT_SET_TIMEOUT));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_TYPE, htobe32(0));
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_LEN, htobe32(8));
	mnl_attr_put_u32(nlh, NFTA_SET_DATA_TYPE, htobe32(0));
	mnl_attr_put_u32(nlh, NFTA_SET_DATA_LEN, htobe32(8));
	mnl_attr_put_u32(nlh, NFTA_SET_ID, htobe32(1));
	expr = mnl_attr_nest_start(nlh, NFTA_SET_EXPR);
	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "counter");
	mnl_attr_nest_end(nlh, mnl_attr_nest_start(nlh, NFTA_EXPR_DATA));
	mnl_attr_nest_end(nlh, expr);
	fw_batch_close(fw, nlh);
}

static void probe_destroy(struct fw *fw)
{
	struct fw_elems e = { .fw = fw,
		.table = PROBE_TABLE,
		.set = PROBE_MAP,
		.type = FW_MSG_DESTROYSETELEM };
	uint8_t key[8] = { 0 };

	fw_elems_key(&e, key, sizeof(key));
	fw_elems_end(&e);
}

int fw_probe(struct fw *fw)
{
	int results[PROBES] = { 0 };
	int r;

	fw_batch_start(fw);
	probe_table(fw, PROBE_TABLE, 0);
	probe_map(fw);
	probe_destroy(fw);
	probe_table(fw, PROBE_OWNED, FW_OWNER_FLAGS);
	r = fw_batch_probe(fw, results, PROBES);
	if (r < 0)
		return r;
	if (results[PROBE_INET] == -EAFNOSUPPORT)
		return -EOPNOTSUPP; /* nf_tables without the inet family */
	if (results[PROBE_INET] < 0)
		return results[PROBE_INET];
	fw->has_counters = results[PROBE_COUNTERS] == 0;
	fw->has_destroy = results[PROBE_DESTROY] == 0;
	fw->has_persist = results[PROBE_PERSIST] == 0;
	return 0;
}
