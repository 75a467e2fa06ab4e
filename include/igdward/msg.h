/*
 * The messages between igdward's processes, and between the broker and the CLI: fixed
 * sizes, one table of who may send what. A message is one packet of a SOCK_SEQPACKET
 * socket: struct igw_hdr, then the payload that the table names for its id.
 *
 * Ports, addresses' numbers and times are in host order (all ends are on one machine).
 * Strings are NUL-terminated inside their field, and the rest of the field is zero.
 * Requests carry a sequence number chosen by the sender; the answer repeats it.
 */
#ifndef IGDWARD_MSG_H
#define IGDWARD_MSG_H

#include "igdward/addr.h"
#include "igdward/reason.h"
#include "igdward/text.h"
#include "igdward/types.h"

#include <stddef.h>
#include <stdint.h>

enum {
	IGW_MSG_MAX = 1024,  /* bytes of the largest message, header included */
	IGW_MSG_FDS_MAX = 3, /* descriptors that one message can carry */
	IGW_MSG_TEXT_MAX = 511,
	IGW_LOG_TEXT_MAX = 191,
	IGW_PATH_MAX = 255,
	IGW_CHANNEL_FD = 3, /* where a child finds its channel */
};

/* Who sends; a bit each. */
enum igw_sender {
	IGW_PARENT = 1,
	IGW_BROKER = 2,
	IGW_UPNP = 4,
	IGW_CTL = 8, /* a client of the control socket */
};

struct igw_hdr {
	uint32_t id;
	uint32_t seq;
};

struct igw_empty {
	uint32_t zero;
};

/* parent -> broker, once, with: config (JSON, memfd), policy (JSON, memfd), listening
 * control socket */
struct igw_start {
	uint32_t worker_uid;
	uint8_t check_only;	 /* judge config, policy and interfaces; change nothing */
	uint8_t policy_readable; /* 0: there is no policy file; the memfd is empty */
	uint8_t pad[2];
	char config_path[IGW_PATH_MAX + 1];
	char policy_path[IGW_PATH_MAX + 1];
	char uuid[IGW_UUID_TEXT];
};

/* broker -> parent: kernel and policy are in place, start this many workers */
struct igw_started {
	uint32_t workers;
};

/* parent -> broker: a worker for LAN link `link` is being started, with its channel */
struct igw_worker {
	uint32_t link;
};

/* broker -> parent: end that worker, a fresh one is wanted */
struct igw_worker_kill {
	uint32_t link;
	char why[IGW_LOG_TEXT_MAX + 1];
};

/* parent -> broker: load this policy (memfd) */
struct igw_policy_load {
	char path[IGW_PATH_MAX + 1];
};

/* The outcome of a load: broker -> parent; or parent -> broker when the file could not
 * even be read. `error` 0 = loaded, else a positive errno. */
struct igw_policy_result {
	uint32_t error;
	char text[IGW_MSG_TEXT_MAX + 1]; /* the error or the first warning, "" = none */
};

/* broker -> worker, first message: what to serve */
struct igw_link {
	uint32_t link;
	char interface[IGW_IFNAME_MAX + 1];
	struct igw_addr addr; /* the link's first IPv4 address */
	uint8_t prefix_len;   /* in IPv4 bits */
	uint8_t igd_version;
	uint16_t http_port; /* wanted; 0 = any */
	uint32_t log_level; /* as enum log_level */
	char uuid[IGW_UUID_TEXT];
	char friendly_name[IGW_NAME_MAX + 1];
};

/* worker -> broker: serving on this port */
struct igw_serving {
	uint16_t http_port;
	uint8_t pad[2];
};

/* worker -> broker: AddPortMapping */
struct igw_map_add {
	struct igw_addr client; /* as seen on the wire */
	struct igw_addr internal_client;
	struct igw_addr remote_host; /* none = any */
	uint64_t asked_ms; /* monotonic clock: a broker that was held up must not grant
			      what the client was told has failed */
	uint32_t lease_s;
	uint16_t external_port;
	uint16_t internal_port;
	uint8_t protocol;
	uint8_t enabled;
	uint8_t via;
	uint8_t pad;
	char description[IGW_DESCRIPTION_MAX + 1];
};

/* worker -> broker: DeletePortMapping and GetSpecificPortMappingEntry */
struct igw_map_key {
	struct igw_addr client;
	struct igw_addr remote_host;
	uint16_t external_port;
	uint8_t protocol;
	uint8_t via;
};

/* worker -> broker: the client's own mapping of that index, from 0 */
struct igw_map_index {
	struct igw_addr client;
	uint32_t index;
};

/* broker -> worker: answer to add and delete */
struct igw_map_result {
	uint32_t reason; /* enum igw_reason */
	uint32_t lease_s;
	uint16_t external_port;
	uint8_t pad[2];
};

