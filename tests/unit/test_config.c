/* The daemon's configuration: defaults, every key, refusals with their place, round
 * trips. */
#include "config.h"
#include "test_random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* JSON with ' for ", in a block of exactly its length. */
static int parse(const char *text, struct config *config, struct policy_report *report)
{
	size_t len = strlen(text);
	char *copy = malloc(len > 0 ? len : 1);
	int r;

	assert_non_null(copy);
	for (size_t i = 0; i < len; i++)
		copy[i] = text[i] == '\'' ? '"' : text[i];
	r = config_parse(copy, len, config, report);
	free(copy);
	return r;
}

static void expect_same(const struct config *a, const struct config *b)
{
	assert_string_equal(a->external, b->external);
	assert_int_equal(a->n_internal, b->n_internal);
	for (size_t i = 0; i < a->n_internal; i++)
		assert_string_equal(a->internal[i], b->internal[i]);
	assert_int_equal(a->http_port, b->http_port);
	assert_string_equal(a->policy, b->policy);
	assert_string_equal(a->friendly_name, b->friendly_name);
	assert_string_equal(a->uuid, b->uuid);
	assert_int_equal(a->igd_version, b->igd_version);
	assert_string_equal(a->user, b->user);
	assert_string_equal(a->worker_user, b->worker_user);
	assert_int_equal(a->sandbox, b->sandbox);
	assert_int_equal(a->owner, b->owner);
	assert_int_equal(a->persist, b->persist);
	assert_int_equal(a->on_stop, b->on_stop);
	assert_int_equal(a->mark, b->mark);
	assert_int_equal(a->hairpin, b->hairpin);
	assert_int_equal(a->block_smb_egress, b->block_smb_egress);
	assert_int_equal(a->log_level, b->log_level);
}

static void test_defaults(void **state)
{
	struct config config, parsed;
	struct policy_report report;

	(void)state;
	config_init(&config);
	assert_string_equal(config.external, "");
	assert_int_equal(config.n_internal, 0);
	assert_int_equal(config.http_port, 5000);
	assert_string_equal(config.policy, "");
	assert_string_equal(config.friendly_name, "igdward");
	assert_string_equal(config.uuid, "");
	assert_int_equal(config.igd_version, 1);
	assert_string_equal(config.user, "igdward");
	assert_string_equal(config.worker_user, "igdward-net");
	assert_int_equal(config.sandbox, CONFIG_SANDBOX_REQUIRE);
	assert_int_equal(config.owner, CONFIG_OWNER_AUTO);
	assert_int_equal(config.persist, CONFIG_PERSIST_RESTART);
	assert_int_equal(config.on_stop, CONFIG_ON_STOP_KEEP);
	assert_int_equal(config.mark, 0x40000000);
	assert_true(config.hairpin && config.block_smb_egress);
	assert_int_equal(config.log_level, CONFIG_LOG_INFO);
	assert_int_equal(parse("{}", &parsed, &report), 0);
	expect_same(&parsed, &config);
	assert_int_equal(
		parse("{'external':null,'internal':null,'policy':null,'uuid':null}",
			&parsed, &report),
		0);
	expect_same(&parsed, &config);
}

static void test_every_key(void **state)
{
	static const char text[] =
		"{'$schema':'x','external':'wan','internal':['br-lan','br-guest'],"
		"'http_port':0,'policy':'/tmp/policy.json','friendly_name':'K\xc3\xbc"
		"che',"
		"'uuid':'2fac1234-31f8-11b4-A222-08002b34c003','igd_version':2,'user':'a',"
		"'worker_user':'b','sandbox':'prefer','owner':'off','persist':'reboot',"
		"'on_stop':'flush','mark':'0x80000000','hairpin':false,"
		"'block_smb_egress':false,'log_level':'debug'}";
	struct policy_report report;
	struct config config;

	(void)state;
	assert_int_equal(parse(text, &config, &report), 0);
	assert_string_equal(config.external, "wan");
	assert_int_equal(config.n_internal, 2);
	assert_string_equal(config.internal[0], "br-lan");
	assert_string_equal(config.internal[1], "br-guest");
	assert_string_equal(config.internal[2], "");
	assert_int_equal(config.http_port, 0);
	assert_string_equal(config.policy, "/tmp/policy.json");
	assert_string_equal(config.friendly_name, "K\xc3\xbc"
						  "che");
	assert_string_equal(config.uuid, "2fac1234-31f8-11b4-A222-08002b34c003");
	assert_int_equal(config.igd_version, 2);
	assert_string_equal(config.user, "a");
	assert_string_equal(config.worker_user, "b");
	assert_int_equal(config.sandbox, CONFIG_SANDBOX_PREFER);
	assert_int_equal(config.owner, CONFIG_OWNER_OFF);
	assert_int_equal(config.persist, CONFIG_PERSIST_REBOOT);
	assert_int_equal(config.on_stop, CONFIG_ON_STOP_FLUSH);
	assert_int_equal(config.mark, 0x80000000);
	assert_false(config.hairpin || config.block_smb_egress);
	assert_int_equal(config.log_level, CONFIG_LOG_DEBUG);
}

