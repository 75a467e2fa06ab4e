/* Many mappings, and changes under traffic. The figures are printed, not judged: they
 * depend on the machine. Needs root. */
#include "test_fw_net.h"

#include <sys/wait.h>

enum {
	PORT = 47669,
	SERVICE = 8080,
	EXCHANGES = 12000, /* half of them on new flows */
	HAMMER = 30000,
	MANY = 10000,
	MOST = 60000,
	ROUNDS = 500,
	LOST_MS = 10000,
};

static struct fw_mapping *many(size_t n)
{
	struct fw_mapping *m = calloc(n, sizeof(*m));

	assert_non_null(m);
	for (size_t i = 0; i < n; i++) {
		m[i] = mapping((uint16_t)(1 + i % 40000), LAN1, 80);
		m[i].protocol = i < 40000 ? IGW_TCP : IGW_UDP;
		m[i].record_len = 100;
	}
	return m;
}

/* One datagram there and back. False when it got lost. */
static bool exchange(int client, int server)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char c;

	if (say(client, WAN_ADDR, PORT) != 0 || !ready(server, POLLIN, LOST_MS))
		return false;
	if (recvfrom(server, &c, 1, 0, (struct sockaddr *)&from, &len) != 1)
		return false;
	if (sendto(server, &c, 1, 0, (struct sockaddr *)&from, len) != 1)
		return false;
	return ready(client, POLLIN, LOST_MS) && recv(client, &c, 1, 0) == 1;
}

/* The traffic, in a process of its own: on one old flow, and on a new one each time. */
static void traffic(const struct net *net, int server, int started)
{
	int old = sock(net, WAN, SOCK_DGRAM, REMOTE, 0), lost = 0;

	for (int i = 0; i < EXCHANGES; i++) {
		int fd = i % 2 == 0 ? old : sock(net, WAN, SOCK_DGRAM, REMOTE, 0);

		if (!exchange(fd, server))
			lost++;
		if (i == 1 && write(started, "x", 1) != 1)
			_exit(255);
		if (fd != old)
			close(fd);
	}
	_exit(lost > 254 ? 254 : lost);
}

/* The whole of both tables is replaced again and again, and nobody notices. */
static void test_install_under_traffic(void **state)
{
	const struct fw_settings settings = lab_settings();
	const struct fw_links links = lab_links();
	const struct net *net = *state;
	struct fw_mapping m = mapping(PORT, LAN1, SERVICE), *more = many(500);
	struct fw_endpoint e;
	int server = sock(net, HOST1, SOCK_DGRAM, "0.0.0.0", SERVICE);
	int started[2], status, installs = 0;
	pid_t pid;
	char c;

	m.protocol = IGW_UDP;
	e = endpoint(&m);
	more[0] = m;
	map(net, &m);
	run(HOST_FIREWALL);
	assert_int_equal(pipe(started), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		traffic(net, server, started[1]);
	assert_int_equal(read(started[0], &c, 1), 1);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		assert_int_equal(
			fw_install(net->fw, &settings, &links, more, 500, &e, 1), 0);
		assert_int_equal(fw_set_links(net->fw, &links), 0);
		assert_int_equal(map_set(net->fw, &m), 0);
		installs++;
	}
	assert_true(WIFEXITED(status));
	printf("%d of %d exchanges lost during %d installs\n", WEXITSTATUS(status),
		EXCHANGES, installs);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(installs > 10);
	close(started[0]);
	close(started[1]);
	close(server);
	free(more);
}

/* New flows through somebody else's forward to SMB, as fast as they go. */
static void attack(const struct net *net)
{
	for (int i = 0; i < HAMMER; i++) {
		int fd = sock(net, WAN, SOCK_DGRAM, REMOTE, 0);

		if (say(fd, WAN_ADDR, PORT) != 0)
			_exit(1);
		close(fd);
	}
	_exit(0);
}

