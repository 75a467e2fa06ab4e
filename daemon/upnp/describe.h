/*
 * The documents that clients fetch, made once from the tree's table and kept in memory:
 * the device description and one service description (SCPD) for each service.
 */
#ifndef IGDWARD_UPNP_DESCRIBE_H
#define IGDWARD_UPNP_DESCRIBE_H

#include "igdward/msg.h"
#include "tree.h"

enum {
	IGD_UDN_TEXT = 42,   /* "uuid:" and the UUID, with its NUL */
	IGD_TOKEN_TEXT = 17, /* the secret part of our URLs, with its NUL */
	IGD_PATH_TEXT = 64,
	DOCUMENTS_MAX = IGD_SERVICES_MAX + 1,
};

/* What this installation adds to the tree. */
struct names {
	const struct igd_tree *tree;
	char friendly_name[IGW_NAME_MAX + 1];
	char presentation[IGW_ADDR_TEXT + 16];
	char token[IGD_TOKEN_TEXT];
	char udn[IGD_DEVICES_MAX][IGD_UDN_TEXT];
	char default_connection[IGD_VALUE_MAX];
};

struct document {
	char path[IGD_PATH_TEXT];
	char *text;
	size_t size;
};

struct documents {
	struct document list[DOCUMENTS_MAX]; /* the description is the first */
	size_t n;
};

/*
 * Derives all names from the link's UUID, so that they stay over restarts: the root
 * device has the UUID itself, the others count its last field up. The URLs carry a part
 * of it, which a web page in a LAN host's browser cannot know, neither one that posts
 * across sites nor one whose name was rebound to our address. Returns 0, or -EINVAL when
 * the UUID is not one.
 */
int names_make(
	const struct igd_tree *tree, const struct igw_link *link, struct names *ret);

/* Returns 0 or -ENOMEM. documents_free() gives it all back. */
int documents_make(const struct names *names, struct documents *ret);
void documents_free(struct documents *documents);

/* The document of exactly that path; NULL when there is none. */
const struct document *documents_find(
	const struct documents *documents, const char *path);

#endif
