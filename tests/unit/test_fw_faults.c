/* Lost, late, forged and missing answers, full buffers and no memory: every call says so,
 * and the next one works. Needs root. */
#include "test_fw_lab.h"

#include <dlfcn.h>
#include <linux/netlink.h>
#include <sys/socket.h>

enum { NEVER = -1, INTR_FLAG = NLM_F_DUMP_INTR };

/* What happens to the next calls; the tests' own definitions below stand before libc's.
 */
static struct {
	int recv_errno;	 /* recvmsg fails with it ... */
	int recv_times;	 /* ... so many times */
	int recv_after;	 /* ... after so many that work */
	int intr_times;	 /* answers get NLM_F_DUMP_INTR */
	int drop_sends;	 /* messages get lost on their way to the kernel */
	int send_errno;	 /* or are refused, once */
	int alloc_after; /* allocations that work before one does not */
} fault = { .alloc_after = NEVER };

static void no_faults(void)
{
	memset(&fault, 0, sizeof(fault));
	fault.alloc_after = NEVER;
}

static void *real(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (!f)
		abort();
	return f;
}

__attribute__((visibility("default"))) ssize_t recvmsg(
	int fd, struct msghdr *msg, int flags)
{
	ssize_t (*next)(int, struct msghdr *, int);
	ssize_t n;

	*(void **)&next = real("recvmsg");
	if (fault.recv_times > 0 && fault.recv_after-- <= 0) {
		fault.recv_times--;
		errno = fault.recv_errno;
		return -1;
	}
	n = next(fd, msg, flags);
	if (n > 0 && fault.intr_times > 0) {
		((struct nlmsghdr *)msg->msg_iov->iov_base)->nlmsg_flags |= INTR_FLAG;
		fault.intr_times--;
	}
	return n;
}

__attribute__((visibility("default"))) ssize_t sendto(int fd, const void *buf, size_t len,
	int flags, const struct sockaddr *to, socklen_t to_len)
{
	ssize_t (*next)(
		int, const void *, size_t, int, const struct sockaddr *, socklen_t);

	*(void **)&next = real("sendto");
	if (fault.send_errno != 0) {
		errno = fault.send_errno;
		fault.send_errno = 0;
		return -1;
	}
	if (fault.drop_sends > 0) {
		fault.drop_sends--;
		return (ssize_t)len;
	}
	return next(fd, buf, len, flags, to, to_len);
}

/* ASan and valgrind bring allocators of their own; there this part tests nothing. */
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NO_ALLOC_FAULTS
#endif
#endif
#ifndef NO_ALLOC_FAULTS
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

static bool out_of_memory(void)
{
	if (fault.alloc_after == NEVER)
		return false;
	if (fault.alloc_after-- > 0)
		return false;
	fault.alloc_after = 0; /* and it stays so */
	errno = ENOMEM;
	return true;
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
	return out_of_memory() ? NULL : __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
	return out_of_memory() ? NULL : __libc_calloc(n, size);
}

__attribute__((visibility("default"))) void *realloc(void *p, size_t size)
{
	return out_of_memory() ? NULL : __libc_realloc(p, size);
}

/* With malloc() comes free(), or valgrind sees only half of it. */
__attribute__((visibility("default"))) void free(void *p)
{
	__libc_free(p);
}
#endif
#endif

static int open_installed(void **state)
{
	no_faults();
	assert_int_equal(lab_open(state), 0);
	install(*state);
	return 0;
}

static int close_installed(void **state)
{
	no_faults();
	return lab_close(state);
}

/* Everything works, and the kernel holds `m` and no other mapping. */
static void assert_healthy(struct fw *fw, const struct fw_mapping *m)
{
	struct fw_counters counters;
	struct loaded l;

	no_faults();
	assert_int_equal(map_set(fw, m), 0);
	l = load(fw);
	assert_int_equal(l.n, 1);
	assert_mapping(&l.v[0], m);
	assert_int_equal(fw_counters(fw, &counters), 0);
}

/* The kernel may have done it; nobody can know. */
static void test_answers_lost(void **state)
{
	struct fw_mapping m = mapping(1, "192.168.1.10", 80);
	struct fw *fw = *state;

	for (int old = 0; old < 2; old++) {
		fw->has_destroy = !old;
		fault.recv_errno = ENOBUFS;
		fault.recv_times = 1;
		fault.recv_after = old ? 3 : 0; /* the look-ups have answers, too */
		assert_int_equal(map_set(fw, &m), -ENOBUFS);
		assert_healthy(fw, &m);
		fault.recv_errno = EINTR; /* a signal is nothing */
		fault.recv_times = 3;
		assert_int_equal(map_set(fw, &m), 0);
		fault.recv_errno = EIO;
		fault.recv_times = 1;
		fault.recv_after = old ? 3 : 0;
		assert_int_equal(map_set(fw, &m), -EIO);
		assert_healthy(fw, &m);
	}
}