/* The floor is there, and counts, at every moment of every change. */
static void test_floor_under_attack(void **state)
{
	const struct fw_settings settings = lab_settings();
	struct fw_links links = lab_links();
	const struct net *net = *state;
	int server = sock(net, HOST1, SOCK_DGRAM, "0.0.0.0", 445), status, changes = 0;
	pid_t pid;

	run("nft -f - <<'E'\n"
	    "table inet other { chain pre { type nat hook prerouting priority -150;\n"
	    "  meta nfproto ipv4 udp dport 47669 dnat ip to " LAN1 ":445\n }\n}\nE\n");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		attack(net);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		links.http_ports[0] ^= 1;
		assert_int_equal(fw_set_links(net->fw, &links), 0);
		assert_int_equal(
			fw_install(net->fw, &settings, &links, NULL, 0, NULL, 0), 0);
		assert_int_equal(fw_remove_mappings(net->fw), 0);
		assert_int_equal(
			fw_install(net->fw, &settings, &links, NULL, 0, NULL, 0), 0);
		changes += 4;
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(changes > 10);
	assert_int_equal(dropped(net, AT(smb_dnat)), HAMMER);
	assert_false(ready(server, POLLIN, 0));
	printf("%d of %d dropped during %d changes\n", HAMMER, HAMMER, changes);
	close(server);
}

static int by_value(const void *a, const void *b)
{
	double x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

/* The median time of adding and deleting a mapping with its internal end. */
static double apply_cost(struct fw *fw)
{
	struct fw_mapping m = mapping(65000, LAN1, SERVICE);
	struct fw_endpoint e = endpoint(&m);
	const struct fw_op add[] = { { FW_MAP_SET, &m, NULL }, { FW_END_SET, NULL, &e } };
	const struct fw_op del[] = { { FW_MAP_DEL, &m, NULL }, { FW_END_DEL, NULL, &e } };
	double times[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		double start = now_us();

		assert_int_equal(fw_apply(fw, add, 2), 0);
		times[i] = now_us() - start;
		assert_int_equal(fw_apply(fw, del, 2), 0);
	}
	qsort(times, ROUNDS, sizeof(times[0]), by_value);
	return times[ROUNDS / 2];
}

static void test_cost(void **state)
{
	const struct fw_settings settings = lab_settings();
	const struct fw_links links = lab_links();
	struct fw_mapping *m = many(MANY);
	struct fw *fw = *state;
	double none, full, old, start;

	install(fw);
	none = apply_cost(fw);
	start = now_us();
	assert_int_equal(fw_install(fw, &settings, &links, m, MANY, NULL, 0), 0);
	printf("fw_install with %d mappings: %.1f ms\n", MANY, (now_us() - start) / 1e3);
	full = apply_cost(fw);
	fw->has_destroy = false;
	old = apply_cost(fw);
	printf("fw_apply, median: %.1f us with no mapping, %.1f us with %d, "
	       "%.1f us on an old kernel\n",
		none, full, MANY, old);
	free(m);
}

static void test_most(void **state)
{
	const struct fw_settings settings = lab_settings();
	const struct fw_links links = lab_links();
	struct fw_mapping *m = many(MOST);
	struct fw *fw = *state;
	double start = now_us();
	size_t n;

	assert_int_equal(fw_install(fw, &settings, &links, m, MOST, NULL, 0), 0);
	printf("fw_install with %d mappings: %.1f ms\n", MOST, (now_us() - start) / 1e3);
	start = now_us();
	n = load(fw).n;
	printf("fw_load of %zu mappings: %.1f ms\n", n, (now_us() - start) / 1e3);
	assert_int_equal(n, MOST);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_install_under_traffic, net_setup, net_teardown),
		cmocka_unit_test_setup_teardown(
			test_floor_under_attack, net_setup, net_teardown),
		cmocka_unit_test_setup_teardown(test_cost, lab_open, lab_close),
		cmocka_unit_test_setup_teardown(test_most, lab_open, lab_close),
	};

	return cmocka_run_group_tests(tests, lab_netns, NULL);
}
