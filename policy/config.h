/*
 * The daemon's configuration file (igdward.json), read with the same strictness as the
 * policy: unknown keys, duplicate keys and wrong types are errors with their place.
 * Used by the parent, which reads the file, and by the broker, which is handed its text.
 */
#ifndef IGDWARD_CONFIG_H
#define IGDWARD_CONFIG_H

#include "igdward/types.h"
#include "policy_report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CONFIG_PATH_MAX = 255,
	CONFIG_TEXT_MAX = 64 * 1024,
	CONFIG_HTTP_PORT = 5000,
	CONFIG_MARK = 0x40000000,
};

enum config_sandbox { CONFIG_SANDBOX_REQUIRE, CONFIG_SANDBOX_PREFER };
enum config_owner { CONFIG_OWNER_AUTO, CONFIG_OWNER_OFF };
enum config_persist { CONFIG_PERSIST_RESTART, CONFIG_PERSIST_REBOOT };
enum config_on_stop { CONFIG_ON_STOP_KEEP, CONFIG_ON_STOP_FLUSH };
enum config_log_level {
	CONFIG_LOG_ERROR,
	CONFIG_LOG_WARNING,
	CONFIG_LOG_INFO,
	CONFIG_LOG_DEBUG,
};

/* Every key of the file, with its default where the file does not name it. */
struct config {
	char external[IGW_IFNAME_MAX + 1]; /* "" = interface of the default route */
	char internal[IGW_LINKS_MAX][IGW_IFNAME_MAX + 1];
	size_t n_internal;		  /* 0 = the others with a private address */
	uint16_t http_port;		  /* 0 = any; default 5000 */
	char policy[CONFIG_PATH_MAX + 1]; /* "" = the default place */
	char friendly_name[IGW_NAME_MAX + 1];
	char uuid[IGW_UUID_TEXT]; /* "" = made once and kept in the state folder */
	uint8_t igd_version;	  /* 1 (default) or 2 */
	char user[IGW_USER_MAX + 1];
	char worker_user[IGW_USER_MAX + 1];
	enum config_sandbox sandbox;
	enum config_owner owner;
	enum config_persist persist;
	enum config_on_stop on_stop;
	uint32_t mark; /* one bit, default 0x40000000 */
	bool hairpin;
	bool block_smb_egress;
	enum config_log_level log_level;
};

/* All defaults. */
void config_init(struct config *config);

/*
 * Reads a configuration file's text. Returns 0 and fills *ret (defaults where the text
 * is silent), or -EINVAL or -EFBIG with *ret untouched and the error in `report`.
 * Keys may be null only where said so in the schema. "mark" takes a number or "0x…".
 */
int config_parse(
	const char *text, size_t len, struct config *ret, struct policy_report *report);

/*
 * Writes the configuration as JSON that config_parse() reads back to the same values.
 * Returns the length without the NUL, or -ENOSPC.
 */
int config_format(const struct config *config, char *buf, size_t size);

/* Reads "error", "warning", "info" or "debug". Returns 0 or -EINVAL. */
int config_log_level_parse(const char *word, enum config_log_level *ret);

#endif
