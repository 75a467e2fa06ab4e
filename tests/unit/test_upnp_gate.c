/* What stands between the LAN and libupnp's sockets, tried on real sockets; and the rate
 * limit of what the worker reports. */
#include "gate/ifaddrs.h"
#include "gate/request.h"
#include "gate/sockets.h"
#include "report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const char search[] = "M-SEARCH * HTTP/1.1\r\nHOST:239.255.255.250:1900\r\n"
			     "MAN:\"ssdp:discover\"\r\nMX:1\r\nST:ssdp:all\r\n\r\n";

static int udp_socket(uint16_t port, struct sockaddr_in *ret)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*ret = in;
	return fd;
}

/* True when the filter for that network lets the datagram from 127.0.0.1 through. A
 * datagram on the loopback interface is delivered or gone when sendto() returns. */
static bool passes(uint32_t net, uint8_t bits, const char *text, size_t size)
{
	struct igw_prefix lan = { igw_addr_from_v4(net), (uint8_t)(96 + bits) };
	struct sock_filter filter[SOCKETS_FILTER_MAX];
	struct sock_fprog program = { .filter = filter };
	struct sockaddr_in to, from;
	int fd = udp_socket(0, &to), sender = udp_socket(0, &from);
	char buf[1024];
	bool came;

	program.len = sockets_search_filter(&lan, filter);
	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)),
		0);
	assert_int_equal(
		sendto(sender, text, size, 0, (struct sockaddr *)&to, sizeof(to)),
		(int)size);
	came = recv(fd, buf, sizeof(buf), 0) == (ssize_t)size;
	close(fd);
	close(sender);
	return came;
}

static void test_search_filter(void **state)
{
	static const char notify[] = "NOTIFY * HTTP/1.1\r\nHOST:239.255.255.250:1900\r\n"
				     "NT:upnp:rootdevice\r\nNTS:ssdp:alive\r\n\r\n";
	static const char named[] = "M-SEARCH http://name.example/ HTTP/1.1\r\n"
				    "HOST:239.255.255.250:1900\r\nMX:1\r\n\r\n";
	char big[1000];

	(void)state;
	assert_true(passes(0x7f000000, 8, search, strlen(search)));
	assert_true(passes(0x7f000001, 32, search, strlen(search)));
	assert_true(passes(0x00000000, 1, search, strlen(search)));
	assert_false(passes(0x7f000002, 32, search, strlen(search)));
	assert_false(passes(0xc0a80100, 24, search, strlen(search)));
	assert_false(passes(0x80000000, 1, search, strlen(search)));
	assert_false(passes(0x7f000000, 8, "", 0));
	assert_false(passes(0x7f000000, 8, "M", 1));
	assert_false(passes(0x7f000000, 8, search, 59));
	assert_true(passes(0x7f000000, 8, search, 60));
	assert_false(passes(0x7f000000, 8, notify, strlen(notify)));
	assert_false(passes(0x7f000000, 8, named, strlen(named)));
	for (size_t i = 0; i < 12; i++) {
		memset(big, ' ', sizeof(big));
		memcpy(big, search, strlen(search));
		big[i] = (char)(big[i] ^ 0x20);
		assert_false(passes(0x7f000000, 8, big, sizeof(big)));
	}
}

/* A source port that is somebody's service gets nothing; 1900 is libtorrent's. */
static void test_search_source_port(void **state)
{
	struct igw_prefix lan = { igw_addr_from_v4(0x7f000000), 96 + 8 };
	struct sock_filter filter[SOCKETS_FILTER_MAX];
	struct sock_fprog program = { .filter = filter };
	struct sockaddr_in to, from;
	int fd, sender;
	char buf[256];

	(void)state;
	if (geteuid() != 0)
		skip();
	fd = udp_socket(0, &to);
	sender = udp_socket(53, &from);
	program.len = sockets_search_filter(&lan, filter);
	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)),
		0);
	assert_true(sendto(sender, search, strlen(search), 0, (struct sockaddr *)&to,
			    sizeof(to)) > 0);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), -1);
	close(sender);
	close(fd);
}

