/* A broker that falls silent or does not keep to the protocol. */
#include "test_cli.h"

#include <dirent.h>
#include <time.h>

enum {
	SHORT_MS = 60, /* for brokers that never answer */
};

#define NONSENSE "igdward: igdwardd's answer makes no sense: is it of another version?\n"

/* ---- a broker that falls silent ------------------------------------------------------
 */

static void serve_silence(struct fake *fake, int fd)
{
	(void)fake;
	fake_wait(fd);
}

static const struct igw_ctl_mapping mapping = { .mapping = 1, .protocol = IGW_TCP };

static void serve_half(struct fake *fake, int fd)
{
	fake_send(fake, fd, IGW_CTL_MAPPING_IS, &mapping);
	fake_wait(fd);
}

static void serve_nothing(struct fake *fake, int fd)
{
	(void)fake;
	(void)fd;
}

static void serve_cut(struct fake *fake, int fd)
{
	fake_send(fake, fd, IGW_CTL_MAPPING_IS, &mapping);
}

/* All verbs that expect different things of the same broker. */
static void expect_bad(
	fake_serve_fn serve, const void *arg, int timeout_ms, const char *err)
{
	static const char *const verbs[][12] = {
		{ "status" },
		{ "list" },
		{ "show", "00000001" },
		{ "delete", "00000001" },
		{ "reload" },
		{ "explain", "--client=192.168.1.2", "--protocol=udp",
			"--external-port=1", "--internal-port=1" },
	};
	struct fake fake;
	struct run run;

	fake_start(&fake, serve, arg);
	run_init(&run, fake.path);
	run.cli.timeout_ms = timeout_ms;
	for (size_t i = 0; i < COUNT(verbs); i++) {
		run_cli(&run, verbs[i]);
		assert_string_equal(run.out, "");
		assert_string_equal(run.err, err);
		assert_int_equal(run.code, IGW_EXIT_FAILED);
	}
	assert_int_equal(fake.connections, COUNT(verbs));
	fake_stop(&fake);
	run_free(&run);
}

static void expect_list(fake_serve_fn serve, int timeout_ms, const char *err)
{
	struct fake fake;
	struct run run;

	fake_start(&fake, serve, NULL);
	run_init(&run, fake.path);
	run.cli.timeout_ms = timeout_ms;
	run_cli(&run, ARGS("list"));
	fake_stop(&fake);
	assert_string_equal(run.out, "");
	assert_string_equal(run.err, err);
	assert_int_equal(run.code, IGW_EXIT_FAILED);
	run_free(&run);
}

static void test_silence(void **state)
{
	(void)state;
	expect_bad(serve_silence, NULL, SHORT_MS, "igdward: igdwardd does not answer\n");
	expect_list(serve_half, SHORT_MS, "igdward: igdwardd does not answer\n");
	expect_bad(serve_nothing, NULL, FAKE_TIMEOUT_MS,
		"igdward: igdwardd broke off its answer\n");
	expect_list(
		serve_cut, FAKE_TIMEOUT_MS, "igdward: igdwardd broke off its answer\n");
}

/* ---- messages out of shape ------------------------------------------------------------
 */

struct raw {
	uint8_t buf[2 * IGW_MSG_MAX];
	size_t len;
};

static void serve_raw(struct fake *fake, int fd)
{
	const struct raw *raw = fake->arg;

	fake_send_raw(fd, raw->buf, raw->len);
	fake_wait(fd);
}

static void raw_init(struct raw *raw, uint32_t id, const void *payload)
{
	struct igw_hdr hdr = { .id = id, .seq = 1 };

	*raw = (struct raw){ .len = sizeof(hdr) + igw_msg_size(id) };
	memcpy(raw->buf, &hdr, sizeof(hdr));
	if (payload)
		memcpy(raw->buf + sizeof(hdr), payload, igw_msg_size(id));
}

static void expect_raw(const struct raw *raw)
{
	expect_bad(serve_raw, raw, FAKE_TIMEOUT_MS, NONSENSE);
}

static void test_length(void **state)
{
	struct raw raw;

	(void)state;
	raw_init(&raw, IGW_CTL_DONE, NULL);
	raw.len--;
	expect_raw(&raw);
	raw.len += 2;
	expect_raw(&raw);
	raw.len = sizeof(struct igw_hdr);
	expect_raw(&raw);
	raw.len = 1;
	expect_raw(&raw);
	raw.len = sizeof(raw.buf); /* longer than any message: truncated */
	expect_raw(&raw);
	raw.len = IGW_MSG_MAX;
	expect_raw(&raw);
}

