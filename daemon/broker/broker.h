/*
 * The broker's state, shared by its modules. The broker decides about every request,
 * holds the mapping table and is the only process that changes the kernel. It handles one
 * event at a time and reads no packet from the network; what workers send is taken as if
 * an attacker had written it.
 *
 * Which module calls which: main starts all; parent_link, workers and control take what
 * comes in, workers hands it to dispatch; these and links (what the network does) call
 * mapping and rejudge, which call judge, kernel and batch; all know table, fw, ct and
 * net.
 */
#ifndef IGDWARD_BROKER_H
#define IGDWARD_BROKER_H

#include "batch.h"
#include "config.h"
#include "ct.h"
#include "ev.h"
#include "fw.h"
#include "fw_watch.h"
#include "igdward/exit.h"
#include "igdward/msg.h"
#include "net.h"
#include "policy.h"
#include "table.h"

#include <stdbool.h>
#include <stdint.h>

struct broker;

/* A LAN link: an interface that a worker serves. */
struct link {
	char name[IGW_IFNAME_MAX + 1];
	struct net_addr addrs[NET_ADDRS_MAX]; /* as of the last look */
	size_t n_addrs;

	struct broker *broker;
	struct ev_source channel; /* to its worker; fd -1 = none */
	bool told;		  /* the worker was sent its IGW_LINK */
	bool was_served;	  /* it served before */
	bool rejudge;		  /* its mappings still have to be judged anew */
	uint16_t http_port;	  /* 0 = not serving */
	uint32_t generation;	  /* of the worker, as the parent numbers them */
	uint32_t workers;	  /* started so far */
	uint32_t refused_left;	  /* syntax refusals it may report this second */
	uint32_t log_left;	  /* log lines */
	int64_t budget_ms;	  /* when the two were filled up */
};

struct control;

struct broker {
	struct ev *ev;
	struct net *net;
	struct fw *fw;
	struct ct *ct;
	struct table *table;
	struct batch batch;
	struct policy *policy;
	struct config config;
	struct igw_start start;
	struct fw_settings fw_settings;
	struct fw_links fw_links; /* as the kernel has them, or should */

	struct ev_source parent;
	struct ev_source network;
	struct ev_source tables; /* news of nf_tables */
	struct fw_watch *watch;
	struct control *control;
	struct link links[IGW_LINKS_MAX];
	size_t n_links;
	bool orphaned;	/* the parent is gone: nothing in the kernel is to be changed */
	bool installed; /* the tables are in the kernel by this run */
	bool ready;	/* all links were served at least once */
	int exit_code;

	char wan[IGW_IFNAME_MAX + 1]; /* the external interface, or the last one known */
	struct igw_addr wan_addr;     /* none = down */
	bool wan_refused; /* the default route leads where the WAN cannot be */
	int64_t wan_since_ms;

	int64_t started_ms, started_s, policy_loaded_s;
	bool policy_stale;
	bool changed;	       /* workers are to be told */
	int64_t changed_at_ms; /* when they were told last */
	int64_t retry_at_ms;   /* not before: what the kernel refused */
	bool links_behind;     /* the kernel did not take fw_links yet */
	int64_t owners_checked_ms;
	int64_t restore_at_ms;		       /* our tables are put back then; 0 = not */
	int64_t contest_ms;		       /* when somebody last changed them */
	uint32_t restores;		       /* in the last minute */
	char contested_by[FW_CULPRIT_MAX + 1]; /* "" = nobody */
	uint32_t reloads_wanted;	       /* numbers what control clients ask for */
	uint32_t update_id;
	uint32_t granted;
	uint32_t refused[IGW_REASON_COUNT];
	char last_refusal[IGW_LOG_TEXT_MAX + 1];
	struct bucket refusal_log; /* lines about refusals */
	uint32_t refusals_unlogged;
};

/* Seconds since 1970, for what people read and for rules with an end date. */
int64_t broker_wall_s(void);

/* The monotonic clock at this very moment, for what must not trust the loop's time. */
int64_t broker_now_ms(void);

/* Sets the loop's timer to the next thing that is due. */
void broker_schedule(struct broker *broker);

/* What the kernel refused is to be tried again in a second. */
void broker_retry(struct broker *broker, int64_t now_ms);

#endif
