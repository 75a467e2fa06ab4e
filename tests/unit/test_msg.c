/* The one check of a message: every id with every wrong length, sender and number of
 * descriptors. */
#include "igdward/msg.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The table a second time, from the contract: who may send what, with how many. */
static const struct {
	uint32_t id;
	size_t size;
	unsigned fds;
	unsigned senders;
} forms[] = {
#define X(id, payload, fds, sender) { id, sizeof(payload), fds, sender },
	IGW_MSGS(X)
#undef X
};

static const enum igw_sender senders[] = { IGW_PARENT, IGW_BROKER, IGW_UPNP, IGW_CTL };

static int check(uint32_t id, size_t len, unsigned fds, enum igw_sender sender)
{
	struct igw_hdr hdr = { .id = id, .seq = 77 };
	uint8_t buf[2 * IGW_MSG_MAX] = { 0 };

	memcpy(buf, &hdr, sizeof(hdr));
	return igw_msg_check(buf, len, fds, sender);
}

static void test_right(void **state)
{
	(void)state;
	assert_int_equal(COUNT(forms), IGW_MSG_COUNT - 1);
	for (size_t i = 0; i < COUNT(forms); i++) {
		size_t len = sizeof(struct igw_hdr) + forms[i].size;

		assert_int_equal(igw_msg_size(forms[i].id), forms[i].size);
		assert_int_equal(igw_msg_fds(forms[i].id), forms[i].fds);
		for (size_t j = 0; j < COUNT(senders); j++)
			assert_int_equal(
				check(forms[i].id, len, forms[i].fds, senders[j]),
				forms[i].senders & (unsigned)senders[j] ? 0 : -EBADMSG);
		assert_int_equal(
			check(forms[i].id, len, forms[i].fds, (enum igw_sender)0),
			-EBADMSG);
	}
}

static void test_wrong_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		size_t right = sizeof(struct igw_hdr) + forms[i].size;

		for (size_t len = 0; len <= 2 * IGW_MSG_MAX; len++)
			assert_int_equal(check(forms[i].id, len, forms[i].fds,
						 (enum igw_sender)forms[i].senders),
				len == right ? 0 : -EBADMSG);
	}
}

static void test_wrong_fds(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		for (unsigned fds = 0; fds < 10; fds++)
			assert_int_equal(
				check(forms[i].id, sizeof(struct igw_hdr) + forms[i].size,
					fds, (enum igw_sender)forms[i].senders),
				fds == forms[i].fds ? 0 : -EBADMSG);
	}
}

/* What workers and CLI may say is what the design gives them: the rights of a process
 * that was taken over end there. */
static void test_rights(void **state)
{
	static const uint32_t worker[] = { IGW_SERVING, IGW_MAP_ADD, IGW_MAP_DELETE,
		IGW_MAP_GET, IGW_MAP_INDEX, IGW_WAN_GET, IGW_REFUSED, IGW_LOG };
	static const uint32_t cli[] = { IGW_CTL_STATUS, IGW_CTL_LIST, IGW_CTL_SHOW,
		IGW_CTL_DELETE, IGW_CTL_EXPLAIN, IGW_CTL_RELOAD };

	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		bool of_worker = false, of_cli = false;

		for (size_t j = 0; j < COUNT(worker); j++)
			of_worker = of_worker || forms[i].id == worker[j];
		for (size_t j = 0; j < COUNT(cli); j++)
			of_cli = of_cli || forms[i].id == cli[j];
		assert_int_equal((forms[i].senders & IGW_UPNP) != 0, of_worker);
		assert_int_equal((forms[i].senders & IGW_CTL) != 0, of_cli);
		assert_true(!(of_worker || of_cli) || forms[i].fds == 0);
	}
}

static void test_unknown(void **state)
{
	static const uint32_t ids[] = { 0, IGW_MSG_COUNT, IGW_MSG_COUNT + 1, 255, 256,
		0x10001, INT32_MAX, 0x80000001, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < COUNT(ids); i++) {
		assert_int_equal(igw_msg_size(ids[i]), 0);
		assert_int_equal(igw_msg_fds(ids[i]), 0);
		assert_string_equal(igw_msg_name(ids[i]), "?");
		for (size_t len = 0; len < 64; len++)
			assert_int_equal(
				check(ids[i], len, 0, (enum igw_sender)15), -EBADMSG);
	}
	assert_string_equal(igw_msg_name(IGW_MAP_ADD), "IGW_MAP_ADD");
}

static void test_text(void **state)
{
	char field[4] = { 'a', 'b', 'c', '\0' };

	(void)state;
	assert_true(igw_msg_text_ok(field, 4));
	assert_false(igw_msg_text_ok(field, 3));
	field[0] = '\0';
	assert_true(igw_msg_text_ok(field, 1));
	assert_false(igw_msg_text_ok(field + 1, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_wrong_length),
		cmocka_unit_test(test_wrong_fds),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
