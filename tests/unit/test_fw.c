/* The tables in a real kernel, in a network namespace of our own. Needs root. */
#include "test_fw_lab.h"

static void test_open(void **state)
{
	struct fw *fw = NULL, *second = NULL;

	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(fw_open(&fw), 0);
	assert_int_equal(fw_open(&second), 0);
	assert_false(fw_owned(fw));
	fw_close(second);
	fw_close(fw);
	fw_close(NULL);
	assert_false(shows("nft list ruleset", "table")); /* asking left nothing behind */
}

static const char *const expected[] = {
	/* igdward */
	"\tmap dnat4 {\n\t\ttype inet_proto . inet_service : ipv4_addr . inet_service\n"
	"\t\tflags timeout\n\t\tcounter\n\t}",
	"\tmap dnat4s {\n\t\ttype inet_proto . inet_service . ipv4_addr : "
	"ipv4_addr . inet_service\n\t\tflags timeout\n\t\tcounter\n\t}",
	"\tmap off4 {\n\t\ttype inet_proto . inet_service . ipv4_addr : "
	"ipv4_addr . inet_service\n\t\tflags timeout\n\t}",
	"\tset in4 {\n\t\ttype ipv4_addr . inet_proto . inet_service\n"
	"\t\tflags timeout\n\t}",
	"type nat hook prerouting priority -80;",
	"type nat hook output priority -80;",
	"type filter hook forward priority filter - 5;",
	"type nat hook postrouting priority srcnat - 5;",
	"\t\tmeta mark set meta mark | 0x40000000\n"
	"\t\tdnat ip to meta l4proto . th dport . ip saddr map @dnat4s\n"
	"\t\tdnat ip to meta l4proto . th dport map @dnat4\n"
	"\t\tmeta mark set meta mark & 0xbfffffff\n",
	"\t\tct status dnat ct original ip daddr @wan4 iifname @lan oifname @lan "
	"masquerade\n",
	"\t\toifname @lan ct status dnat ct original ip daddr @wan4 "
	"ip daddr . meta l4proto . th dport @in4 meta mark set meta mark | 0x40000000 return\n",
	/* igdward_floor */
	"type filter hook forward priority -20;",
	"type filter hook input priority -20;",
	"type filter hook output priority filter;",
	"\t\tct state established accept\n"
	"\t\tct status dnat meta l4proto . th dport @smb counter name \"smb_dnat\" drop\n"
	"\t\tiifname @wan oifname != @wan meta l4proto . th dport @smb "
	"counter name \"smb_routed\" drop\n"
	"\t\tiifname @wan oifname @wan ct status dnat counter name \"proxy\" drop\n",
	"\t\tiifname @lan oifname @wan meta l4proto . th dport @smb goto smb_out\n",
	"\t\tmeta skuid 64802 goto confined\n",
	"\t\toifname \"lo\" accept\n\t\toifname @lan accept\n"
	"\t\tcounter name \"worker\" drop\n",
	"elements = { 203.0.113.2 }",
	"elements = { \"wan\" }",
	"elements = { \"br-lan\" }",
	"tcp . 5000",
	"udp . 1900",
	"tcp . 5351",
};

static void test_install(void **state)
{
	char *text;

	install(*state);
	text = output_of(LAB_RULESET);
	for (size_t i = 0; i < COUNT(expected); i++) {
		if (!strstr(text, expected[i]))
			fail_msg("not in the ruleset: %s\n%s", expected[i], text);
	}
	free(text);
	install(*state);
	install(*state);
	text = output_of(LAB_RULESET " | grep -c smb_dnat"); /* one definition, one use */
	assert_string_equal(text, "2\n");
	free(text);
}

