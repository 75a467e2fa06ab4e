/* Lease records: what is written is read back, and nothing else is taken for one. Each
 * input lies in a block of exactly its length, so that reading on is seen. */
#include "fakes_random.h"
#include "fw.h"
#include "record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum {
	ROUNDS = 20000,
	LEN_MAX = 300,
	FIXED = 1 + 4 + 4 + 8 + 16 + 6 + 1, /* up to the three texts */
};

static struct mapping plain(void)
{
	struct mapping mapping;

	memset(&mapping, 0, sizeof(mapping));
	mapping.id = 0x01020304;
	mapping.lease_s = 3600;
	mapping.created_s = 1793491200;
	mapping.client = igw_addr_from_v4(0xc0a8010a);
	mapping.mac = (struct igw_mac){ .b = { 2, 3, 4, 5, 6, 7 } };
	mapping.via = IGW_VIA_PCP;
	strcpy(mapping.interface, "br-lan");
	strcpy(mapping.rule, "high-ports");
	strcpy(mapping.description, "Spiel \xc3\xa4");
	return mapping;
}

static int read_exact(const uint8_t *bytes, size_t len, struct mapping *ret)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	r = record_read(copy, len, ret);
	free(copy);
	return r;
}

/* A mapping whose every byte tells whether it was touched. */
static struct mapping marked(void)
{
	struct mapping mapping;

	memset(&mapping, 0x5a, sizeof(mapping));
	mapping.enabled = true;
	return mapping;
}

static void expect_refused(const uint8_t *bytes, size_t len)
{
	struct mapping ret = marked(), before = marked();

	assert_int_equal(read_exact(bytes, len, &ret), -EBADMSG);
	assert_memory_equal(&ret, &before, sizeof(ret));
}

static void test_round_trip(void **state)
{
	struct mapping in = plain(), out = marked();
	const struct mapping before = marked();
	uint8_t buf[FW_RECORD_MAX];
	size_t len = record_write(&in, buf, sizeof(buf));

	(void)state;
	assert_int_equal(len, FIXED + 7 + 11 + 9);
	assert_int_equal(read_exact(buf, len, &out), 0);
	assert_int_equal(out.id, in.id);
	assert_int_equal(out.lease_s, in.lease_s);
	assert_int_equal(out.created_s, in.created_s);
	assert_memory_equal(&out.client, &in.client, sizeof(in.client));
	assert_memory_equal(&out.mac, &in.mac, sizeof(in.mac));
	assert_int_equal(out.via, in.via);
	assert_memory_equal(out.interface, in.interface, sizeof(in.interface));
	assert_memory_equal(out.rule, in.rule, sizeof(in.rule));
	assert_memory_equal(out.description, in.description, sizeof(in.description));
	/* The kernel's element says these. */
	assert_int_equal(out.expires_ms, before.expires_ms);
	assert_memory_equal(
		&out.internal_client, &before.internal_client, sizeof(out.client));
	assert_memory_equal(&out.remote_host, &before.remote_host, sizeof(out.client));
	assert_int_equal(out.external_port, before.external_port);
	assert_int_equal(out.internal_port, before.internal_port);
	assert_int_equal(out.protocol, before.protocol);
	assert_int_equal(out.enabled, before.enabled);
}

static void test_longest_and_shortest(void **state)
{
	struct mapping in = plain(), out = marked();
	uint8_t buf[FW_RECORD_MAX];
	size_t len;

	(void)state;
	memset(in.interface, 'i', IGW_IFNAME_MAX);
	memset(in.rule, 'r', IGW_RULE_NAME_MAX);
	memset(in.description, 'd', IGW_DESCRIPTION_MAX);
	in.id = in.lease_s = UINT32_MAX;
	in.created_s = -1;
	len = record_write(&in, buf, sizeof(buf));
	assert_int_equal(len, FIXED + 16 + 32 + 65);
	assert_int_equal(read_exact(buf, len, &out), 0);
	assert_int_equal(out.created_s, -1);
	assert_string_equal(out.interface, in.interface);
	assert_string_equal(out.rule, in.rule);
	assert_string_equal(out.description, in.description);
	in.interface[0] = in.rule[0] = in.description[0] = '\0';
	len = record_write(&in, buf, sizeof(buf));
	assert_int_equal(len, FIXED + 3);
	assert_int_equal(read_exact(buf, len, &out), 0);
	assert_string_equal(out.interface, "");
	assert_string_equal(out.rule, "");
	assert_string_equal(out.description, "");
	assert_int_equal(record_write(&in, buf, len - 1), 0);
	assert_int_equal(record_write(&in, buf, 0), 0);
}

