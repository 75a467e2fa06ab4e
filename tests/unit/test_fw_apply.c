/* Changes while running: every one in a transaction, on kernels with DESTROYSETELEM and
 * on those without it. Needs root. */
#include "test_fw_lab.h"

/* Each test runs twice; the second time as on a kernel before 6.3. */
static int open_new(void **state)
{
	struct fw *fw;

	assert_int_equal(lab_open(state), 0);
	fw = *state;
	assert_true(fw->has_destroy); /* or the first run would be the second one */
	install(fw);
	return 0;
}

static int open_old(void **state)
{
	struct fw *fw;

	assert_int_equal(lab_open(state), 0);
	fw = *state;
	fw->has_destroy = false;
	install(fw);
	return 0;
}

static void test_set(void **state)
{
	struct fw_mapping m = mapping(47669, "192.168.1.10", 8080);
	struct loaded l;

	assert_int_equal(map_set(*state, &m), 0);
	l = load(*state);
	assert_int_equal(l.n, 1);
	assert_mapping(&l.v[0], &m);
	/* The same key: another target, record and time. */
	m.internal_client = v4("192.168.1.11");
	m.internal_port = 80;
	m.record[0] = 'R';
	m.timeout_ms = 7200000;
	assert_int_equal(map_set(*state, &m), 0);
	l = load(*state);
	assert_int_equal(l.n, 1);
	assert_mapping(&l.v[0], &m);
	assert_true(l.v[0].timeout_ms > 7100000);
	/* And shorter. */
	m.timeout_ms = 60000;
	assert_int_equal(map_set(*state, &m), 0);
	l = load(*state);
	assert_int_equal(l.n, 1);
	assert_mapping(&l.v[0], &m);
}

/* Protocol, external port and remote host make a key; each stands for itself. */
static void test_keys(void **state)
{
	struct fw_mapping m[4];
	struct loaded l;

	for (size_t i = 0; i < COUNT(m); i++)
		m[i] = mapping(47669, "192.168.1.10", (uint16_t)(8000 + i));
	m[1].protocol = IGW_UDP;
	m[2].remote_host = v4("198.51.100.7");
	m[3].remote_host = v4("198.51.100.8");
	for (size_t i = 0; i < COUNT(m); i++)
		assert_int_equal(map_set(*state, &m[i]), 0);
	for (size_t gone = 0; gone < COUNT(m); gone++) {
		l = load(*state);
		assert_int_equal(l.n, COUNT(m) - gone);
		for (size_t i = gone; i < COUNT(m); i++)
			assert_mapping(find(&l, &m[i]), &m[i]);
		assert_int_equal(map_del(*state, &m[gone]), 0);
		assert_int_equal(map_del(*state, &m[gone]), 0); /* none there */
	}
	assert_int_equal(load(*state).n, 0);
}

/* From enabled to disabled and back there is only ever one of a key. */
static void test_enabled(void **state)
{
	struct fw_mapping m = mapping(47669, "192.168.1.10", 8080);

	for (int i = 0; i < 8; i++) {
		struct loaded l;

		m.enabled = i % 2 == 0;
		if (i == 4)
			m.remote_host = v4("198.51.100.7");
		assert_int_equal(map_set(*state, &m), 0);
		l = load(*state);
		assert_int_equal(l.n, i < 4 ? 1 : 2);
		assert_mapping(find(&l, &m), &m);
		assert_true(shows("nft list map inet igdward off4", "47669") ==
			    (i >= 3 ? true : !m.enabled));
	}
	m.enabled = true; /* whatever it says: the key is what counts */
	assert_int_equal(map_del(*state, &m), 0);
	assert_int_equal(load(*state).n, 1);
	memset(&m.remote_host, 0, sizeof(m.remote_host));
	assert_int_equal(map_del(*state, &m), 0);
	assert_int_equal(load(*state).n, 0);
}