static void test_id(void **state)
{
	static const uint32_t ids[] = { IGW_MSG_NONE, IGW_MSG_COUNT, UINT32_MAX,
		/* what others send, what we send, what the broker sends to others */
		IGW_MAP_ADD, IGW_CTL_LIST, IGW_STARTED, IGW_WAN };
	struct igw_hdr hdr = { .seq = 1 };
	struct raw raw;

	(void)state;
	for (size_t i = 0; i < COUNT(ids); i++) {
		raw = (struct raw){ .len = sizeof(hdr) + igw_msg_size(ids[i]) };
		hdr.id = ids[i];
		memcpy(raw.buf, &hdr, sizeof(hdr));
		expect_raw(&raw);
	}
}

static void test_seq(void **state)
{
	struct igw_hdr hdr = { .id = IGW_CTL_DONE, .seq = 0 };
	struct raw raw;

	(void)state;
	raw_init(&raw, IGW_CTL_DONE, NULL);
	memcpy(raw.buf, &hdr, sizeof(hdr));
	expect_raw(&raw);
	hdr.seq = 2;
	memcpy(raw.buf, &hdr, sizeof(hdr));
	expect_raw(&raw);
}

/* Every text field, filled to its end without a NUL. */
static void test_text_without_end(void **state)
{
#define FIELD(id, type, field)                                                           \
	{                                                                                \
		id, offsetof(type, field), sizeof(((type *)0)->field)                    \
	}
	static const struct {
		uint32_t id;
		size_t at, size;
	} fields[] = {
		FIELD(IGW_CTL_STATUS_IS, struct igw_ctl_status, wan),
		FIELD(IGW_CTL_STATUS_IS, struct igw_ctl_status, policy_path),
		FIELD(IGW_CTL_STATUS_IS, struct igw_ctl_status, last_refusal),
		FIELD(IGW_CTL_STATUS_IS, struct igw_ctl_status, version),
		FIELD(IGW_CTL_LINK_IS, struct igw_ctl_link, interface),
		FIELD(IGW_CTL_MAPPING_IS, struct igw_ctl_mapping, interface),
		FIELD(IGW_CTL_MAPPING_IS, struct igw_ctl_mapping, rule),
		FIELD(IGW_CTL_MAPPING_IS, struct igw_ctl_mapping, description),
		FIELD(IGW_CTL_VERDICT_IS, struct igw_ctl_verdict, rule),
		FIELD(IGW_CTL_VERDICT_IS, struct igw_ctl_verdict, interface),
		FIELD(IGW_CTL_DONE, struct igw_ctl_done, text),
	};
#undef FIELD
	struct raw raw;

	(void)state;
	for (size_t i = 0; i < COUNT(fields); i++) {
		raw_init(&raw, fields[i].id, NULL);
		memset(raw.buf + sizeof(struct igw_hdr) + fields[i].at, 'x',
			fields[i].size);
		expect_raw(&raw);
	}
}

static void test_code(void **state)
{
	struct igw_ctl_done done = { .code = IGW_CTL_INVALID + 1 };
	struct raw raw;

	(void)state;
	raw_init(&raw, IGW_CTL_DONE, &done);
	expect_raw(&raw);
	done.code = UINT32_MAX;
	raw_init(&raw, IGW_CTL_DONE, &done);
	expect_raw(&raw);
}

/* A descriptor that nobody asked for is refused, and does not stay open here. */
static void serve_fd(struct fake *fake, int fd)
{
	struct igw_ctl_done done = { .code = IGW_CTL_OK };
	struct igw_hdr hdr = { .id = IGW_CTL_DONE, .seq = fake->hdr.seq };
	struct iovec iov[2] = { { &hdr, sizeof(hdr) }, { &done, sizeof(done) } };
	union {
		struct cmsghdr hdr;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .hdr = { .cmsg_len = CMSG_LEN(sizeof(int)),
			      .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS } };
	struct msghdr msg = { .msg_iov = iov,
		.msg_iovlen = 2,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.hdr), &fd, sizeof(fd));
	(void)sendmsg(fd, &msg, MSG_NOSIGNAL);
	fake_wait(fd);
}

static size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void test_descriptor(void **state)
{
	size_t before = count_fds();

	(void)state;
	expect_bad(serve_fd, NULL, FAKE_TIMEOUT_MS, NONSENSE);
	assert_int_equal(count_fds(), before);
}

/* ---- messages out of place
 * -------------------------------------------------------------- */

/* One message of data as often as it says, then the end. */
struct repeat {
	uint32_t id;
	unsigned n;
	const void *payload;
	bool status_first;
};

static void serve_repeat(struct fake *fake, int fd)
{
	static const struct igw_ctl_status status = { .wan = "eth0" };
	const struct repeat *r = fake->arg;

	if (r->status_first)
		fake_send(fake, fd, IGW_CTL_STATUS_IS, &status);
	for (unsigned i = 0; i < r->n; i++)
		fake_send(fake, fd, r->id, r->payload);
	fake_done(fake, fd, IGW_CTL_OK, "");
	fake_wait(fd);
}

