/* Reasons and the small words: one table, no hole in it. */
#include "igdward/reason.h"
#include "igdward/types.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_words(void **state)
{
	(void)state;
	for (int i = 0; i < IGW_REASON_COUNT; i++) {
		const char *word = igw_reason_word((enum igw_reason)i);
		const char *sentence = igw_reason_sentence((enum igw_reason)i);

		assert_true(word[0] != '\0' && strlen(word) < 24);
		for (const char *c = word; *c; c++)
			assert_true(islower((unsigned char)*c) || *c == '-');
		assert_true(strlen(sentence) > 4);
		assert_true(sentence[strlen(sentence) - 1] != '.');
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
				word, igw_reason_word((enum igw_reason)j));
	}
}

static void test_codes(void **state)
{
	(void)state;
	assert_string_equal(igw_reason_word(IGW_OK), "ok");
	assert_int_equal(igw_reason_upnp(IGW_OK), 0);
	assert_int_equal(igw_reason_natpmp(IGW_OK), 0);
	assert_int_equal(igw_reason_pcp(IGW_OK), 0);
	for (int i = 1; i < IGW_REASON_COUNT; i++)
		assert_in_range(igw_reason_upnp((enum igw_reason)i), 401, 799);
	/* A policy refusal answered with 718 makes clients try the next port for ever. */
	assert_int_equal(igw_reason_upnp(IGW_SMB_PORT), 606);
	assert_int_equal(igw_reason_upnp(IGW_OFF_LAN), 606);
	assert_int_equal(igw_reason_upnp(IGW_CONFLICT), 718);
	assert_int_equal(igw_reason_pcp(IGW_NOT_REQUESTER), 2);
	assert_int_equal(igw_reason_natpmp(IGW_WAN_DOWN), 3);
	assert_int_equal(igw_reason_pcp(IGW_QUOTA_CLIENT), 10);
}

/* A number that is no reason must never read as success. */
static void test_out_of_range(void **state)
{
	const enum igw_reason bad[] = { IGW_REASON_COUNT, (enum igw_reason) - 1,
		(enum igw_reason)1000 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_string_equal(igw_reason_word(bad[i]), "?");
		assert_non_null(igw_reason_sentence(bad[i]));
		assert_int_equal(igw_reason_upnp(bad[i]), 501);
		assert_int_equal(igw_reason_natpmp(bad[i]), 4);
		assert_int_equal(igw_reason_pcp(bad[i]), 8);
	}
}

static void test_types(void **state)
{
	(void)state;
	assert_string_equal(igw_protocol_word(IGW_TCP), "tcp");
	assert_string_equal(igw_protocol_word(IGW_UDP), "udp");
	assert_string_equal(igw_protocol_word(0), "?");
	assert_string_equal(igw_protocol_word(256 + IGW_TCP), "?");
	assert_string_equal(igw_via_word(IGW_VIA_UPNP), "upnp");
	assert_string_equal(igw_via_word(IGW_VIA_NATPMP), "natpmp");
	assert_string_equal(igw_via_word(IGW_VIA_PCP), "pcp");
	assert_string_equal(igw_via_word(3), "?");
	assert_string_equal(igw_via_word((unsigned)-1), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_out_of_range),
		cmocka_unit_test(test_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