static void test_endpoints(void **state)
{
	struct fw_mapping m = mapping(47669, "192.168.1.10", 8080);
	struct fw_endpoint e = endpoint(&m);
	struct fw_op op = { .kind = FW_END_SET, .endpoint = &e };

	assert_int_equal(fw_apply(*state, &op, 1), 0);
	assert_true(shows(LAB_RULESET, "192.168.1.10 . tcp . 8080 timeout 1h"));
	e.timeout_ms = 120000;
	assert_int_equal(fw_apply(*state, &op, 1), 0);
	assert_true(shows(LAB_RULESET, "192.168.1.10 . tcp . 8080 timeout 2m"));
	assert_false(shows(LAB_RULESET, "timeout 1h"));
	op.kind = FW_END_DEL;
	e.timeout_ms = 0; /* the key is enough */
	assert_int_equal(fw_apply(*state, &op, 1), 0);
	assert_int_equal(fw_apply(*state, &op, 1), 0);
	assert_false(shows(LAB_RULESET, "192.168.1.10"));
}

/* In order, in one transaction, also when they are about the same key. */
static void test_order(void **state)
{
	struct fw_mapping a = mapping(1, "192.168.1.10", 80), b = a,
			  c = mapping(2, "192.168.1.9", 9);
	struct fw_endpoint e = endpoint(&a);
	const struct fw_op ops[] = {
		{ FW_MAP_DEL, &a, NULL },
		{ FW_MAP_SET, &a, NULL },
		{ FW_END_SET, NULL, &e },
		{ FW_MAP_SET, &c, NULL },
		{ FW_MAP_SET, &b, NULL },
		{ FW_MAP_DEL, &c, NULL },
		{ FW_END_DEL, NULL, &e },
		{ FW_END_SET, NULL, &e },
		{ FW_MAP_DEL, &c, NULL },
	};
	struct loaded l;

	b.internal_port = 81;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fw_apply(*state, ops, COUNT(ops)), 0);
		l = load(*state);
		assert_int_equal(l.n, 1);
		assert_mapping(&l.v[0], &b);
		assert_true(shows(LAB_RULESET, "192.168.1.10 . tcp . 80 timeout 1h"));
	}
	assert_int_equal(fw_apply(*state, ops, 0), 0);
	assert_int_equal(fw_apply(*state, NULL, 0), 0);
}

/* All of it or nothing, whether we or the kernel find what is wrong; and then go on. */
static void test_atomic(void **state)
{
	struct fw_mapping a = mapping(1, "192.168.1.10", 80),
			  good = mapping(2, "192.168.1.10", 80),
			  bad = mapping(3, "192.168.1.10", 80);
	const struct fw_op ops[] = {
		{ FW_MAP_DEL, &a, NULL },
		{ FW_MAP_SET, &good, NULL },
		{ FW_MAP_SET, &bad, NULL },
		{ FW_MAP_DEL, &good, NULL },
	};

	assert_int_equal(map_set(*state, &a), 0);
	for (int i = 0; i < 4; i++) {
		struct loaded l;

		bad.timeout_ms = i % 2 == 0 ? UINT64_MAX : 0;
		assert_int_equal(fw_apply(*state, ops, COUNT(ops)),
			i % 2 == 0 ? -ERANGE : -EINVAL);
		l = load(*state);
		assert_int_equal(l.n, 1);
		assert_mapping(&l.v[0], &a);
		a.timeout_ms -= 1000;
		assert_int_equal(map_set(*state, &a), 0);
	}
}

static void test_arguments(void **state)
{
	struct fw_mapping m = mapping(1, "192.168.1.10", 80);
	struct fw_endpoint e = endpoint(&m);
	struct fw_op op = { .kind = FW_MAP_SET };

	assert_int_equal(fw_apply(*state, &op, 1), -EINVAL); /* no mapping */
	op.kind = FW_END_DEL;
	assert_int_equal(fw_apply(*state, &op, 1), -EINVAL);
	op = (struct fw_op){ (enum fw_op_kind)99, &m, &e };
	assert_int_equal(fw_apply(*state, &op, 1), -EINVAL);
	m.external_port = 0;
	assert_int_equal(map_set(*state, &m), -EINVAL);
	assert_int_equal(map_del(*state, &m), -EINVAL);
	e.protocol = 1;
	op = (struct fw_op){ FW_END_SET, NULL, &e };
	assert_int_equal(fw_apply(*state, &op, 1), -EINVAL);
	op.kind = FW_END_DEL;
	assert_int_equal(fw_apply(*state, &op, 1), -EINVAL);
	assert_int_equal(load(*state).n, 0);
}