static void test_settings(void **state)
{
	struct fw_settings settings = lab_settings();
	const struct fw_links links = lab_links();

	settings.hairpin = false;
	settings.block_smb_egress = false;
	settings.mark = 0x100;
	settings.worker_uid = 4711;
	assert_int_equal(fw_install(*state, &settings, &links, NULL, 0, NULL, 0), 0);
	assert_false(shows(LAB_RULESET, "masquerade"));
	assert_false(shows(LAB_RULESET, "chain output"));
	assert_false(shows(LAB_RULESET, "goto smb_out"));
	assert_true(shows(LAB_RULESET, "\t\tiifname @wan ip daddr @wan4 jump mapped"));
	assert_true(shows(LAB_RULESET, "meta mark set meta mark | 0x00000100"));
	assert_true(shows(LAB_RULESET, "meta skuid 4711 goto confined"));
	install(*state); /* and back: rules of the floor follow the settings too */
	assert_true(shows(LAB_RULESET, "masquerade"));
	assert_true(shows(LAB_RULESET, "goto smb_out"));
	assert_true(shows(LAB_RULESET, "meta mark & 0x40000000 == 0x40000000"));
	assert_false(shows(LAB_RULESET, "4711"));
	assert_false(shows(LAB_RULESET, "\t\tiifname @wan ip daddr"));
}

/* `nft list ruleset` can be loaded again, and then says the same. */
static void test_saved(void **state)
{
	const struct fw_settings settings = lab_settings();
	const struct fw_links links = lab_links();
	struct fw_mapping m[3] = { mapping(47669, "192.168.1.10", 8080),
		mapping(47670, "192.168.1.11", 80), mapping(47671, "192.168.1.12", 80) };
	struct fw_endpoint e[3];
	char *before, *after;

	m[1].remote_host = v4("198.51.100.7");
	m[2].enabled = false;
	memcpy(m[0].record, "\"; drop comment \"", m[0].record_len = 17);
	for (size_t i = 0; i < COUNT(e); i++)
		e[i] = endpoint(&m[i]);
	assert_int_equal(fw_install(*state, &settings, &links, m, 3, e, 3), 0);
	assert_false(shows(LAB_RULESET, "comment"));
	before = output_of(LAB_RULESET);
	assert_non_null(
		strstr(before, "tcp . 47669 counter packets 0 bytes 0 timeout 1h"));
	assert_non_null(strstr(before, ": 192.168.1.10 . 8080"));
	assert_non_null(strstr(before, "tcp . 47670 . 198.51.100.7"));
	assert_non_null(strstr(before, "tcp . 47671 . 0.0.0.0"));
	assert_non_null(strstr(before, "192.168.1.10 . tcp . 8080"));
	run("nft list ruleset > /tmp/fw-saved.%d && nft flush ruleset && "
	    "nft -f /tmp/fw-saved.%d && rm /tmp/fw-saved.%d",
		getpid(), getpid(), getpid());
	after = output_of(LAB_RULESET);
	assert_string_equal(before, after);
	free(before);
	free(after);
	/* Loaded from text the records are gone, so none of it counts as a mapping. */
	assert_int_equal(load(*state).n, 0);
	install(*state);
}

/* What an admin types works, too, where the tables are not owned. */
static void test_by_hand(void **state)
{
	install(*state);
	run("nft add element inet igdward dnat4 '{ tcp . 47669 : 192.168.1.10 . 445 }'");
	run("nft add element inet igdward dnat4s "
	    "'{ udp . 4 . 198.51.100.7 timeout 1h : 192.168.1.10 . 445 }'");
	run("nft add element inet igdward off4 '{ tcp . 4 . 0.0.0.0 : 192.168.1.10 . 1 }'");
	run("nft add element inet igdward in4 '{ 192.168.1.10 . tcp . 445 timeout 1h }'");
	run("nft add element inet igdward lan '{ br-two }'");
	run("nft add element inet igdward_floor smb '{ tcp . 5445 }'");
	run("nft get element inet igdward dnat4 '{ tcp . 47669 }' > /dev/null");
	assert_int_equal(load(*state).n, 0);
	install(*state);
	assert_false(shows(LAB_RULESET, "192.168.1.10"));
	assert_false(shows(LAB_RULESET, "br-two"));
	assert_false(shows(LAB_RULESET, "5445"));
}

