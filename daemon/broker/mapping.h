/*
 * Mappings come and go: each change is judged, made in the kernel, then in the table, and
 * told to the log. Adding reserves nothing in the kernel before it is allowed; removing
 * changes the kernel first, so that what the table lists is what the kernel holds. Ended
 * mappings lose their flows.
 */
#ifndef IGDWARD_BROKER_MAPPING_H
#define IGDWARD_BROKER_MAPPING_H

#include "broker.h"
#include "judge.h"

/* Why a mapping ended, as the log says it. */
enum mapping_end {
	MAPPING_DELETED, /* by its owner */
	MAPPING_BY_ADMIN,
	MAPPING_EXPIRED,
	MAPPING_REVOKED,       /* no longer allowed */
	MAPPING_OWNER_CHANGED, /* another host has the owner's address */
	MAPPING_FLUSHED,       /* by a stop with on_stop: flush */
};

/*
 * Adds or renews. Fills the answer to the worker (reason, lease, port); never fails
 * otherwise. `description` is clean text.
 */
void mapping_add(struct broker *broker, const struct judge_request *request, bool enabled,
	const char *description, int64_t now_ms, struct igw_map_result *ret);

/* Ends these mappings, at most TABLE_MAPPINGS_MAX, in one transaction. Returns 0, or
 * -errno with all of them as they were. */
int mapping_end(struct broker *broker, struct mapping **mappings, size_t n,
	enum mapping_end why, int64_t now_ms);

/* Ends what is due. What the kernel refuses is tried again a second later. */
void mapping_expire(struct broker *broker, int64_t now_ms);

/* Ends all mappings. Returns 0 or -errno. */
int mapping_flush(struct broker *broker, int64_t now_ms);

/* Counts a refusal and tells the log, at a bounded rate. `rule` is the policy's rule that
 * denied it (for IGW_RULE), `what` is clean text. */
void mapping_note_refusal(struct broker *broker, const struct link *link,
	const struct igw_addr *client, enum igw_reason reason, const char *rule,
	const char *what, int64_t now_ms);

/* For the modules that change many mappings at once. */

struct mapping_ending {
	struct mapping **mappings;
	size_t n;
};

/* A kernel_collect_fn: `arg` is a struct mapping_ending. Puts the end of these mappings
 * and the cut of their flows into the batch. */
void mapping_collect_ending(struct broker *broker, void *arg);

/* One line about a mapping. */
void mapping_log(const char *event, const struct mapping *mapping, const char *why);

/* The word for the log. */
const char *mapping_end_word(enum mapping_end why);

/* The table has changed: workers are told. */
void mapping_changed(struct broker *broker);

#endif