static void test_table_gone(void **state)
{
	const struct fw_links links = lab_links();
	struct fw_mapping m = mapping(1, "192.168.1.10", 80);
	struct fw_endpoint e = endpoint(&m);
	const struct fw_op del = { FW_END_DEL, NULL, &e }, set = { FW_END_SET, NULL, &e };

	assert_int_equal(map_set(*state, &m), 0);
	for (int i = 0; i < 2; i++) {
		run("nft delete table inet igdward");
		assert_int_equal(map_set(*state, &m), -ENOENT);
		assert_int_equal(map_del(*state, &m), -ENOENT);
		assert_int_equal(fw_apply(*state, &set, 1), -ENOENT);
		assert_int_equal(fw_apply(*state, &del, 1), -ENOENT);
		assert_int_equal(fw_set_links(*state, &links), -ENOENT);
		assert_false(shows(LAB_RULESET, "table inet igdward {"));
		install(*state);
		assert_int_equal(map_set(*state, &m), 0);
		assert_int_equal(load(*state).n, 1);
	}
}

/* The kernel takes an element away when its time is over, and what is not there any more
 * can be set and deleted. */
static void test_expiry(void **state)
{
	struct fw_mapping m = mapping(1, "192.168.1.10", 80),
			  other = mapping(2, "192.168.1.10", 80);
	const uint64_t times[] = { 1, 2, 5, 100 };
	int64_t end = now_ms() + LAB_WAIT_MS;

	assert_int_equal(map_set(*state, &other), 0);
	for (size_t i = 0; i < COUNT(times); i++) {
		m.timeout_ms = times[i]; /* shorter than a tick is not for ever */
		assert_int_equal(map_set(*state, &m), 0);
		while (load(*state).n > 1) {
			assert_true(now_ms() < end);
			tick();
		}
		if (i % 2 == 0)
			assert_int_equal(map_del(*state, &m), 0);
	}
	m.timeout_ms = 3600000;
	assert_int_equal(map_set(*state, &m), 0);
	assert_int_equal(load(*state).n, 2);
}

/* Elements expire all the time between a look at them and their deletion. */
static void test_expiry_races(void **state)
{
	struct fw_mapping m = mapping(1, "192.168.1.10", 80);
	int64_t end = now_ms() + 1500;

	while (now_ms() < end) {
		for (m.external_port = 1; m.external_port < 60; m.external_port++) {
			m.timeout_ms = m.external_port;
			m.enabled = m.external_port % 3 > 0;
			assert_int_equal(map_set(*state, &m), 0);
			if (m.external_port % 7 == 0)
				assert_int_equal(map_del(*state, &m), 0);
		}
	}
}

static void test_links(void **state)
{
	struct fw_links links = lab_links(), none = { .n_lan = 0 };
	struct fw *fw = *state;
	char *text;

	strcpy(links.wan, "ppp0-fifteen-ch");
	strcpy(links.lan[1], "br-guest");
	links.n_lan = 2;
	links.wan_addrs[0] = v4("198.51.100.1");
	links.wan_addrs[1] = v4("198.51.100.2");
	links.n_wan_addrs = 2;
	links.http_ports[0] = 49152;
	links.http_ports[1] = 0; /* not known yet */
	links.n_http_ports = 2;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fw_set_links(fw, &links), 0);
		text = output_of(
			LAB_RULESET " | grep -c 'elements = { \"ppp0-fifteen-ch\" }'");
		assert_string_equal(text, "2\n");
		free(text);
		text = output_of(LAB_RULESET " | grep -c '198.51.100.1, 198.51.100.2'");
		assert_string_equal(text, "2\n");
		free(text);
		assert_true(shows(LAB_RULESET, "tcp . 49152"));
		assert_true(shows(LAB_RULESET, "br-guest"));
		assert_false(shows(LAB_RULESET, "tcp . 5000"));
		assert_false(shows(LAB_RULESET, "203.0.113.2"));
	}
	assert_int_equal(fw_set_links(fw, &none), 0);
	assert_false(shows(LAB_RULESET, "ppp0"));
	assert_false(shows(LAB_RULESET, "br-"));
	assert_true(shows(LAB_RULESET, "udp . 1900"));
}