static void test_words(void **state)
{
	static const char *const levels[] = { "error", "warning", "info", "debug" };
	enum config_log_level level = CONFIG_LOG_INFO;
	struct policy_report report;
	struct config config;
	char text[64];

	(void)state;
	for (unsigned i = 0; i < COUNT(levels); i++) {
		assert_int_equal(config_log_level_parse(levels[i], &level), 0);
		assert_int_equal(level, i);
		snprintf(text, sizeof(text), "{'log_level':'%s'}", levels[i]);
		assert_int_equal(parse(text, &config, &report), 0);
		assert_int_equal(config.log_level, i);
	}
	level = CONFIG_LOG_WARNING;
	assert_int_equal(config_log_level_parse("", &level), -EINVAL);
	assert_int_equal(config_log_level_parse("warn", &level), -EINVAL);
	assert_int_equal(config_log_level_parse("INFO", &level), -EINVAL);
	assert_int_equal(level, CONFIG_LOG_WARNING);
	assert_int_equal(parse("{'mark':2147483648}", &config, &report), 0);
	assert_int_equal(config.mark, 0x80000000);
	assert_int_equal(parse("{'mark':'0x00000001'}", &config, &report), 0);
	assert_int_equal(config.mark, 1);
}

static const struct {
	const char *text;
	unsigned line, column;
	const char *pointer;
	const char *message; /* part of it */
} broken[] = {
	{ "", 1, 1, "", "expected near end of file" },
	{ "[]", 1, 1, "", "found a list; must be an object" },
	{ "{'extrenal':'wan'}", 1, 2, "/extrenal", "did you mean \"external\"?" },
	{ "{\n'user':'a',\n'user':'b'}", 3, 6, "", "duplicate object key" },
	{ "{'$schema':1}", 1, 12, "/$schema", "must be a string" },
	{ "{'external':''}", 1, 13, "/external", "must be an interface name" },
	{ "{'internal':[]}", 1, 13, "/internal", "found an empty list" },
	{ "{'internal':['a', 'b','a']}", 1, 23, "/internal/2",
		"\"a\" is in the list already" },
	{ "{'internal':['lan','wan'],'external':'wan'}", 1, 20, "/internal/1",
		"\"wan\" is named as \"external\" too" },
	{ "{'internal':['lan','w n']}", 1, 20, "/internal/1",
		"must be an interface name" },
	{ "{'http_port':1023}", 1, 14, "/http_port", "a port from 1024 to 65535" },
	{ "{'policy':'a'}", 1, 11, "/policy", "an absolute path" },
	{ "{'policy':1}", 1, 11, "/policy", "must be a string" },
	{ "{'friendly_name':''}", 1, 18, "/friendly_name", "1 to 63 bytes" },
	{ "{'uuid':'x'}", 1, 9, "/uuid", "must be a UUID" },
	{ "{'igd_version':3}", 1, 16, "/igd_version", "from 1 to 2" },
	{ "{'user':'root'}", 1, 9, "/user", "other than root" },
	{ "{'worker_user':7}", 1, 16, "/worker_user", "found the number 7" },
	{ "{'user':'igdward-net'}", 1, 1, "", "both \"igdward-net\"; they must differ" },
	{ "{'worker_user':'igdward'}", 1, 16, "/worker_user", "they must differ" },
	{ "{'sandbox':'off'}", 1, 12, "/sandbox", "\"require\" or \"prefer\"" },
	{ "{'owner':1}", 1, 10, "/owner", "\"auto\" or \"off\"" },
	{ "{'persist':[]}", 1, 12, "/persist", "\"restart\" or \"reboot\"" },
	{ "{'on_stop':'x'}", 1, 12, "/on_stop", "\"keep\" or \"flush\"" },
	{ "{'log_level':'x'}", 1, 14, "/log_level",
		"\"error\" or \"warning\" or \"info\"" },
	{ "{'mark':3}", 1, 9, "/mark", "found the number 3; must be one bit" },
	{ "{'mark':'0x3'}", 1, 9, "/mark", "must be one bit" },
	{ "{'hairpin':null}", 1, 12, "/hairpin", "found null; must be true or false" },
	{ "{'block_smb_egress':0}", 1, 21, "/block_smb_egress", "must be true or false" },
};

static void test_broken(void **state)
{
	struct config config, before;
	struct policy_report report;
	const struct policy_note *error = &report.error;

	(void)state;
	memset(&before, 0x5a, sizeof(before));
	memcpy(&config, &before, sizeof(config));
	for (size_t i = 0; i < COUNT(broken); i++) {
		memset(&report, 0x5a, sizeof(report));
		assert_int_equal(parse(broken[i].text, &config, &report), -EINVAL);
		if (!strstr(error->message, broken[i].message) ||
			strcmp(error->pointer, broken[i].pointer) != 0 ||
			error->line != broken[i].line ||
			error->column != broken[i].column) {
			print_message("%s\n%u:%u: %s: %s\n", broken[i].text, error->line,
				error->column, error->pointer, error->message);
			fail();
		}
		assert_memory_equal(&config, &before, sizeof(config));
	}
}

