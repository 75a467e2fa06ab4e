/* Asking the kernel by netlink: every question ends, whatever comes. Needs root for a
 * network namespace of its own. */
#include "nl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

static struct nl_reply reply;

static void take_count(const struct nlmsghdr *nlh, void *data)
{
	assert_int_equal(nlh->nlmsg_type, RTM_NEWLINK);
	++*(int *)data;
}

static struct nlmsghdr *links(struct nl_ask *ask, uint16_t flags)
{
	struct nlmsghdr *nlh = nl_begin(ask, RTM_GETLINK, flags);

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	return nlh;
}

/* A dump of all links: there is only lo. */
static void assert_works(struct nl *nl)
{
	struct nl_ask ask;
	int n = 0;

	assert_int_equal(nl_talk(nl, links(&ask, NLM_F_DUMP), &reply, take_count, &n), 0);
	assert_int_equal(n, 1);
}

static int setup(void **state)
{
	static struct nl nl;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(nl_open(NETLINK_ROUTE, &nl), 0);
	*state = &nl;
	return 0;
}

static int teardown(void **state)
{
	nl_close(*state);
	nl_close(*state);
	return 0;
}

static void test_open(void **state)
{
	struct nl nl = { .fd = -1, .seq = 7 };

	assert_int_equal(nl_open(31, &nl), -EPROTONOSUPPORT);
	assert_int_equal(nl.fd, -1);
	assert_int_equal(nl.seq, 7);
	nl_close(&nl);
	assert_works(*state);
	assert_works(*state);
}

static void test_errors(void **state)
{
	struct nl *nl = *state;
	struct nl_ask ask;
	struct nlmsghdr *nlh = links(&ask, NLM_F_ACK);
	int n = 0;

	/* No link 0: the kernel refuses. */
	assert_int_equal(nl_talk(nl, nlh, &reply, take_count, &n), -EINVAL);
	nlh->nlmsg_type = RTM_NEWNSID + 100;
	assert_int_equal(nl_talk(nl, nlh, &reply, take_count, &n), -EOPNOTSUPP);
	assert_int_equal(n, 0);
	assert_works(nl);
}

/* A question without an answer ends by itself; a late answer disturbs no other one. */
static void test_silence(void **state)
{
	const struct timeval moment = { .tv_usec = 1000 };
	struct nl *nl = *state;
	struct nl_ask ask;
	struct nlmsghdr *nlh = links(&ask, 0);
	struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	int n = 0;

	setsockopt(nl->fd, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof(moment));
	nlh->nlmsg_type = RTM_SETLINK;
	info->ifi_index = 1;
	assert_int_equal(nl_talk(nl, nlh, &reply, take_count, &n), -ETIMEDOUT);
	assert_int_equal(n, 0);
	assert_true(nl->stale);
	nlh->nlmsg_len = sizeof(*nlh) - 1; /* not even a header: the kernel ignores it */
	assert_int_equal(nl_talk(nl, nlh, &reply, take_count, &n), -ETIMEDOUT);
	/* What the next question finds: a dump half done, an answer to something old. */
	nlh = links(&ask, NLM_F_DUMP);
	nlh->nlmsg_seq = nl->seq;
	assert_int_equal(send(nl->fd, nlh, nlh->nlmsg_len, 0), nlh->nlmsg_len);
	assert_works(nl);
	assert_false(nl->stale);
	nlh->nlmsg_seq = nl->seq;
	assert_int_equal(send(nl->fd, nlh, nlh->nlmsg_len, 0), nlh->nlmsg_len);
	nl->stale = true;
	assert_works(nl);
}

/* Others with privilege can write to our port; only the kernel is listened to. */
static void test_foreign(void **state)
{
	struct nl *nl = *state;
	struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_pid = nl->portid };
	struct nl_ask ask;
	struct nlmsghdr *nlh = links(&ask, NLM_F_DUMP);
	struct nl other;
	int n = 0;

	assert_int_equal(nl_open(NETLINK_ROUTE, &other), 0);
	assert_int_equal(nl_receive(nl, &reply, MSG_DONTWAIT), -EAGAIN);
	nlh->nlmsg_type = NLMSG_DONE;
	nlh->nlmsg_seq = nl->seq + 1;
	nlh->nlmsg_pid = nl->portid;
	assert_int_equal(sendto(other.fd, nlh, nlh->nlmsg_len, 0, (struct sockaddr *)&to,
				 sizeof(to)),
		nlh->nlmsg_len);
	assert_int_equal(nl_talk(nl, links(&ask, NLM_F_DUMP), &reply, take_count, &n), 0);
	assert_int_equal(n, 1);
	nl_close(&other);
}

static void test_read(void **state)
{
	_Alignas(8) uint8_t buf[256];
	const struct nlattr *tb[3], *inner[3];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlattr *nest;
	uint64_t big = 7;
	uint32_t value = 7, header = 0;

	(void)state;
	assert_false(nl_read(nlh, &header, sizeof(header), tb, 2));
	mnl_nlmsg_put_extra_header(nlh, sizeof(header));
	assert_true(nl_read(nlh, &header, sizeof(header), tb, 2));
	assert_null(tb[1]);
	mnl_attr_put_u32(nlh, 1, 5);
	mnl_attr_put_u32(nlh, 1, 6);
	mnl_attr_put_u32(nlh, 9, 7); /* beyond what is asked for */
	nest = mnl_attr_nest_start(nlh, 2);
	mnl_attr_put_u8(nlh, 2, 8);
	mnl_attr_nest_end(nlh, nest);
	assert_true(nl_read(nlh, &header, sizeof(header), tb, 2));
	assert_false(nl_get(tb[0], &value, sizeof(value)));
	assert_false(nl_get(tb[1], &big, sizeof(big)));
	assert_false(nl_get_head(tb[1], &big, sizeof(big)));
	assert_false(nl_get_head(NULL, &big, sizeof(big)));
	assert_int_equal(big, 7);
	assert_true(nl_get(tb[1], &value, sizeof(value)));
	assert_int_equal(value, 6);
	nl_read_nested(tb[2], inner, 2);
	assert_null(inner[1]);
	assert_false(nl_get(inner[2], &value, sizeof(value)));
	assert_true(nl_get_head(inner[2], &value, 1));
	nl_read_nested(NULL, inner, 2);
	assert_null(inner[2]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_open),
		T(test_errors),
		T(test_silence),
		T(test_foreign),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