/* The stop socket hears nothing any more, and nobody can change that. */
static void test_seal_stop(void **state)
{
	const int on = 1;
	struct sockaddr_in to, from;
	int stop = udp_socket(0, &to), sender = udp_socket(0, &from);
	char buf[16];

	(void)state;
	assert_true(sendto(sender, "w", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
	assert_int_equal(recv(stop, buf, sizeof(buf), 0), 1);
	assert_int_equal(sockets_seal_stop(), 0);
	assert_true(sendto(sender, "ShutDown", 8, 0, (struct sockaddr *)&to,
			    sizeof(to)) == 8);
	assert_int_equal(recv(stop, buf, sizeof(buf), 0), -1);
	assert_int_equal(
		setsockopt(stop, SOL_SOCKET, SO_DETACH_FILTER, &on, sizeof(on)), -1);
	close(stop);
	close(sender);
	assert_int_equal(sockets_seal_stop(), -ENOENT);
}

static void test_listeners(void **state)
{
	struct igw_link link = { .interface = "lo" };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct igw_prefix lan = { igw_addr_from_v4(0x7f000000), 96 + 8 };
	char device[IFNAMSIZ] = "";
	socklen_t len = sizeof(device);
	int fd;

	(void)state;
	assert_int_equal(sockets_guard_listeners(&link), -ENOENT);
	assert_int_equal(sockets_guard_search(&link, &lan), -ENOENT);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(sockets_guard_listeners(&link), 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &len), 0);
	assert_string_equal(device, "lo");
	close(fd);
}

static void test_ifaddrs(void **state)
{
	struct igw_link link = { .interface = "br-lan", .prefix_len = 20 };
	struct ifaddrs *list = NULL;
	struct sockaddr_in in;

	(void)state;
	assert_int_equal(getifaddrs(&list), -1);
	link.addr = igw_addr_from_v4(0x0a000001);
	ifaddrs_set(&link);
	assert_int_equal(getifaddrs(&list), 0);
	assert_string_equal(list->ifa_name, "br-lan");
	assert_null(list->ifa_next);
	memcpy(&in, list->ifa_addr, sizeof(in));
	assert_int_equal(ntohl(in.sin_addr.s_addr), 0x0a000001);
	memcpy(&in, list->ifa_netmask, sizeof(in));
	assert_int_equal(ntohl(in.sin_addr.s_addr), 0xfffff000);
	freeifaddrs(list);
	assert_int_equal(getifaddrs(&list), 0);
}

static bool is_plain(const char *body)
{
	return request_body_is_plain(body, strlen(body));
}

static void test_plain_bodies(void **state)
{
	static const char *const plain[] = {
		"<a/>",
		"<a></a>",
		" <a> \r\n\t<b>1</b> <b/> </a> \n",
		"<?xml version=\"1.0\"?>\n<a><b> 1 </b></a>",
		"<a><!-- c --><b>1</b><!-- > -- <x> --></a>",
		"<a b=\"x>y\" c='/'><b d='\">'>1</b></a>",
		"<a><b>&lt;!-- --&gt;</b></a>",
		"<a><b>1</b ></a>",
	};
	static const char *const other[] = {
		"",
		" ",
		"text",
		"<a>44<!-- -->5</a>",
		"<a><!-- -->445</a>",
		"<a>445<!-- --></a>",
		"<a>44<![CDATA[5]]></a>",
		"<a><![CDATA[445]]></a>",
		"<a>44<b/>5</a>",
		"<a>44<b/></a>",
		"<a><b/>44</a>",
		"<a><b>1</b>2</a>",
		"<a>1<b>2</b></a>",
		"<a>44<?pi x?>5</a>",
		"<a><?pi x?></a>",
		"<!DOCTYPE a [<!ENTITY x \"y\">]><a/>",
		"<a/>x",
		"x<a/>",
		"<a",
		"<a b=\"></a>",
		"<a><!-- </a>",
		"<?xml",
		"<a>",
		"<a><b>",
		"<a><b c=''</b>>5</a>",
		"<a b='<'/>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (!is_plain(plain[i]))
			fail_msg("refused: %s", plain[i]);
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		if (is_plain(other[i]))
			fail_msg("taken: %s", other[i]);
	}
}

/* What a thread received last counts, connection by connection. */
static void send_and_receive(const char *text)
{
	char buf[64];
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(send(pair[0], text, strlen(text), 0), (int)strlen(text));
	shutdown(pair[0], SHUT_WR);
	while (recv(pair[1], buf, sizeof(buf), 0) > 0)
		;
	close(pair[0]);
	close(pair[1]);
}

static void test_request_trouble(void **state)
{
	static char big[REQUEST_MAX + 100];

	(void)state;
	assert_non_null(request_trouble());
	send_and_receive("POST / HTTP/1.1\r\nHOST: a\r\n\r\n<a><b>1</b></a>");
	assert_null(request_trouble());
	send_and_receive("GET / HTTP/1.1\r\n\r\n");
	assert_non_null(request_trouble());
	send_and_receive("POST / HTTP/1.1\r\n\r\n<a>4<!-- -->5</a>");
	assert_string_equal(request_trouble(), "with markup in its text");
	send_and_receive("POST / HTTP/1.1\r\nA: <b>4<c/></b>\r\n\r\n<a/>");
	assert_null(request_trouble());
	send_and_receive("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n<a/>");
	assert_string_equal(request_trouble(), "with a Transfer-Encoding");
	send_and_receive("POST / HTTP/1.1\r\n\r\n<a/>GET / HTTP/1.1\r\n\r\n");
	assert_non_null(request_trouble());
	memset(big, ' ', sizeof(big) - 1);
	memcpy(big, "POST\r\n\r\n<a/>", 12);
	send_and_receive(big);
	assert_string_equal(request_trouble(), "with too long a request");
	big[REQUEST_MAX] = '\0';
	send_and_receive(big);
	assert_null(request_trouble());
}

/* Where libupnp sees the body begin, there it must begin for us: else a second blank line
 * in the body, or a first one between quotes in the header, hides what the body holds. */
static void test_end_of_header(void **state)
{
	static const char *const plain[] = {
		"POST / HTTP/1.1\r\nA: \"b\" \"c\"\r\n\r\n<a>1</a>",
		"POST / HTTP/1.1\nA: b\n\n<a>1</a>",
		"POST / HTTP/1.1\nA: b\n\r\n<a>1</a>",
		"POST / HTTP/1.1\r\nA: \\\r\n b\r\n\n<a>1</a>\r\n\r\n",
	};
	static const char *const other[] = {
		"",
		"\n",
		"\r\n",
		"\n\r",
		"POST / HTTP/1.1\r\nA: b\r\n",
		"POST / HTTP/1.1\nA: b\n\n<a><b>44<!-- -->5</b>\r\n\r\n</a>",
		"POST / HTTP/1.1\r\nA: b\r\n\n<a><b>44<!-- -->5</b>\r\n\r\n</a>",
		"POST / HTTP/1.1\r\nA: \"\r\n\r\n<z q='\"\r\n\r\n"
		"<a><b>44<!-- -->5</b></a><!--'/>",
		"POST / HTTP/1.1\r\nA: \"\\\"\r\n\r\n<z q='\"\r\n\r\n"
		"<a><b>44<!-- -->5</b></a><!--'/>",
		"POST / HTTP/1.1\nA: \"\nB: \"\n\n<a>1</a>",
		"POST / HTTP/1.1\nTRANSFER-encoding: chunked\n\n<a>1</a>",
		"\r\n\r\nPOST / HTTP/1.1\r\n\r\n<a>1</a>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (request_find_trouble(plain[i], strlen(plain[i])))
			fail_msg("refused: %s", plain[i]);
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		if (!request_find_trouble(other[i], strlen(other[i])))
			fail_msg("taken: %s", other[i]);
	}
}

static void test_report_rate(void **state)
{
	struct report_bucket bucket = { 0 };
	int64_t now_ms = 1000000;

	(void)state;
	for (int i = 0; i < REPORT_BURST; i++)
		assert_true(report_take(&bucket, now_ms));
	assert_false(report_take(&bucket, now_ms));
	assert_false(report_take(&bucket, now_ms + 1000 / REPORT_PER_S - 1));
	assert_int_equal(bucket.lost, 2);
	assert_true(report_take(&bucket, now_ms + 1000 / REPORT_PER_S));
	assert_false(report_take(&bucket, now_ms + 1000 / REPORT_PER_S));
	assert_int_equal(report_lost(&bucket, now_ms), 3);
	assert_int_equal(report_lost(&bucket, now_ms + REPORT_LOST_MS - 1), 0);
	bucket.lost = 0;
	assert_int_equal(report_lost(&bucket, now_ms + REPORT_LOST_MS), 0);
	bucket.lost = 1;
	assert_int_equal(report_lost(&bucket, now_ms + REPORT_LOST_MS), 1);
	/* A pause of any length gives one burst and no more. */
	now_ms += INT64_C(1000) * 3600 * 24 * 365;
	for (int i = 0; i < REPORT_BURST; i++)
		assert_true(report_take(&bucket, now_ms));
	assert_false(report_take(&bucket, now_ms));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_search_filter),
		cmocka_unit_test(test_search_source_port),
		cmocka_unit_test(test_seal_stop),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_ifaddrs),
		cmocka_unit_test(test_plain_bodies),
		cmocka_unit_test(test_request_trouble),
		cmocka_unit_test(test_end_of_header),
		cmocka_unit_test(test_report_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