static void test_place(void **state)
{
	static const struct igw_ctl_status status;
	static const struct igw_ctl_link link;
	static const struct igw_ctl_verdict verdict,
		unknown = { .reason = IGW_REASON_COUNT };
	static const struct {
		const char *args[6];
		struct repeat repeat;
	} cases[] = {
		{ { "status" }, { IGW_CTL_STATUS_IS, 0, NULL, false } },
		{ { "status" }, { IGW_CTL_STATUS_IS, 2, &status, false } },
		{ { "status" }, { IGW_CTL_LINK_IS, 1, &link, false } },
		{ { "status" }, { IGW_CTL_LINK_IS, IGW_LINKS_MAX + 1, &link, true } },
		{ { "status" }, { IGW_CTL_MAPPING_IS, 1, &mapping, true } },
		{ { "list" }, { IGW_CTL_STATUS_IS, 1, &status, false } },
		{ { "list" }, { IGW_CTL_MAPPING_IS, 65536, &mapping, false } },
		{ { "show", "00000001" }, { IGW_CTL_MAPPING_IS, 0, NULL, false } },
		{ { "show", "00000001" }, { IGW_CTL_MAPPING_IS, 2, &mapping, false } },
		{ { "show", "00000002" }, { IGW_CTL_MAPPING_IS, 1, &mapping, false } },
		{ { "show", "00000001" }, { IGW_CTL_VERDICT_IS, 1, &verdict, false } },
		{ { "delete", "00000001" }, { IGW_CTL_MAPPING_IS, 1, &mapping, false } },
		{ { "reload" }, { IGW_CTL_STATUS_IS, 1, &status, false } },
		{ { "explain", "--client=192.168.1.2", "--protocol=udp",
			  "--external-port=1", "--internal-port=1" },
			{ IGW_CTL_VERDICT_IS, 0, NULL, false } },
		{ { "explain", "--client=192.168.1.2", "--protocol=udp",
			  "--external-port=1", "--internal-port=1" },
			{ IGW_CTL_VERDICT_IS, 2, &verdict, false } },
		{ { "explain", "--client=192.168.1.2", "--protocol=udp",
			  "--external-port=1", "--internal-port=1" },
			{ IGW_CTL_VERDICT_IS, 1, &unknown, false } },
		{ { "explain", "--client=192.168.1.2", "--protocol=udp",
			  "--external-port=1", "--internal-port=1" },
			{ IGW_CTL_STATUS_IS, 1, &status, false } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect(serve_repeat, &cases[i].repeat, cases[i].args, IGW_EXIT_FAILED, "",
			NONSENSE);
}

/* As many mappings as there can be at most are no mistake. */
static void test_most_mappings(void **state)
{
	static const struct repeat most = { IGW_CTL_MAPPING_IS, 65535, &mapping, false };
	struct fake fake;
	struct run run;

	(void)state;
	fake_start(&fake, serve_repeat, &most);
	run_init(&run, fake.path);
	run_cli(&run, ARGS("list"));
	fake_stop(&fake);
	assert_int_equal(run.code, IGW_EXIT_OK);
	run_free(&run);
}

/* ---- anything at all
 * ---------------------------------------------------------------------- */

static void serve_random(struct fake *fake, int fd)
{
	static const uint32_t ids[] = { IGW_CTL_STATUS_IS, IGW_CTL_LINK_IS,
		IGW_CTL_MAPPING_IS, IGW_CTL_VERDICT_IS, IGW_CTL_DONE };
	uint8_t buf[IGW_MSG_MAX];

	for (int messages = rand() % 4; messages >= 0; messages--) {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = (uint8_t)(rand() % 4 ? rand() % 256 : 0);
		if (rand() % 8 == 0)
			fake_send_raw(fd, buf, (size_t)rand() % sizeof(buf));
		else
			fake_send(fake, fd, ids[(size_t)rand() % COUNT(ids)], buf);
	}
}

/* Whatever comes: it ends, and nothing but text goes to the terminal. */
static void test_random(void **state)
{
	static const char *const verbs[][6] = { { "status" }, { "list" },
		{ "show", "00000001" }, { "reload" }, { "list", "--json" },
		{ "status", "--json" } };
	unsigned seed = (unsigned)time(NULL);
	struct fake fake;
	struct run run;

	(void)state;
	printf("seed %u\n", seed);
	srand(seed);
	fake_start(&fake, serve_random, NULL);
	run_init(&run, fake.path);
	for (size_t i = 0; i < 2000; i++) {
		run_cli(&run, verbs[i % COUNT(verbs)]);
		for (const char *c = run.out; *c; c++)
			assert_true(*c == '\n' || (*c >= 0x20 && *c < 0x7f));
		for (const char *c = run.err; *c; c++)
			assert_true(*c == '\n' || (*c >= 0x20 && *c < 0x7f));
	}
	fake_stop(&fake);
	run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_seq),
		cmocka_unit_test(test_text_without_end),
		cmocka_unit_test(test_code),
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_most_mappings),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
