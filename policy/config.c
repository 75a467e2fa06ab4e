#include "config.h"

#include "igdward/text.h"
#include "node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HTTP_PORT_MIN = 1024, /* the workers have no capability for lower ones */
};

static const char *const keys[] = { "$schema", "external", "internal", "http_port",
	"policy", "friendly_name", "uuid", "igd_version", "user", "worker_user",
	"sandbox", "owner", "persist", "on_stop", "mark", "hairpin", "block_smb_egress",
	"log_level" };
/* In the order of the enums of config.h. */
static const char *const sandboxes[] = { "require", "prefer" };
static const char *const owners[] = { "auto", "off" };
static const char *const persists[] = { "restart", "reboot" };
static const char *const on_stops[] = { "keep", "flush" };
static const char *const log_levels[] = { "error", "warning", "info", "debug" };

#define WORDS(a)                                                                         \
	{                                                                                \
		.words = (a), .n = sizeof(a) / sizeof((a)[0])                            \
	}
static const struct node_words key_words = WORDS(keys);
static const struct node_words sandbox_words = WORDS(sandboxes);
static const struct node_words owner_words = WORDS(owners);
static const struct node_words persist_words = WORDS(persists);
static const struct node_words on_stop_words = WORDS(on_stops);
static const struct node_words log_level_words = WORDS(log_levels);
#undef WORDS

void config_init(struct config *config)
{
	*config = (struct config){
		.http_port = CONFIG_HTTP_PORT,
		.friendly_name = "igdward",
		.igd_version = 1,
		.user = "igdward",
		.worker_user = "igdward-net",
		.sandbox = CONFIG_SANDBOX_REQUIRE,
		.owner = CONFIG_OWNER_AUTO,
		.persist = CONFIG_PERSIST_RESTART,
		.on_stop = CONFIG_ON_STOP_KEEP,
		.mark = CONFIG_MARK,
		.hairpin = true,
		.block_smb_egress = true,
		.log_level = CONFIG_LOG_INFO,
	};
}

