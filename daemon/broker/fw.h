/*
 * The broker's hand on nftables: the tables `inet igdward` (mappings) and
 * `inet igdward_floor` (what may never pass), through libnftnl and libmnl.
 *
 * Every change is one nf_tables transaction: it is in the kernel as a whole when the call
 * returns 0, and not at all when it fails. No rule is added or removed while running:
 * mappings are elements of maps, whose kernel timeout is the lease, so that they end even
 * when every process of ours is dead. Each element carries its lease record as private
 * binary userdata, never as a comment, so the kernel is our database across restarts.
 * Only tables of these two names are ever touched. Used by the broker only.
 */
#ifndef IGDWARD_BROKER_FW_H
#define IGDWARD_BROKER_FW_H

#include "igdward/addr.h"
#include "igdward/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	FW_RECORD_MAX = 200, /* bytes of userdata we use; the kernel takes up to 254 */
	FW_ADDRS_MAX = 16,   /* IPv4 addresses of the WAN link */
	FW_PORTS_MAX = IGW_LINKS_MAX,
};

struct fw;

/* What the rules are built from; fixed for one run. */
struct fw_settings {
	uint32_t mark;	       /* the one bit set on forwarded packets of mappings */
	uid_t worker_uid;      /* may send to LAN links only */
	bool hairpin;	       /* LAN hosts reach mappings under the WAN address */
	bool block_smb_egress; /* LAN -> WAN SMB is dropped too */
	bool own_tables;       /* OWNER|PERSIST where the kernel has it (6.9) */
};

/* What the sets are filled from; follows the network. */
struct fw_links {
	char wan[IGW_IFNAME_MAX + 1]; /* "" = none at present */
	struct igw_addr wan_addrs[FW_ADDRS_MAX];
	size_t n_wan_addrs;
	char lan[IGW_LINKS_MAX][IGW_IFNAME_MAX + 1];
	size_t n_lan;
	uint16_t http_ports[FW_PORTS_MAX]; /* our own HTTP servers, host order */
	size_t n_http_ports;
};

/* One mapping as the kernel holds it. */
struct fw_mapping {
	uint8_t protocol;	/* enum igw_protocol */
	bool enabled;		/* a disabled mapping is kept in a map no rule looks at */
	uint16_t external_port; /* host order */
	uint16_t internal_port;
	struct igw_addr remote_host; /* none = any */
	struct igw_addr internal_client;
	uint64_t timeout_ms; /* the lease that is left, at least 1 */
	uint8_t record[FW_RECORD_MAX];
	size_t record_len;
};

/* An internal end (address, protocol, port) that some mapping leads to. */
struct fw_endpoint {
	uint8_t protocol;
	uint16_t port;
	struct igw_addr addr;
	uint64_t timeout_ms;
};

enum fw_op_kind {
	FW_MAP_SET, /* add the mapping's element, or replace the one of the same key (the
		       key: protocol, external port, remote host) whatever it held */
	FW_MAP_DEL, /* remove the element of that key; none there is no error */
	FW_END_SET, /* the same two for an internal end */
	FW_END_DEL,
};

struct fw_op {
	enum fw_op_kind kind;
	const struct fw_mapping *mapping;   /* for FW_MAP_* */
	const struct fw_endpoint *endpoint; /* for FW_END_* */
};

/*
 * Opens the netlink sockets. Returns 0; -EPERM without CAP_NET_ADMIN; -EPROTONOSUPPORT or
 * -EOPNOTSUPP when the kernel has no nf_tables; or another -errno.
 */
int fw_open(struct fw **ret);

/* Closes the sockets; the tables stay. NULL is allowed. */
void fw_close(struct fw *fw);

/* Called for each mapping found by fw_load(); a non-zero return ends the walk and is
 * handed on. `timeout_ms` is what is left of it, `record` its userdata as found. */
typedef int (*fw_found_fn)(const struct fw_mapping *mapping, void *arg);

/*
 * Reads all mappings of an earlier run from the kernel, in one dump per map. No table is
 * no error. Elements without a userdata record of ours, without a timeout or with a key
 * or value that is out of shape are not reported and will be gone after fw_install().
 * `disabled` ones come with enabled = false. Returns 0 or -errno.
 */
int fw_load(struct fw *fw, fw_found_fn found, void *arg);

/*
 * Puts both tables into the kernel in one transaction: `inet igdward` is replaced as a
 * whole, with these mappings and endpoints; the floor is created, or brought up to date
 * in the same transaction without a moment in which it is not there. Returns 0 or -errno
 * with the kernel as it was.
 */
int fw_install(struct fw *fw, const struct fw_settings *settings,
	const struct fw_links *links, const struct fw_mapping *mappings,
	size_t n_mappings, const struct fw_endpoint *endpoints, size_t n_endpoints);

/* Brings the sets of interfaces, WAN addresses and control ports of both tables to
 * `links`, in one transaction. Needs fw_install() before. Returns 0 or -errno. */
int fw_set_links(struct fw *fw, const struct fw_links *links);

/*
 * Applies all `n` operations in order, in one transaction, or none of them. The cost does
 * not grow with the number of mappings in the kernel. Returns 0 or -errno (-ENOENT: one
 * of our tables is gone).
 */
int fw_apply(struct fw *fw, const struct fw_op *ops, size_t n);

/* Removes the table of mappings; the floor stays. No table is no error. */
int fw_remove_mappings(struct fw *fw);

/* Removes both tables (igdwardd --teardown). */
int fw_teardown(struct fw *fw);

/* What the floor has dropped since its table was made, packets by kind. */
struct fw_counters {
	uint64_t smb_dnat;   /* DNATed towards an SMB port */
	uint64_t smb_routed; /* WAN -> LAN to an SMB port, routed */
	uint64_t smb_egress; /* LAN -> WAN to an SMB port */
	uint64_t proxy;	     /* WAN -> WAN with DNAT */
	uint64_t off_lan;    /* one of our mappings' packets not leaving to a LAN link */
	uint64_t router;     /* WAN -> the router itself with DNAT */
	uint64_t control;    /* WAN -> our control ports */
	uint64_t worker;     /* packets of a worker to anywhere but the LAN */
};

/* Reads the counters. Returns 0 or -errno (-ENOENT: a table is gone). */
int fw_counters(struct fw *fw, struct fw_counters *ret);

/* True when the tables are owned by our socket (nobody else can change them). */
bool fw_owned(const struct fw *fw);

#endif
