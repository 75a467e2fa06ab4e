#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum {
	FIRST_FD = 3,
	FDS_MAX = 1024, /* more than RLIMIT_NOFILE of a worker allows */
	UDP_HEADER = 8,
	IPV4_SOURCE_AT = 12, /* in the IP header */
	V4_MAPPED_BITS = 96,
	/* The shortest search is "M-SEARCH * HTTP/1.1", HOST:1.1.1.1:1900,
	 * MAN:"ssdp:discover", ST:ssdp:all and the empty line: 76 bytes. */
	SEARCH_MIN = 60,
	UNPRIVILEGED_PORT = 1024,
};

struct found {
	int fd;
	int type; /* SOCK_STREAM or SOCK_DGRAM */
	bool listens;
	bool is_v6;
	uint16_t port;
	uint32_t addr; /* IPv4, host order */
};

/* Looks at one descriptor. False when it is no socket of the library's kinds. */
static bool look(int fd, struct found *ret)
{
	struct found found = { .fd = fd };
	struct sockaddr_storage name = { 0 };
	socklen_t len = sizeof(name), size = sizeof(int);
	struct sockaddr_in in;
	int listens = 0;

	if (getsockname(fd, (struct sockaddr *)&name, &len) < 0 ||
		(name.ss_family != AF_INET && name.ss_family != AF_INET6) ||
		getsockopt(fd, SOL_SOCKET, SO_TYPE, &found.type, &size) < 0)
		return false;
	size = sizeof(listens);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0)
		return false;
	/* The port stands at the same place in both families' addresses. */
	memcpy(&in, &name, sizeof(in));
	found.listens = listens != 0;
	found.is_v6 = name.ss_family == AF_INET6;
	found.port = ntohs(in.sin_port);
	found.addr = found.is_v6 ? 0 : ntohl(in.sin_addr.s_addr);
	*ret = found;
	return true;
}

/* Calls `guard` for every socket that `is_wanted`. */
static int for_each(bool (*is_wanted)(const struct found *found),
	int (*guard)(const struct found *found, const void *arg), const void *arg)
{
	struct found found;
	int r = -ENOENT;

	for (int fd = FIRST_FD; fd < FDS_MAX; fd++) {
		if (!look(fd, &found) || !is_wanted(&found))
			continue;
		r = guard(&found, arg);
		if (r < 0)
			return r;
	}
	return r;
}

static int set_filter(int fd, struct sock_filter *filter, unsigned short n)
{
	const struct sock_fprog program = { .len = n, .filter = filter };
	const int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

static int deafen(int fd)
{
	struct sock_filter nothing[] = { BPF_STMT(BPF_RET | BPF_K, 0) };

	return set_filter(fd, nothing, 1);
}

static int bind_device(int fd, const char *interface)
{
	socklen_t len = (socklen_t)strlen(interface) + 1;

	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, len) < 0 ? -errno
									       : 0;
}

/* ---- searches -------------------------------------------------------------- */

unsigned short sockets_search_filter(
	const struct igw_prefix *lan, struct sock_filter ret[SOCKETS_FILTER_MAX])
{
	const uint32_t mask = UINT32_MAX << (V4_MAPPED_BITS + 32 - lan->len);
	/* The packet begins with the UDP header. A load past its end drops it, too. A
	 * source port below 1024 is a service of a victim, in whose name somebody asks
	 * for answers that are many times as large. 1900, from where libtorrent asks, is
	 * above.
	 */
	const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, UDP_HEADER + SEARCH_MIN, 0, 12),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, UNPRIVILEGED_PORT, 0, 10),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, UDP_HEADER),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x4d2d5345, 0, 8), /* "M-SE" */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, UDP_HEADER + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x41524348, 0, 6), /* "ARCH" */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, UDP_HEADER + 8),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x202a2048, 0, 4), /* " * H" */
		BPF_STMT(
			BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + IPV4_SOURCE_AT),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, igw_addr_to_v4(&lan->addr), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	_Static_assert(sizeof(filter) / sizeof(filter[0]) <= SOCKETS_FILTER_MAX, "room");
	memcpy(ret, filter, sizeof(filter));
	return sizeof(filter) / sizeof(filter[0]);
}

struct search_guard {
	const char *interface;
	struct sock_filter *filter;
	unsigned short n;
};

static bool is_search(const struct found *found)
{
	return found->type == SOCK_DGRAM && found->port == SOCKETS_SSDP_PORT;
}

static int guard_search(const struct found *found, const void *arg)
{
	const struct search_guard *guard = arg;
	const int off = 0;
	int r;

	if (found->is_v6)
		return deafen(found->fd);
	r = bind_device(found->fd, guard->interface);
	if (r < 0)
		return r;
	if (setsockopt(found->fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof(off)) < 0)
		return -errno;
	return set_filter(found->fd, guard->filter, guard->n);
}

int sockets_guard_search(const struct igw_link *link, const struct igw_prefix *lan)
{
	struct sock_filter filter[SOCKETS_FILTER_MAX];
	struct search_guard guard = { .interface = link->interface, .filter = filter };

	guard.n = sockets_search_filter(lan, filter);
	return for_each(is_search, guard_search, &guard);
}

/* ---- listeners, stop socket ------------------------------------------------ */

static bool is_listener(const struct found *found)
{
	return found->type == SOCK_STREAM && found->listens;
}

static int guard_listener(const struct found *found, const void *arg)
{
	const struct igw_link *link = arg;

	return found->is_v6 ? deafen(found->fd) : bind_device(found->fd, link->interface);
}

int sockets_guard_listeners(const struct igw_link *link)
{
	return for_each(is_listener, guard_listener, link);
}

static bool is_stop(const struct found *found)
{
	return found->type == SOCK_DGRAM && !found->is_v6 &&
	       found->addr == INADDR_LOOPBACK;
}

static int seal(const struct found *found, const void *arg)
{
	(void)arg;
	return deafen(found->fd);
}

int sockets_seal_stop(void)
{
	return for_each(is_stop, seal, NULL);
}