int config_log_level_parse(const char *word, enum config_log_level *ret)
{
	for (unsigned i = 0; i < log_level_words.n; i++) {
		if (strcmp(word, log_levels[i]) == 0) {
			*ret = (enum config_log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* A member whose null means the same as its absence: found out or made up at start. */
static struct node optional_member(const struct node *parent, const char *key)
{
	struct node node = node_member(parent, key);

	if (json_is_null(node.value))
		node.value = NULL;
	return node;
}

static int check_twins(const struct node *node, const struct config *config, size_t i)
{
	const char *name = config->internal[i];

	if (strcmp(name, config->external) == 0)
		return node_fail(node,
			"\"%s\" is named as \"external\" too; serving the WAN link would open "
			"the router to the internet",
			name);
	for (size_t j = 0; j < i; j++) {
		if (strcmp(name, config->internal[j]) == 0)
			return node_fail(node, "\"%s\" is in the list already", name);
	}
	return 0;
}

static int parse_links(const struct node *root, struct config *config)
{
	struct node external = optional_member(root, "external");
	struct node internal = optional_member(root, "internal");
	int r = node_read_interface(&external, config->external);

	if (r < 0 || !internal.value)
		return r;
	r = node_expect_list(&internal, IGW_LINKS_MAX, &config->n_internal);
	for (size_t i = 0; i < config->n_internal && r == 0; i++) {
		struct node element = node_element(&internal, i);

		r = node_read_interface(&element, config->internal[i]);
		if (r == 0)
			r = check_twins(&element, config, i);
	}
	return r;
}

static int parse_http_port(const struct node *root, struct config *config)
{
	struct node node = node_member(root, "http_port");
	json_int_t port = json_integer_value(node.value);

	if (!node.value)
		return 0;
	if (!json_is_integer(node.value) ||
		(port != 0 && (port < HTTP_PORT_MIN || port > UINT16_MAX)))
		return node_fail_found(&node,
			"0 (any free port) or a port from %d to 65535", HTTP_PORT_MIN);
	config->http_port = (uint16_t)port;
	return 0;
}

static int parse_policy(const struct node *root, struct config *config)
{
	struct node node = optional_member(root, "policy");
	const char *path = NULL;
	int r = node_read_text(&node, CONFIG_PATH_MAX, &path);

	if (r < 0 || !path)
		return r;
	if (path[0] != '/')
		return node_fail_found(&node, "an absolute path");
	return igw_text_copy(config->policy, sizeof(config->policy), path);
}

static bool is_uuid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (strlen(text) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i]; i++) {
		if (form[i] == '-' ? text[i] != '-'
				   : !strchr("0123456789abcdefABCDEF", text[i]))
			return false;
	}
	return true;
}

static int parse_uuid(const struct node *root, struct config *config)
{
	struct node node = optional_member(root, "uuid");
	const char *text = json_string_value(node.value);

	if (!node.value)
		return 0;
	if (!text || !is_uuid(text))
		return node_fail_found(
			&node, "a UUID, as in \"2fac1234-31f8-11b4-a222-08002b34c003\"");
	return igw_text_copy(config->uuid, sizeof(config->uuid), text);
}

static int parse_name(const struct node *root, struct config *config)
{
	struct node node = node_member(root, "friendly_name");
	const char *name = config->friendly_name;
	char copy[IGW_NAME_MAX + 1];
	int r = node_read_text(&node, IGW_NAME_MAX, &name);

	if (r == 0)
		r = igw_text_copy(copy, sizeof(copy), name);
	if (r == 0)
		memcpy(config->friendly_name, copy, sizeof(copy));
	return r;
}

static bool is_user(const char *name)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	static const char others[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
		"0123456789.-";
	size_t len = strlen(name);

	/* A digit in front could be read as a number of a user. */
	return strspn(name, letters) > 0 && strspn(name, others) == len &&
	       len <= IGW_USER_MAX && strcmp(name, "root") != 0;
}

static int parse_user(
	const struct node *root, const char *key, char ret[IGW_USER_MAX + 1])
{
	struct node node = node_member(root, key);
	const char *name = json_string_value(node.value);

	if (!node.value)
		return 0;
	if (!name || !is_user(name))
		return node_fail_found(&node,
			"the name of a system user other than root, 1 to %d of the characters "
			"A-Z a-z 0-9 _ . - with a letter or _ first",
			IGW_USER_MAX);
	return igw_text_copy(ret, IGW_USER_MAX + 1, name);
}

static int parse_users(const struct node *root, struct config *config)
{
	struct node node = node_member(root, "worker_user");
	int r = parse_user(root, "user", config->user);

	if (r == 0)
		r = parse_user(root, "worker_user", config->worker_user);
	if (r < 0 || strcmp(config->user, config->worker_user) != 0)
		return r;
	return node_fail(node.value ? &node : root,
		"\"user\" and \"worker_user\" are both \"%s\"; they must differ, because the "
		"kernel knows the workers' packets by their user",
		config->user);
}

/* A JSON number, or the same in hexadecimal as a string, since JSON has no 0x. */
static int parse_mark(const struct node *root, struct config *config)
{
	struct node node = node_member(root, "mark");
	const char *text = json_string_value(node.value);
	json_int_t mark = json_integer_value(node.value);
	size_t digits;

	if (!node.value)
		return 0;
	if (text && strncmp(text, "0x", 2) == 0) {
		digits = strspn(text + 2, "0123456789abcdefABCDEF");
		if (digits >= 1 && digits <= 8 && text[2 + digits] == '\0')
			mark = (json_int_t)strtoul(text + 2, NULL, 16);
	}
	if (mark < 1 || mark > UINT32_MAX || (mark & (mark - 1)) != 0)
		return node_fail_found(&node,
			"one bit of 32, as a number or in hexadecimal (\"0x40000000\")");
	config->mark = (uint32_t)mark;
	return 0;
}

static int parse_words(const struct node *root, struct config *config)
{
	struct node sandbox = node_member(root, "sandbox");
	struct node owner = node_member(root, "owner");
	struct node persist = node_member(root, "persist");
	struct node on_stop = node_member(root, "on_stop");
	struct node log_level = node_member(root, "log_level");
	unsigned words[5] = { config->sandbox, config->owner, config->persist,
		config->on_stop, config->log_level };
	int r = node_read_word(&sandbox, &sandbox_words, &words[0]);

	if (r == 0)
		r = node_read_word(&owner, &owner_words, &words[1]);
	if (r == 0)
		r = node_read_word(&persist, &persist_words, &words[2]);
	if (r == 0)
		r = node_read_word(&on_stop, &on_stop_words, &words[3]);
	if (r == 0)
		r = node_read_word(&log_level, &log_level_words, &words[4]);
	config->sandbox = (enum config_sandbox)words[0];
	config->owner = (enum config_owner)words[1];
	config->persist = (enum config_persist)words[2];
	config->on_stop = (enum config_on_stop)words[3];
	config->log_level = (enum config_log_level)words[4];
	return r;
}

static int parse_scalars(const struct node *root, struct config *config)
{
	struct node schema = node_member(root, "$schema");
	struct node version = node_member(root, "igd_version");
	struct node hairpin = node_member(root, "hairpin");
	struct node block = node_member(root, "block_smb_egress");
	uint32_t igd_version = config->igd_version;
	int r = 0;

	if (schema.value && !json_is_string(schema.value))
		r = node_fail_found(&schema, "a string");
	if (r == 0)
		r = node_read_u32(&version, 1, 2, &igd_version);
	if (r == 0)
		r = node_read_bool(&hairpin, &config->hairpin);
	if (r == 0)
		r = node_read_bool(&block, &config->block_smb_egress);
	config->igd_version = (uint8_t)igd_version;
	return r;
}

static int parse_root(const struct node *root, struct config *config)
{
	static int (*const parts[])(const struct node *, struct config *) = {
		parse_scalars, parse_links, parse_http_port, parse_policy, parse_name,
		parse_uuid, parse_users, parse_words, parse_mark
	};
	int r = node_expect_object(root, &key_words);

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && r == 0; i++)
		r = parts[i](root, config);
	return r;
}

int config_parse(
	const char *text, size_t len, struct config *ret, struct policy_report *report)
{
	struct config config;
	struct node root;
	struct doc doc;
	int r = doc_open(&doc, text, len, CONFIG_TEXT_MAX, report);

	if (r < 0)
		return r;
	config_init(&config);
	root = node_root(&doc);
	r = parse_root(&root, &config);
	doc_close(&doc);
	if (r == 0)
		*ret = config;
	return r;
}

/* Text being written; `len` goes on counting when the room is used up. */
struct output {
	char *buf;
	size_t size;
	size_t len;
};

static void put(struct output *out, const char *text)
{
	size_t n = strlen(text);

	if (out->len + n < out->size)
		memcpy(out->buf + out->len, text, n + 1);
	out->len += n;
}

static void put_string(struct output *out, const char *text)
{
	char piece[8];

	put(out, "\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			snprintf(piece, sizeof(piece), "\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			snprintf(piece, sizeof(piece), "\\u%04x", (unsigned)*text);
		else
			snprintf(piece, sizeof(piece), "%c", *text);
		put(out, piece);
	}
	put(out, "\"");
}

static void put_key(struct output *out, const char *key)
{
	put(out, out->len > 1 ? ",\n\t\"" : "\n\t\"");
	put(out, key);
	put(out, "\": ");
}

/* An empty text stands for null: found out or made up at start. */
static void put_text(struct output *out, const char *key, const char *text)
{
	put_key(out, key);
	if (text[0] == '\0')
		put(out, "null");
	else
		put_string(out, text);
}

static void put_number(struct output *out, const char *key, unsigned number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	put_key(out, key);
	put(out, text);
}

static void put_bool(struct output *out, const char *key, bool value)
{
	put_key(out, key);
	put(out, value ? "true" : "false");
}

static void put_internal(struct output *out, const struct config *config)
{
	put_key(out, "internal");
	if (config->n_internal == 0) {
		put(out, "null");
		return;
	}
	for (size_t i = 0; i < config->n_internal; i++) {
		put(out, i == 0 ? "[" : ", ");
		put_string(out, config->internal[i]);
	}
	put(out, "]");
}

int config_format(const struct config *config, char *buf, size_t size)
{
	struct output out = { .buf = buf, .size = size };
	char mark[16];

	snprintf(mark, sizeof(mark), "0x%08x", config->mark);
	put(&out, "{");
	put_text(&out, "external", config->external);
	put_internal(&out, config);
	put_number(&out, "http_port", config->http_port);
	put_text(&out, "policy", config->policy);
	put_text(&out, "friendly_name", config->friendly_name);
	put_text(&out, "uuid", config->uuid);
	put_number(&out, "igd_version", config->igd_version);
	put_text(&out, "user", config->user);
	put_text(&out, "worker_user", config->worker_user);
	put_text(&out, "sandbox", sandboxes[config->sandbox]);
	put_text(&out, "owner", owners[config->owner]);
	put_text(&out, "persist", persists[config->persist]);
	put_text(&out, "on_stop", on_stops[config->on_stop]);
	put_text(&out, "mark", mark);
	put_bool(&out, "hairpin", config->hairpin);
	put_bool(&out, "block_smb_egress", config->block_smb_egress);
	put_text(&out, "log_level", log_levels[config->log_level]);
	put(&out, "\n}\n");
	return out.len < size ? (int)out.len : -ENOSPC;
}