static void refuse(struct fw *fw, const struct fw_links *links)
{
	const struct fw_settings settings = lab_settings();

	assert_int_equal(fw_set_links(fw, links), -EINVAL);
	assert_int_equal(fw_install(fw, &settings, links, NULL, 0, NULL, 0), -EINVAL);
}

static void test_bad_links(void **state)
{
	struct fw_links links = lab_links();
	char *before = output_of(LAB_RULESET), *after;

	links.n_lan = IGW_LINKS_MAX + 1;
	refuse(*state, &links);
	links = lab_links(), links.n_wan_addrs = FW_ADDRS_MAX + 1;
	refuse(*state, &links);
	links = lab_links(), links.n_http_ports = FW_PORTS_MAX + 1;
	refuse(*state, &links);
	links = lab_links(), strcpy(links.lan[0], links.wan);
	refuse(*state, &links);
	links = lab_links(), links.lan[0][0] = '\0';
	refuse(*state, &links);
	links = lab_links(), memset(links.lan[0], 'x', sizeof(links.lan[0]));
	refuse(*state, &links);
	links = lab_links(), memset(links.wan, 'x', sizeof(links.wan));
	refuse(*state, &links);
	links = lab_links(), memset(&links.wan_addrs[0], 0, sizeof(links.wan_addrs[0]));
	refuse(*state, &links);
	links = lab_links(),
	memset(&links.wan_addrs[0], 0x20, sizeof(links.wan_addrs[0]));
	refuse(*state, &links);
	after = output_of(LAB_RULESET);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void test_bad_install(void **state)
{
	const struct fw_links links = lab_links();
	struct fw_settings settings = lab_settings();
	struct fw_mapping m[2] = { mapping(1, "192.168.1.10", 80),
		mapping(1, "192.168.1.11", 80) };
	struct fw_endpoint e = endpoint(&m[0]);
	char *before = output_of(LAB_RULESET), *after;
	struct fw *fw = *state;

	settings.mark = 0;
	assert_int_equal(fw_install(fw, &settings, &links, m, 1, &e, 1), -EINVAL);
	settings = lab_settings(), settings.worker_uid = 0;
	assert_int_equal(fw_install(fw, &settings, &links, m, 1, &e, 1), -EINVAL);
	settings = lab_settings();
	/* Two mappings of one key: found by the kernel, so all is rolled back. */
	assert_int_equal(fw_install(fw, &settings, &links, m, 2, &e, 1), -EEXIST);
	m[1].internal_port = 0;
	assert_int_equal(fw_install(fw, &settings, &links, m, 2, &e, 1), -EINVAL);
	e.timeout_ms = 0;
	assert_int_equal(fw_install(fw, &settings, &links, m, 1, &e, 1), -EINVAL);
	after = output_of(LAB_RULESET);
	assert_string_equal(before, after);
	free(before);
	free(after);
	e.timeout_ms = 1000;
	assert_int_equal(fw_install(fw, &settings, &links, m, 1, &e, 1), 0);
	assert_int_equal(load(fw).n, 1);
}

#define BOTH(f)                                                                          \
	{ #f, f, open_new, lab_close, NULL },                                            \
	{                                                                                \
#f " (old kernel)", f, open_old, lab_close, NULL                         \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_set),
		BOTH(test_keys),
		BOTH(test_enabled),
		BOTH(test_endpoints),
		BOTH(test_order),
		BOTH(test_atomic),
		BOTH(test_arguments),
		BOTH(test_table_gone),
		BOTH(test_expiry),
		BOTH(test_expiry_races),
		BOTH(test_links),
		BOTH(test_bad_links),
		BOTH(test_bad_install),
	};

	return cmocka_run_group_tests(tests, lab_netns, NULL);
}
