#include "fw.h"

#include "fw_batch.h"
#include "fw_dump.h"
#include "fw_elem.h"
#include "fw_skeleton.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>

/* All that fw_install() is given. */
struct image {
	const struct fw_settings *settings;
	const struct fw_links *links;
	const struct fw_mapping *mappings;
	size_t n_mappings;
	const struct fw_endpoint *endpoints;
	size_t n_endpoints;
	bool own;
};

static int image_check(const struct image *im)
{
	/* Without a bit every packet would count as marked; a worker that is root would
	 * take the router's own services off the net. */
	if (im->settings->mark == 0 || im->settings->worker_uid == 0)
		return -EINVAL;
	for (size_t i = 0; i < im->n_mappings; i++) {
		if (!fw_mapping_ok(&im->mappings[i]))
			return -EINVAL;
	}
	for (size_t i = 0; i < im->n_endpoints; i++) {
		if (!fw_endpoint_ok(&im->endpoints[i]))
			return -EINVAL;
	}
	return fw_links_check(im->links);
}

/* A table with its chains, sets and rules. */
static void put_skeleton(
	struct fw *fw, const char *table, const struct image *im, bool keep)
{
	if (!keep)
		fw_put_no_table(fw, table);
	fw_put_table(fw, table, fw_frame_of(fw, table, im->settings).stamp, im->own);
	fw_put_frame(fw, table, im->settings);
	fw_put_no_rules(fw, table);
	fw_put_rules(fw, table, im->settings);
}

static struct fw_elems refill(struct fw *fw, const char *set)
{
	fw_elems_flush(fw, FW_TABLE, set);
	return (struct fw_elems){ .fw = fw,
		.table = FW_TABLE,
		.set = set,
		.type = NFT_MSG_NEWSETELEM,
		.flags = NLM_F_CREATE | NLM_F_EXCL };
}

static void put_mappings(struct fw *fw, const struct image *im)
{
	struct fw_elems e;

	for (enum fw_map map = 0; map < FW_MAPS; map++) {
		e = refill(fw, fw_map_name(map));
		for (size_t i = 0; i < im->n_mappings; i++) {
			if (fw_map_of(&im->mappings[i]) == map)
				fw_elems_mapping(&e, map, &im->mappings[i]);
		}
		fw_elems_end(&e);
	}
	e = refill(fw, "in4");
	for (size_t i = 0; i < im->n_endpoints; i++)
		fw_elems_endpoint(&e, &im->endpoints[i]);
	fw_elems_end(&e);
}

static int install(
	struct fw *fw, const struct image *im, bool keep_floor, bool keep_table)
{
	fw_batch_start(fw);
	put_skeleton(fw, FW_FLOOR, im, keep_floor);
	fw_put_floor_ports(fw, !keep_floor);
	fw_put_links(fw, FW_FLOOR, im->links, !keep_floor);
	put_skeleton(fw, FW_TABLE, im, keep_table);
	fw_put_links(fw, FW_TABLE, im->links, !keep_table);
	put_mappings(fw, im);
	return fw_batch_commit(fw);
}

/*
 * Whether a table can be brought up to date. Its flags must be right: they cannot be
 * changed but by taking over one whose owner is gone. What is missing in it is made
 * again; what is too much was put there by somebody else, and goes only with the whole
 * table.
 */
static bool fits(struct fw *fw, const char *table, const struct image *im)
{
	const struct fw_frame frame = fw_frame_of(fw, table, im->settings);
	const uint32_t flags = im->own ? FW_OWNER_FLAGS : NFT_TABLE_F_OWNER;
	struct fw_table_info info = { 0 };

	if (fw_dump_table(fw, table, &info) < 0)
		return false;
	return info.stamped && info.stamp == frame.stamp && info.parts <= frame.parts &&
	       (info.flags | NFT_TABLE_F_OWNER) == flags;
}

/* Whether another try that keeps less may go better: somebody has changed a chain or set
 * so that it cannot be kept. */
static bool try_again(int r)
{
	return r < 0 && r != -EPERM && r != -ENOMEM && r != -ENOBUFS;
}

int fw_install(struct fw *fw, const struct fw_settings *settings,
	const struct fw_links *links, const struct fw_mapping *mappings,
	size_t n_mappings, const struct fw_endpoint *endpoints, size_t n_endpoints)
{
	const struct image im = {
		.settings = settings,
		.links = links,
		.mappings = mappings,
		.n_mappings = n_mappings,
		.endpoints = endpoints,
		.n_endpoints = n_endpoints,
		.own = settings->own_tables && fw->has_persist,
	};
	bool keep_floor, keep_table;
	int r;

	r = image_check(&im);
	if (r < 0)
		return r;
	keep_floor = fits(fw, FW_FLOOR, &im);
	keep_table = fits(fw, FW_TABLE, &im);
	r = install(fw, &im, keep_floor, keep_table);
	if (try_again(r) && keep_table)
		r = install(fw, &im, keep_floor, false);
	if (try_again(r) && keep_floor)
		r = install(fw, &im, false, false);
	if (r < 0)
		return r;
	fw->owned = im.own;
	return 0;
}
