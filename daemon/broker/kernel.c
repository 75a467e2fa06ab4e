#include "kernel.h"

#include "links.h"
#include "log.h"

#include <errno.h>
#include <string.h>

int kernel_install(struct broker *broker, int64_t now_ms)
{
	struct batch *batch = &broker->batch;
	struct table_end end;
	struct mapping *mapping;
	uint32_t at = 0;

	batch_clear_ops(batch);
	while ((mapping = table_next(broker->table, &at)))
		batch_fw_mapping(mapping, now_ms, &batch->mappings[batch->n_mappings++]);
	at = 0;
	while (table_next_end(broker->table, &at, &end))
		batch_end(batch, FW_END_SET, end.protocol, &end.addr, end.port,
			end.expires_ms, now_ms);
	return fw_install(broker->fw, &broker->fw_settings, &broker->fw_links,
		batch->mappings, batch->n_mappings, batch->endpoints, batch->n_endpoints);
}

static int put_back(struct broker *broker, int64_t now_ms)
{
	log_warning("event=tables-lost text=\"an nftables table of ours is gone, putting "
		    "both back\"");
	return kernel_install(broker, now_ms);
}

int kernel_apply(
	struct broker *broker, kernel_collect_fn collect, void *arg, int64_t now_ms)
{
	int r;

	batch_clear(&broker->batch);
	collect(broker, arg);
	if (broker->batch.n_ops == 0)
		return 0;
	r = fw_apply(broker->fw, broker->batch.ops, broker->batch.n_ops);
	if (r == -ENOENT) {
		r = put_back(broker, now_ms);
		batch_clear(&broker->batch);
		collect(broker, arg);
		if (r == 0)
			r = fw_apply(broker->fw, broker->batch.ops, broker->batch.n_ops);
	} else if (r == -ENOBUFS || r == -ETIMEDOUT) {
		/* The change may be in force: what was not acknowledged must not be. */
		kernel_install(broker, now_ms);
	}
	if (r < 0)
		log_error("event=kernel-refused text=\"nf_tables: %s\"", strerror(-r));
	return r;
}

void kernel_cut_flows(struct broker *broker)
{
	int n;

	if (broker->batch.n_matches == 0)
		return;
	n = ct_cut(broker->ct, broker->batch.matches, broker->batch.n_matches);
	if (n < 0)
		log_error("event=flows-not-cut text=\"conntrack: %s\"", strerror(-n));
	else
		log_debug("event=flows-cut count=%d", n);
}

void kernel_set_links(struct broker *broker, int64_t now_ms)
{
	struct fw_links links;
	int r;

	links_fill(broker, &links);
	if (!broker->links_behind &&
		memcmp(&links, &broker->fw_links, sizeof(links)) == 0)
		return;
	broker->fw_links = links;
	r = fw_set_links(broker->fw, &links);
	if (r == -ENOENT)
		r = put_back(broker, now_ms);
	broker->links_behind = r < 0;
	if (r < 0) {
		log_error(
			"event=kernel-refused text=\"nf_tables sets: %s\"", strerror(-r));
		broker_retry(broker, now_ms);
	}
}

bool kernel_behind(const struct broker *broker)
{
	return broker->links_behind || broker->restore_at_ms != 0;
}

int kernel_counters(struct broker *broker, struct fw_counters *ret, int64_t now_ms)
{
	int r = fw_counters(broker->fw, ret);

	if (r == -ENOENT) {
		r = put_back(broker, now_ms);
		if (r == 0)
			r = fw_counters(broker->fw, ret);
	}
	if (r < 0)
		log_error("event=floor-unread text=\"nf_tables: %s\"", strerror(-r));
	return r;
}