/* No answer at all: there is an end to waiting. */
static void test_no_answer(void **state)
{
	const struct timeval wait = { .tv_usec = 50000 };
	struct fw_mapping m = mapping(1, "192.168.1.10", 80);
	struct fw_counters counters;
	struct fw *fw = *state;
	struct loaded l = { .n = 0 };

	setsockopt(fw->wr.fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fw->rd.fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	fault.drop_sends = 1;
	assert_int_equal(map_set(fw, &m), -ETIMEDOUT);
	assert_healthy(fw, &m);
	fault.drop_sends = 1;
	assert_int_equal(fw_load(fw, keep, &l), -ETIMEDOUT);
	assert_healthy(fw, &m);
	fault.drop_sends = 1;
	assert_int_equal(fw_counters(fw, &counters), -ETIMEDOUT);
	assert_healthy(fw, &m);
	fault.send_errno = ENOBUFS;
	assert_int_equal(map_set(fw, &m), -ENOBUFS);
	fault.send_errno = EINTR;
	assert_int_equal(map_set(fw, &m), 0);
	fault.send_errno = EMSGSIZE;
	assert_int_equal(fw_remove_mappings(fw), -EMSGSIZE);
	assert_healthy(fw, &m);
}

/* Another program changes something during a dump: begin again, and report none twice. */
static void test_dump_interrupted(void **state)
{
	struct fw_mapping m = mapping(1, "192.168.1.10", 80);
	struct fw_counters counters;
	struct fw *fw = *state;
	struct loaded l = { .n = 0 };

	assert_int_equal(map_set(fw, &m), 0);
	fault.intr_times = FW_DUMP_TRIES - 1;
	assert_int_equal(load(fw).n, 1);
	assert_int_equal(fault.intr_times, 0);
	fault.intr_times = 3;
	assert_int_equal(fw_counters(fw, &counters), 0);
	fault.intr_times = 1000;
	assert_int_equal(fw_load(fw, keep, &l), -EINTR);
	assert_int_equal(l.n, 0);
	assert_int_equal(fw_counters(fw, &counters), -EINTR);
	assert_healthy(fw, &m);
	fault.recv_errno = ENOBUFS;
	fault.recv_times = 2;
	assert_int_equal(load(fw).n, 1);
	fault.recv_times = 2;
	assert_int_equal(fw_counters(fw, &counters), 0);
	assert_healthy(fw, &m);
}

/* Messages of another process to our ports: an error, and an acknowledgement. */
static void test_forged(void **state)
{
	struct fw_mapping m = mapping(1, "192.168.1.10", 80), bad = m;
	struct fw *fw = *state;
	struct mnl_socket *nl = mnl_socket_open(NETLINK_NETFILTER);
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} msg = { .h = { .nlmsg_len = sizeof(msg), .nlmsg_type = NLMSG_ERROR } };

	assert_non_null(nl);
	bad.timeout_ms = UINT64_MAX;
	for (int i = 0; i < 64; i++) {
		struct sockaddr_nl to = { .nl_family = AF_NETLINK,
			.nl_pid = i % 2 == 0 ? fw->wr.portid : fw->rd.portid };

		msg.h.nlmsg_seq =
			(i % 2 == 0 ? fw->wr.seq : fw->rd.seq) + (uint32_t)i % 8;
		msg.h.nlmsg_pid = to.nl_pid;
		msg.e.error = i % 4 < 2 ? -ENOSPC : 0;
		assert_true(sendto(mnl_socket_get_fd(nl), &msg, sizeof(msg), 0,
				    (struct sockaddr *)&to, sizeof(to)) > 0);
	}
	assert_int_equal(map_set(fw, &bad), -ERANGE);
	assert_healthy(fw, &m);
	mnl_socket_close(nl);
}