static void test_round_trip(void **state)
{
	const struct fw_settings settings = lab_settings();
	const struct fw_links links = lab_links();
	struct fw_mapping m[5];
	struct loaded l;

	for (size_t i = 0; i < COUNT(m); i++) {
		m[i] = mapping((uint16_t)(1000 + i), "192.168.1.10", 80);
		memset(m[i].record, (int)(255 - i), m[i].record_len = FW_RECORD_MAX - i);
	}
	m[1].protocol = IGW_UDP;
	m[1].external_port = 65535;
	m[1].internal_port = 1;
	m[2].remote_host = v4("198.51.100.7");
	m[3].enabled = false;
	m[4].enabled = false;
	m[4].remote_host = v4("198.51.100.8");
	m[4].record_len = 0;
	assert_int_equal(fw_install(*state, &settings, &links, m, COUNT(m), NULL, 0), 0);
	l = load(*state);
	assert_int_equal(l.n, COUNT(m));
	for (size_t i = 0; i < COUNT(m); i++)
		assert_mapping(find(&l, &m[i]), &m[i]);
	/* What was loaded can be installed, and is the same again. */
	assert_int_equal(fw_install(*state, &settings, &links, l.v, l.n, NULL, 0), 0);
	l = load(*state);
	assert_int_equal(l.n, COUNT(m));
	for (size_t i = 0; i < COUNT(m); i++)
		assert_mapping(find(&l, &m[i]), &m[i]);
	install(*state);
	assert_int_equal(load(*state).n, 0);
}

static int stop_at_second(const struct fw_mapping *m, void *arg)
{
	int *calls = arg;

	(void)m;
	return ++*calls == 2 ? 42 : 0;
}

static void test_load_stops(void **state)
{
	struct fw_mapping m = mapping(1, "192.168.1.10", 80);
	int calls = 0;

	assert_int_equal(load(*state).n, 0); /* no table */
	install(*state);
	assert_int_equal(load(*state).n, 0);
	for (m.external_port = 1; m.external_port < 5; m.external_port++)
		assert_int_equal(map_set(*state, &m), 0);
	assert_int_equal(fw_load(*state, stop_at_second, &calls), 42);
	assert_int_equal(calls, 2);
	assert_int_equal(load(*state).n, 4);
}

/* Elements of others among ours. */
static void test_load_foreign(void **state)
{
	struct fw_mapping m = mapping(47669, "192.168.1.10", 8080);
	struct loaded l;

	install(*state);
	assert_int_equal(map_set(*state, &m), 0);
	run("nft add element inet igdward dnat4 '{ "
	    "tcp . 1 : 192.168.1.10 . 445, tcp . 2 timeout 1h : 192.168.1.10 . 445, "
	    "tcp . 3 timeout 1h comment \"mine\" : 192.168.1.10 . 80, "
	    "icmp . 4 timeout 1h : 192.168.1.10 . 80, tcp . 0 timeout 1h : 1.2.3.4 . 0 }'");
	run("nft add element inet igdward dnat4s "
	    "'{ tcp . 1 . 0.0.0.0 timeout 1h : 192.168.1.10 . 445 }'");
	l = load(*state);
	assert_int_equal(l.n, 1);
	assert_mapping(&l.v[0], &m);
}

/* Tables of our name that are of quite another shape. */
static const char *const foreign[] = {
	"table inet igdward { }",
	"table inet igdward { set dnat4 { type ipv4_addr; elements = { 1.2.3.4 } }\n }",
	"table inet igdward { map dnat4 { type ipv6_addr : verdict; "
	"elements = { ::1 : drop } }\n }",
	"table inet igdward { map dnat4 { type inet_proto . inet_service : verdict; "
	"flags timeout; elements = { tcp . 80 timeout 1h : accept } }\n }",
	"table inet igdward { map dnat4 { type inet_proto . inet_service : "
	"ipv4_addr . inet_service; flags interval,timeout; "
	"elements = { tcp . 80-90 timeout 1h : 1.2.3.4 . 80 } }\n }",
	"table inet igdward { map dnat4 { type inet_proto . inet_service : "
	"ipv4_addr . inet_service; flags timeout; timeout 1h; "
	"elements = { tcp . 80 : 1.2.3.4 . 80, * : 1.2.3.4 . 81 } }\n }",
	"table inet igdward { map dnat4 { type ipv4_addr : counter; }\n "
	"chain forward { type nat hook postrouting priority 5; policy drop; }\n }",
	"table inet igdward_floor { set lan { type ipv4_addr; }\n "
	"chain forward { type filter hook input priority 5; policy drop; accept; }\n }",
	"table inet igdward_floor { flags dormant; chain x { }\n }",
};

