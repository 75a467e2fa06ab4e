/* `igdward policy check`, with the real policy library and real files. */
#include "policy.h"
#include "test_cli.h"

struct folder {
	char root[64];
	char bin[96]; /* as /proc/self/exe would name the program below it */
	char etc[96], share[96];
};

static void folder_make(struct folder *f)
{
	char path[96];

	*f = (struct folder){ .root = "/tmp/igdward-test-XXXXXX" };
	assert_non_null(mkdtemp(f->root));
	assert_int_equal(chmod(f->root, 0755), 0);
	snprintf(f->bin, sizeof(f->bin), "%s/bin/igdward", f->root);
	snprintf(f->etc, sizeof(f->etc), "%s/etc/igdward/policy.json", f->root);
	snprintf(f->share, sizeof(f->share), "%s/share/igdward/policy.json", f->root);
	for (size_t i = 0; i < 4; i++) {
		static const char *const dirs[] = { "etc", "etc/igdward", "share",
			"share/igdward" };

		snprintf(path, sizeof(path), "%s/%s", f->root, dirs[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
}

static void folder_remove(struct folder *f)
{
	static const char *const names[] = { "etc/igdward/policy.json", "etc/igdward",
		"etc", "share/igdward/policy.json", "share/igdward", "share" };
	char path[96];

	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->root, names[i]);
		if (i % 3 == 0)
			unlink(path);
		else
			rmdir(path);
	}
	assert_int_equal(rmdir(f->root), 0);
}

static void file_write(const char *path, const char *text, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

#define GOOD                                                                             \
	"{ \"version\": 1, \"rules\": [ { \"name\": \"high\", \"action\": \"allow\", "   \
	"\"external_ports\": [\"1024-65535\"], \"internal_ports\": [\"1024-65535\"] } ] }\n"
#define BAD "{\n  \"version\": 1,\n  \"rulse\": []\n}\n"
/* The second rule can never match. */
#define WARNED                                                                           \
	"{ \"version\": 1, \"rules\": [\n"                                               \
	"  { \"name\": \"all\", \"action\": \"deny\" },\n"                               \
	"  { \"name\": \"some\", \"action\": \"allow\", \"protocols\": [\"tcp\"] }\n"    \
	"] }\n"

static void write_text(const char *path, const char *text)
{
	file_write(path, text, strlen(text));
}

static void run_check(struct run *run, const struct folder *f, const char *const *args)
{
	run_init(run, "/nowhere");
	run->cli.exe = f->bin;
	run_cli(run, args);
}

static void test_valid(void **state)
{
	struct folder f;
	char line[256];
	struct run run;

	(void)state;
	folder_make(&f);
	write_text(f.etc, GOOD);
	run_check(&run, &f, ARGS("policy", "check", f.etc));
	snprintf(line, sizeof(line), "%s: valid, 1 rule\n", f.etc);
	assert_string_equal(run.out, line);
	assert_string_equal(run.err, "");
	assert_int_equal(run.code, IGW_EXIT_OK);
	run_free(&run);
	run_check(&run, &f, ARGS("--json", "policy", "check", f.etc));
	snprintf(line, sizeof(line),
		"{\"schema\":1,\"data\":{\"file\":\"%s\",\"valid\":true,\"rules\":1,"
		"\"warnings\":[],\"warnings_total\":0}}\n",
		f.etc);
	assert_string_equal(run.out, line);
	assert_int_equal(run.code, IGW_EXIT_OK);
	run_free(&run);
	folder_remove(&f);
}

/* Both forms name the place: file, line, column and JSON pointer. */
static void test_invalid(void **state)
{
	struct folder f;
	char start[256];
	struct run run;

	(void)state;
	folder_make(&f);
	write_text(f.etc, BAD);
	run_check(&run, &f, ARGS("policy", "check", f.etc));
	snprintf(start, sizeof(start), "%s:3:3: /rulse: ", f.etc);
	assert_ptr_equal(strstr(run.err, start), run.err);
	assert_string_equal(run.out, "");
	assert_int_equal(run.code, IGW_EXIT_INVALID);
	run_free(&run);
	run_check(&run, &f, ARGS("policy", "check", f.etc, "--json"));
	assert_ptr_equal(
		strstr(run.out, "{\"error\":{\"code\":\"invalid\",\"message\":\""),
		run.out);
	snprintf(start, sizeof(start),
		"\",\"path\":\"/rulse\",\"file\":\"%s\",\"line\":3,\"column\":3,"
		"\"warnings\":[],\"warnings_total\":0}}\n",
		f.etc);
	assert_non_null(strstr(run.out, start));
	assert_string_equal(run.err, "");
	assert_int_equal(run.code, IGW_EXIT_INVALID);
	run_free(&run);
	folder_remove(&f);
}

static void test_warnings(void **state)
{
	struct folder f;
	char text[256];
	struct run run;

	(void)state;
	folder_make(&f);
	write_text(f.etc, WARNED);
	run_check(&run, &f, ARGS("policy", "check", f.etc));
	snprintf(text, sizeof(text), "%s:3:", f.etc);
	assert_ptr_equal(strstr(run.err, text), run.err);
	assert_non_null(strstr(run.err, "/rules/1"));
	assert_non_null(strstr(run.err, ": warning: "));
	assert_non_null(strstr(run.out, "valid, 2 rules\n"));
	assert_int_equal(run.code, IGW_EXIT_OK);
	run_free(&run);
	run_check(&run, &f, ARGS("policy", "check", f.etc, "--json"));
	assert_non_null(strstr(run.out, "\"warnings\":[{\"message\":\""));
	assert_non_null(strstr(run.out, "\"path\":\"/rules/1"));
	assert_non_null(strstr(run.out, "\"warnings_total\":1"));
	assert_int_equal(run.code, IGW_EXIT_OK);
	run_free(&run);
	folder_remove(&f);
}

/* More warnings than a report keeps. */
static void test_many_warnings(void **state)
{
	struct folder f;
	struct run run;
	FILE *file;

	(void)state;
	folder_make(&f);
	file = fopen(f.etc, "w");
	assert_non_null(file);
	fputs("{ \"version\": 1, \"rules\": [ { \"name\": \"all\", \"action\": \"deny\" }",
		file);
	for (int i = 0; i < POLICY_WARNINGS_MAX + 3; i++)
		fprintf(file, ", { \"name\": \"r%d\", \"action\": \"deny\" }", i);
	fputs("] }", file);
	assert_int_equal(fclose(file), 0);
	run_check(&run, &f, ARGS("policy", "check", f.etc));
	assert_non_null(strstr(run.err, " more warnings\n"));
	assert_int_equal(run.code, IGW_EXIT_OK);
	run_free(&run);
	folder_remove(&f);
}

static void test_default_place(void **state)
{
	struct folder f;
	struct run run;

	(void)state;
	folder_make(&f);
	run_check(&run, &f, ARGS("policy", "check"));
	assert_int_equal(run.code, IGW_EXIT_NOT_FOUND);
	assert_non_null(strstr(run.err, f.share));
	run_free(&run);
	write_text(f.share, GOOD);
	run_check(&run, &f, ARGS("policy", "check"));
	assert_non_null(strstr(run.out, f.share));
	assert_int_equal(run.code, IGW_EXIT_OK);
	run_free(&run);
	write_text(f.etc, GOOD);
	run_check(&run, &f, ARGS("policy", "check"));
	assert_non_null(strstr(run.out, f.etc));
	run_free(&run);
	folder_remove(&f);
}

/* Installed in /usr, or with no idea where: the system's file, never one below /usr. */
static void test_system_place(void **state)
{
	static const char *const programs[] = { "/usr/bin/igdward", "", "igdward",
		"/igdward", "/bin/igdward" };
	struct run run;

	(void)state;
	for (size_t i = 0; i < COUNT(programs); i++) {
		run_init(&run, "/nowhere");
		run.cli.exe = programs[i];
		run_cli(&run, ARGS("policy", "check"));
		assert_non_null(strstr(run.code == IGW_EXIT_OK ? run.out : run.err,
			"/etc/igdward/policy.json"));
		assert_null(strstr(run.err, "/share/"));
		run_free(&run);
	}
}

static void test_unreadable(void **state)
{
	bool root = geteuid() == 0;
	struct folder f;
	struct run run;

	(void)state;
	folder_make(&f);
	run_check(&run, &f, ARGS("policy", "check", "/nowhere/p.json"));
	assert_string_equal(run.err,
		"igdward: cannot read /nowhere/p.json: No such file or directory\n");
	assert_int_equal(run.code, IGW_EXIT_NOT_FOUND);
	run_free(&run);
	run_check(&run, &f, ARGS("policy", "check", "--json", f.root));
	assert_non_null(strstr(run.out, "{\"error\":{\"code\":\"failed\",\"message\":"));
	assert_int_equal(run.code, IGW_EXIT_FAILED);
	run_free(&run);
	write_text(f.etc, GOOD);
	assert_int_equal(chmod(f.etc, root ? 0600 : 0), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	run_check(&run, &f, ARGS("policy", "check", f.etc));
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(run.code, IGW_EXIT_PERMISSION);
	run_free(&run);
	folder_remove(&f);
}

static void test_too_big(void **state)
{
	size_t size = POLICY_TEXT_MAX + 1000;
	char *text = malloc(size);
	struct folder f;
	struct run run;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', size);
	memcpy(text, GOOD, strlen(GOOD));
	folder_make(&f);
	file_write(f.etc, text, POLICY_TEXT_MAX);
	run_check(&run, &f, ARGS("policy", "check", f.etc));
	assert_int_equal(run.code, IGW_EXIT_OK);
	run_free(&run);
	file_write(f.etc, text, size);
	run_check(&run, &f, ARGS("policy", "check", f.etc));
	assert_int_equal(run.code, IGW_EXIT_INVALID);
	assert_true(strlen(run.err) > strlen(f.etc));
	run_free(&run);
	folder_remove(&f);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_many_warnings),
		cmocka_unit_test(test_default_place),
		cmocka_unit_test(test_system_place),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_too_big),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