static void test_truncated(void **state)
{
	struct mapping in = plain();
	uint8_t buf[LEN_MAX] = { 0 };
	size_t len = record_write(&in, buf, sizeof(buf));

	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		expect_refused(buf, cut);
	for (size_t more = len + 1; more < sizeof(buf); more++)
		expect_refused(buf, more);
}

/* Whatever is read has its texts inside their fields and fits into a record again. */
static void expect_sane(const uint8_t *bytes, size_t len)
{
	struct mapping ret = marked();
	uint8_t buf[FW_RECORD_MAX];

	if (read_exact(bytes, len, &ret) < 0) {
		expect_refused(bytes, len);
		return;
	}
	assert_int_not_equal(ret.id, 0);
	assert_in_range(ret.via, IGW_VIA_UPNP, IGW_VIA_PCP);
	assert_non_null(memchr(ret.interface, '\0', sizeof(ret.interface)));
	assert_non_null(memchr(ret.rule, '\0', sizeof(ret.rule)));
	assert_non_null(memchr(ret.description, '\0', sizeof(ret.description)));
	for (const char *c = ret.description; *c; c++)
		assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
	assert_true(record_write(&ret, buf, sizeof(buf)) > 0);
}

static void test_every_byte_corrupted(void **state)
{
	struct mapping in = plain();
	uint8_t buf[FW_RECORD_MAX];
	size_t len = record_write(&in, buf, sizeof(buf));

	(void)state;
	for (size_t at = 0; at < len; at++) {
		uint8_t was = buf[at];

		for (unsigned value = 0; value < 256; value++) {
			buf[at] = (uint8_t)value;
			expect_sane(buf, len);
		}
		buf[at] = was;
	}
}

static void test_refused(void **state)
{
	struct mapping in = plain();
	uint8_t buf[FW_RECORD_MAX], good[FW_RECORD_MAX];
	size_t len = record_write(&in, good, sizeof(good));

	(void)state;
	for (unsigned version = 0; version < 256; version++) {
		memcpy(buf, good, len);
		buf[0] = (uint8_t)version;
		if (version != good[0])
			expect_refused(buf, len);
	}
	memcpy(buf, good, len);
	memset(buf + 1, 0, 4); /* id 0 */
	expect_refused(buf, len);
	for (unsigned via = IGW_VIA_PCP + 1; via < 256; via++) {
		memcpy(buf, good, len);
		buf[FIXED - 1] = (uint8_t)via;
		expect_refused(buf, len);
	}
	/* Lengths that lead out of the field, out of the record, or to its very end. */
	for (unsigned text_len = 0; text_len < 256; text_len++) {
		memcpy(buf, good, len);
		buf[FIXED] = (uint8_t)text_len;
		if (text_len != good[FIXED])
			expect_refused(buf, len);
	}
	memcpy(buf, good, len);
	buf[FIXED + 1] = '\0'; /* a NUL in a text */
	expect_refused(buf, len);
}

static void test_garbage(void **state)
{
	uint8_t buf[LEN_MAX];
	struct mapping in = plain();

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t len = random_below(LEN_MAX);

		for (size_t i = 0; i < len; i++)
			buf[i] = (uint8_t)random_below(256);
		expect_sane(buf, len);
		/* And good ones, a few bytes of which are other ones. */
		len = record_write(&in, buf, FW_RECORD_MAX);
		for (unsigned i = random_below(4); i < 4; i++)
			buf[random_below((uint32_t)len)] = (uint8_t)random_below(256);
		expect_sane(buf, len);
	}
}

static void test_description_is_cleaned(void **state)
{
	struct mapping in = plain(), out = marked();
	uint8_t buf[FW_RECORD_MAX];
	size_t len;

	(void)state;
	strcpy(in.description, "good\x1b[2Jbad");
	len = record_write(&in, buf, sizeof(buf));
	assert_int_equal(read_exact(buf, len, &out), 0);
	assert_string_equal(out.description, "good");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_longest_and_shortest),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_every_byte_corrupted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_description_is_cleaned),
	};

	random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