/* broker -> worker: answer to get and index; all but `reason` is zero on refusal */
struct igw_map_entry {
	uint32_t reason;
	uint32_t lease_s; /* what is left, at least 1 */
	struct igw_addr remote_host;
	struct igw_addr internal_client;
	uint16_t external_port;
	uint16_t internal_port;
	uint8_t protocol;
	uint8_t enabled;
	uint8_t pad[2];
	char description[IGW_DESCRIPTION_MAX + 1];
};

/* broker -> worker: answer to IGW_WAN_GET */
struct igw_wan {
	struct igw_addr addr; /* external address; none = the WAN link is down */
	uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets;
	uint64_t bits_per_s; /* link rate as the driver tells it, 0 = unknown */
	uint32_t uptime_s;   /* since the WAN link got its address */
	uint8_t link_up;
	uint8_t pad[3];
};

/* broker -> worker, unasked: what clients that subscribed to events want to know */
struct igw_changed {
	struct igw_addr addr; /* external address, none = down */
	uint32_t mappings;    /* number of all mappings */
	uint32_t update_id;   /* +1 with every change of the table */
};

/* worker -> broker: refused before it became a request (log and statistics) */
struct igw_refused {
	struct igw_addr client;
	uint32_t reason;
	char what[IGW_LOG_TEXT_MAX + 1]; /* clean text: action and argument */
};

/* worker -> broker: a line for the log */
struct igw_log_line {
	uint32_t level;
	char text[IGW_LOG_TEXT_MAX + 1];
};

/* CLI -> broker */
struct igw_ctl_id {
	uint32_t mapping;
};

struct igw_ctl_explain {
	struct igw_addr client;
	struct igw_addr internal_client; /* none = the client */
	struct igw_addr remote_host;
	uint32_t lease_s;
	uint16_t external_port;
	uint16_t internal_port;
	uint8_t protocol;
	uint8_t via;
	uint8_t pad[2];
};

/* broker -> CLI: one mapping */
struct igw_ctl_mapping {
	uint32_t mapping; /* its id, shown as eight hexadecimal digits */
	uint32_t lease_remaining_s;
	uint32_t connections;	/* flows at this moment */
	uint32_t lease_s;	/* as granted */
	int64_t created_s;	/* wall clock, seconds since 1970 */
	struct igw_addr client; /* who asked for it */
	struct igw_addr internal_client;
	struct igw_addr remote_host;
	struct igw_mac mac;
	uint16_t external_port;
	uint16_t internal_port;
	uint8_t protocol;
	uint8_t via;
	uint8_t enabled;
	uint8_t pad[5];
	char interface[IGW_IFNAME_MAX + 1];
	char rule[IGW_RULE_NAME_MAX + 1];
	char description[IGW_DESCRIPTION_MAX + 1];
};

/* broker -> CLI: answer to status, followed by one igw_ctl_link per LAN link */
struct igw_ctl_status {
	int64_t started_s;	 /* wall clock */
	int64_t policy_loaded_s; /* wall clock; of the policy in force */
	uint32_t uptime_s;
	uint32_t wan_uptime_s;
	uint32_t mappings;
	uint32_t clients; /* that hold mappings */
	uint32_t limit_total;
	uint32_t limit_per_client;
	uint32_t rules;
	uint32_t restarts;		    /* of workers */
	uint32_t granted;		    /* requests answered with success */
	uint32_t refused[IGW_REASON_COUNT]; /* by reason */
	uint64_t floor_smb, floor_proxy, floor_router, floor_control, floor_egress;
	struct igw_addr wan_addr;
	uint8_t wan_up;
	uint8_t tables_owned;
	uint8_t policy_stale;	/* a later file was refused; the one in force is older */
	uint8_t tables_missing; /* nftables tables of ours are gone or cannot be read */
	uint8_t kernel_behind;	/* the kernel refused a change, which is tried again */
	uint8_t pad[3];
	char wan[IGW_IFNAME_MAX + 1];
	char contested_by[16]; /* who changes our tables again and again, "" = nobody */
	char policy_path[IGW_PATH_MAX + 1];
	char last_refusal[IGW_LOG_TEXT_MAX + 1];
	char version[16];
};

struct igw_ctl_link {
	char interface[IGW_IFNAME_MAX + 1];
	struct igw_addr addr;
	uint32_t restarts;
	uint16_t http_port; /* 0 = not serving */
	uint8_t prefix_len;
	uint8_t pad;
};

/* broker -> CLI: answer to explain */
struct igw_ctl_verdict {
	uint32_t reason;
	uint32_t lease_s;
	char rule[IGW_RULE_NAME_MAX + 1];   /* "" = none */
	char interface[IGW_IFNAME_MAX + 1]; /* the client's link, "" = none */
	struct igw_mac mac;		    /* the client's, none = not known */
	uint8_t pad[2];
};

/* How a request of the CLI ended; always the last message of an answer. */
enum igw_ctl_code {
	IGW_CTL_OK,
	IGW_CTL_FAILED,
	IGW_CTL_NOT_FOUND,
	IGW_CTL_DENIED,	 /* needs root */
	IGW_CTL_INVALID, /* the policy file is not valid */
};