static void test_size(void **state)
{
	char *text = malloc(CONFIG_TEXT_MAX + 1);
	struct policy_report report;
	struct config config;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', CONFIG_TEXT_MAX + 1);
	memcpy(text, "{}", 2);
	assert_int_equal(config_parse(text, CONFIG_TEXT_MAX, &config, &report), 0);
	assert_int_equal(
		config_parse(text, CONFIG_TEXT_MAX + 1, &config, &report), -EFBIG);
	free(text);
}

static void expect_round_trip(const struct config *config)
{
	struct policy_report report;
	struct config again;
	char text[4096], *exact;
	int len = config_format(config, text, sizeof(text));

	assert_int_equal(len, strlen(text));
	if (config_parse(text, (size_t)len, &again, &report) < 0) {
		print_message("%s\n%s\n", text, report.error.message);
		fail();
	}
	expect_same(&again, config);
	for (int size = 1; size <= len + 1; size += size < len - 9 ? 7 : 1) {
		exact = malloc((size_t)size);
		assert_non_null(exact);
		assert_int_equal(config_format(config, exact, (size_t)size),
			size > len ? len : -ENOSPC);
		free(exact);
	}
	assert_int_equal(config_format(config, NULL, 0), -ENOSPC);
}

static void test_format(void **state)
{
	struct config config;
	char text[4096];

	(void)state;
	config_init(&config);
	expect_round_trip(&config);
	config_format(&config, text, sizeof(text));
	assert_non_null(strstr(text, "\"mark\": \"0x40000000\""));
	assert_non_null(strstr(text, "\"external\": null,\n"));
	strcpy(config.friendly_name, "\"\\ \xc3\xbc '");
	strcpy(config.policy, "/a b/\"c\"/\\n");
	strcpy(config.external, "\"wan\"");
	expect_round_trip(&config);
	/* Not what config_parse() lets in, but no way out of the string either. */
	strcpy(config.friendly_name, "a\nb");
	config_format(&config, text, sizeof(text));
	assert_non_null(strstr(text, "\"a\\u000ab\""));
}

static void fill(char *dst, size_t max, const char *alphabet)
{
	size_t len = 1 + (size_t)rand() % max;

	for (size_t i = 0; i < len; i++)
		dst[i] = alphabet[(size_t)rand() % strlen(alphabet)];
	dst[len] = '\0';
}

/* Any valid configuration comes back as it was written. */
static void test_random(void **state)
{
	static const char name[] = "abcxyz_019.-";
	struct config config;

	(void)state;
	random_begin();
	for (int i = 0; i < 500; i++) {
		config_init(&config);
		if (rand() % 2)
			fill(config.external, IGW_IFNAME_MAX, "abc\"\\$-9");
		config.n_internal = (size_t)rand() % (IGW_LINKS_MAX + 1);
		for (size_t j = 0; j < config.n_internal; j++) {
			fill(config.internal[j], IGW_IFNAME_MAX - 1, "lan\"$-9");
			/* None twice, and none the external one. */
			memmove(config.internal[j] + 1, config.internal[j],
				IGW_IFNAME_MAX);
			config.internal[j][0] = (char)('A' + j);
		}
		config.http_port = (uint16_t)(rand() % 4 ? 1024 + rand() % 64512 : 0);
		fill(config.friendly_name, IGW_NAME_MAX - 1, " a\"\\/{}[],:~");
		strcat(config.friendly_name, "x");
		config.policy[0] = '/';
		fill(config.policy + 1, CONFIG_PATH_MAX - 1, "a/ \"\\.");
		if (rand() % 2)
			strcpy(config.uuid, "2fac1234-31f8-11b4-a222-08002b34c003");
		config.igd_version = (uint8_t)(1 + rand() % 2);
		config.user[0] = 'u';
		fill(config.user + 1, IGW_USER_MAX - 1, name);
		config.worker_user[0] = 'w';
		memset(config.worker_user + 1, 0, IGW_USER_MAX);
		fill(config.worker_user + 1, IGW_USER_MAX - 1, name);
		config.sandbox = (enum config_sandbox)(rand() % 2);
		config.owner = (enum config_owner)(rand() % 2);
		config.persist = (enum config_persist)(rand() % 2);
		config.on_stop = (enum config_on_stop)(rand() % 2);
		config.mark = UINT32_C(1) << rand() % 32;
		config.hairpin = rand() % 2;
		config.block_smb_egress = rand() % 2;
		config.log_level = (enum config_log_level)(rand() % 4);
		expect_round_trip(&config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