/* More answers than the smallest buffer holds: some are lost, and one error is enough. */
static void test_small_buffer(void **state)
{
	static struct fw_mapping m[300];
	static struct fw_op ops[COUNT(m)];
	const int size = 1;
	struct fw *fw = *state;

	assert_int_equal(
		setsockopt(fw->wr.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	for (size_t i = 0; i < COUNT(m); i++) {
		m[i] = mapping((uint16_t)(i + 1), "192.168.1.10", 80);
		m[i].timeout_ms = UINT64_MAX;
		ops[i] = (struct fw_op){ FW_MAP_SET, &m[i], NULL };
	}
	for (int old = 0; old < 2; old++) {
		fw->has_destroy = !old;
		assert_int_equal(fw_apply(fw, ops, COUNT(ops)), -ERANGE);
		m[0].timeout_ms = 60000;
		assert_healthy(fw, &m[0]);
		m[0].timeout_ms = UINT64_MAX;
	}
}

/* Batches of any size. */
static void test_sizes(void **state)
{
	enum { MANY = 5000 };
	struct fw_mapping *m = calloc(MANY, sizeof(*m));
	struct fw_op *ops = calloc(MANY, sizeof(*ops));
	struct fw *fw = *state;

	assert_non_null(m);
	assert_non_null(ops);
	for (int i = 0; i < MANY; i++) {
		m[i] = mapping((uint16_t)(i + 1), "192.168.1.10", 80);
		m[i].record_len = FW_RECORD_MAX;
		ops[i] = (struct fw_op){ FW_MAP_SET, &m[i], NULL };
	}
	for (int old = 0; old < 2; old++) {
		fw->has_destroy = !old;
		install(fw);
		for (size_t n = 1; n <= MANY; n += 1 + n * 3 / 4) {
			assert_int_equal(fw_apply(fw, ops, n), 0);
			assert_int_equal(load(fw).n, n);
		}
	}
	for (int i = 0; i < MANY; i++)
		ops[i].kind = FW_MAP_DEL;
	for (int i = 0; i < 2; i++)
		assert_int_equal(fw_apply(fw, ops, MANY), 0);
	assert_int_equal(load(fw).n, 0);
	free(m);
	free(ops);
}

/* However many allocations work before memory is out: nothing is half done. */
static void test_no_memory(void **state)
{
	const struct fw_settings settings = lab_settings();
	const struct fw_links links = lab_links();
	static struct fw_mapping m[2000];
	struct fw *fw = *state;
	int r = -ENOMEM, tries = 0;

	for (size_t i = 0; i < COUNT(m); i++) {
		m[i] = mapping((uint16_t)(i + 1), "192.168.1.10", 80);
		m[i].record_len = FW_RECORD_MAX;
	}
	assert_int_equal(map_set(fw, &m[0]), 0);
	for (; r == -ENOMEM; tries++) {
		fault.alloc_after = tries;
		r = fw_install(fw, &settings, &links, m, COUNT(m), NULL, 0);
		no_faults();
		if (r < 0)
			assert_int_equal(load(fw).n, 1);
	}
	assert_int_equal(r, 0);
	assert_int_equal(load(fw).n, COUNT(m));
	for (int i = 0; i < 20; i++) {
		struct fw_op op = { FW_MAP_SET, &m[i], NULL };
		struct loaded l = { .n = 0 };

		fault.alloc_after = 0;
		r = fw_apply(fw, &op, 1);
		no_faults();
		assert_int_equal(r, 0); /* needs none */
		fault.alloc_after = 0;
		r = fw_set_links(fw, &links);
		no_faults();
		assert_int_equal(r, 0);
		fault.alloc_after = i;
		r = fw_load(fw, keep, &l);
		no_faults();
		assert_true(r == -ENOMEM || (r == 0 && l.n == COUNT(m)));
	}
	printf("fw_install: %d allocations\n", tries - 1);
}

static void test_open_fails(void **state)
{
	struct fw *fw = NULL;
	int r = -ENOMEM;

	(void)state;
	for (int i = 0; r == -ENOMEM; i++) {
		fault.alloc_after = i;
		r = fw_open(&fw);
		no_faults();
		if (r < 0)
			assert_null(fw);
	}
	assert_int_equal(r, 0);
	fw_close(fw);
	fw = NULL;
	fault.send_errno = ENOBUFS;
	assert_int_equal(fw_open(&fw), -ENOBUFS);
	assert_null(fw);
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(fw_open(&fw), -EPERM);
	assert_null(fw);
	assert_int_equal(seteuid(0), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_installed, close_installed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers_lost),
		TEST(test_no_answer),
		TEST(test_dump_interrupted),
		TEST(test_forged),
		TEST(test_small_buffer),
		TEST(test_sizes),
		TEST(test_no_memory),
		TEST(test_open_fails),
	};

	return cmocka_run_group_tests(tests, lab_netns, NULL);
}