struct igw_ctl_done {
	uint32_t code; /* enum igw_ctl_code */
	char text[IGW_MSG_TEXT_MAX + 1];
};

/* X(id, payload, descriptors carried, who may send it) */
#define IGW_MSGS(X)                                                                      \
	X(IGW_START, struct igw_start, 3, IGW_PARENT)                                    \
	X(IGW_STARTED, struct igw_started, 0, IGW_BROKER)                                \
	X(IGW_READY, struct igw_empty, 0, IGW_BROKER)                                    \
	X(IGW_WORKER, struct igw_worker, 1, IGW_PARENT)                                  \
	X(IGW_WORKER_KILL, struct igw_worker_kill, 0, IGW_BROKER)                        \
	X(IGW_POLICY_LOAD, struct igw_policy_load, 1, IGW_PARENT)                        \
	X(IGW_POLICY_WANTED, struct igw_empty, 0, IGW_BROKER)                            \
	X(IGW_POLICY_RESULT, struct igw_policy_result, 0, IGW_BROKER | IGW_PARENT)       \
	X(IGW_LINK, struct igw_link, 0, IGW_BROKER)                                      \
	X(IGW_SERVING, struct igw_serving, 0, IGW_UPNP)                                  \
	X(IGW_MAP_ADD, struct igw_map_add, 0, IGW_UPNP)                                  \
	X(IGW_MAP_DELETE, struct igw_map_key, 0, IGW_UPNP)                               \
	X(IGW_MAP_GET, struct igw_map_key, 0, IGW_UPNP)                                  \
	X(IGW_MAP_INDEX, struct igw_map_index, 0, IGW_UPNP)                              \
	X(IGW_MAP_RESULT, struct igw_map_result, 0, IGW_BROKER)                          \
	X(IGW_MAP_ENTRY, struct igw_map_entry, 0, IGW_BROKER)                            \
	X(IGW_WAN_GET, struct igw_empty, 0, IGW_UPNP)                                    \
	X(IGW_WAN, struct igw_wan, 0, IGW_BROKER)                                        \
	X(IGW_CHANGED, struct igw_changed, 0, IGW_BROKER)                                \
	X(IGW_REFUSED, struct igw_refused, 0, IGW_UPNP)                                  \
	X(IGW_LOG, struct igw_log_line, 0, IGW_UPNP)                                     \
	X(IGW_CTL_STATUS, struct igw_empty, 0, IGW_CTL)                                  \
	X(IGW_CTL_LIST, struct igw_empty, 0, IGW_CTL)                                    \
	X(IGW_CTL_SHOW, struct igw_ctl_id, 0, IGW_CTL)                                   \
	X(IGW_CTL_DELETE, struct igw_ctl_id, 0, IGW_CTL)                                 \
	X(IGW_CTL_EXPLAIN, struct igw_ctl_explain, 0, IGW_CTL)                           \
	X(IGW_CTL_RELOAD, struct igw_empty, 0, IGW_CTL)                                  \
	X(IGW_CTL_STATUS_IS, struct igw_ctl_status, 0, IGW_BROKER)                       \
	X(IGW_CTL_LINK_IS, struct igw_ctl_link, 0, IGW_BROKER)                           \
	X(IGW_CTL_MAPPING_IS, struct igw_ctl_mapping, 0, IGW_BROKER)                     \
	X(IGW_CTL_VERDICT_IS, struct igw_ctl_verdict, 0, IGW_BROKER)                     \
	X(IGW_CTL_DONE, struct igw_ctl_done, 0, IGW_BROKER)

enum igw_msg_id {
	IGW_MSG_NONE = 0,
#define X(id, payload, fds, sender) id,
	IGW_MSGS(X)
#undef X
		IGW_MSG_COUNT
};

#define X(id, payload, fds, sender)                                                      \
	_Static_assert(sizeof(struct igw_hdr) + sizeof(payload) <= IGW_MSG_MAX, #id);    \
	_Static_assert(fds <= IGW_MSG_FDS_MAX, #id);
IGW_MSGS(X)
#undef X

/* Payload bytes of a message id; 0 when there is no such message. */
size_t igw_msg_size(uint32_t id);

/* Descriptors that a message of that id carries. */
unsigned igw_msg_fds(uint32_t id);

/* Name of a message id for logs; "?" when there is none. */
const char *igw_msg_name(uint32_t id);

/*
 * The one check of a received message: a known id, that `sender` may send, of exactly its
 * length and number of descriptors. Returns 0, or -EBADMSG. `buf` holds `len` bytes.
 */
int igw_msg_check(const void *buf, size_t len, unsigned n_fds, enum igw_sender sender);

/* True when the fixed field holds a NUL; a message whose text does not is a breach of the
 * protocol, as receivers must not read past the field. */
bool igw_msg_text_ok(const char *field, size_t size);

#endif