static void test_foreign_tables(void **state)
{
	for (size_t i = 0; i < COUNT(foreign); i++) {
		run("nft flush ruleset && echo '%s' | nft -f -", foreign[i]);
		assert_int_equal(load(*state).n, 0);
		install(*state);
		assert_true(shows(LAB_RULESET, "map dnat4s"));
		assert_false(shows(LAB_RULESET, "policy drop"));
		assert_false(shows(LAB_RULESET, "dormant"));
	}
}

/* A table of the same name in another family is none of ours. */
static void test_touches_nothing_else(void **state)
{
	const struct fw_links links = lab_links();
	struct fw_mapping m = mapping(47669, "192.168.1.10", 8080);
	struct fw *fw = *state;
	struct fw_counters counters;
	char *before, *after;

	run("echo 'table ip igdward { map dnat4 { type inet_proto . inet_service : "
	    "ipv4_addr . inet_service; flags timeout; }\n chain forward { accept; }\n }\n"
	    "table ip igdward_floor { counter smb_dnat { packets 5 bytes 5 }\n }\n"
	    "table inet filter { set lan { type ifname; elements = { a, b } }\n"
	    "chain forward { type filter hook forward priority 0; policy drop; }\n }' "
	    "| nft -f -");
	before = output_of("nft list ruleset");
	install(fw);
	assert_int_equal(map_set(fw, &m), 0);
	assert_int_equal(fw_set_links(fw, &links), 0);
	assert_int_equal(load(fw).n, 1);
	assert_int_equal(fw_counters(fw, &counters), 0);
	assert_int_equal(counters.smb_dnat, 0);
	install(fw);
	assert_int_equal(fw_remove_mappings(fw), 0);
	assert_int_equal(fw_teardown(fw), 0);
	after = output_of("nft list ruleset");
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void test_remove(void **state)
{
	struct fw_counters counters;
	struct fw *fw = *state;

	assert_int_equal(fw_remove_mappings(fw), 0); /* none there */
	assert_int_equal(fw_teardown(fw), 0);
	assert_false(shows(LAB_RULESET, "table"));
	install(fw);
	assert_int_equal(fw_remove_mappings(fw), 0);
	assert_int_equal(fw_remove_mappings(fw), 0);
	assert_false(shows(LAB_RULESET, "table inet igdward {"));
	assert_true(shows(LAB_RULESET, "table inet igdward_floor {"));
	assert_int_equal(fw_counters(fw, &counters), 0);
	install(fw);
	assert_int_equal(fw_teardown(fw), 0);
	assert_int_equal(fw_teardown(fw), 0);
	assert_false(shows(LAB_RULESET, "table"));
}

static void test_counters(void **state)
{
	struct fw_counters counters = { .proxy = 4711 }, before = counters;
	struct fw *fw = *state;

	assert_int_equal(fw_counters(fw, &counters), -ENOENT);
	install(fw);
	run("nft flush table inet igdward_floor");
	run("nft delete counter inet igdward_floor worker");
	assert_int_equal(fw_counters(fw, &counters), -ENOENT);
	assert_memory_equal(&counters, &before, sizeof(before));
	install(fw);
	assert_int_equal(fw_counters(fw, &counters), 0);
	memset(&before, 0, sizeof(before));
	assert_memory_equal(&counters, &before, sizeof(before));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, lab_open, lab_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		TEST(test_install),
		TEST(test_settings),
		TEST(test_saved),
		TEST(test_by_hand),
		TEST(test_round_trip),
		TEST(test_load_stops),
		TEST(test_load_foreign),
		TEST(test_foreign_tables),
		TEST(test_touches_nothing_else),
		TEST(test_remove),
		TEST(test_counters),
	};

	return cmocka_run_group_tests(tests, lab_netns, NULL);
}
