/*
 * The device tree that igdward shows, as data: devices, services, actions, arguments and
 * state variables. This one table makes the description and the SCPDs (describe.c),
 * finds the code of an action, tells which arguments a request must carry and in which
 * order an answer lists its own (soap.c), and what subscribers are sent (events.c), so
 * that none of these can disagree. IGD:2 is another table of the same form.
 */
#ifndef IGDWARD_UPNP_TREE_H
#define IGDWARD_UPNP_TREE_H

#include "igdward/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct soap_call;

enum {
	IGD_ARGUMENTS_MAX = 8, /* of one action, in one direction (AddPortMapping) */
	IGD_EVENTED_MAX = 5,   /* evented variables of one service (WANIPConnection:2) */
	IGD_SERVICES_MAX = 4,
	IGD_DEVICES_MAX = 3,
	IGD_VALUE_MAX = 128, /* bytes of any value that we send, with its NUL */
};

enum igd_type {
	IGD_STRING,
	IGD_BOOLEAN,
	IGD_UI2,
	IGD_UI4,
};

/* What evented variables are made of; the broker's word for all of it. */
struct igd_state {
	struct igw_addr addr; /* external address, none = not connected */
	uint32_t mappings;
	bool link_up;
	const char *default_connection; /* as igd_default_connection() wrote it */
};

/* Writes the value of a variable as it is sent. Must need no XML escape. */
typedef void (*igd_value_fn)(const struct igd_state *state, char value[IGD_VALUE_MAX]);

struct igd_variable {
	const char *name;
	enum igd_type type;
	const char *const *allowed; /* ends with NULL; NULL = any value */
	const char *initial;	    /* defaultValue, NULL = none */
	uint32_t min, max;	    /* allowedValueRange; max 0 = none */
	igd_value_fn value;	    /* set when the variable is evented, and only then */
};

struct igd_argument {
	const char *name;
	const char *variable; /* the related state variable */
};

struct igd_action {
	const char *name;
	const struct igd_argument *in; /* both end with a NULL name */
	const struct igd_argument *out;
	void (*run)(struct soap_call *call);
};

struct igd_service {
	const char *type; /* without the version and the colon before it */
	const char *id;
	const char *path;		      /* its part of the URLs */
	const struct igd_variable *variables; /* end with a NULL name */
	const struct igd_action *actions;     /* end with a NULL name */
	unsigned version;
	unsigned device; /* index of the device that owns it */
};

struct igd_device {
	const char *type;  /* without the version and the colon before it */
	const char *label; /* stands behind the friendly name; NULL = the root */
	unsigned version;
	int parent; /* index, -1 = the root */
};

struct igd_tree {
	const struct igd_device *devices; /* a parent stands before its children */
	const struct igd_service *services;
	size_t n_devices, n_services;
	unsigned connection_device; /* index of the WANConnectionDevice */
};

/* InternetGatewayDevice:1 with Layer3Forwarding:1, WANCommonInterfaceConfig:1 and
 * WANIPConnection:1. */
extern const struct igd_tree igd_tree_v1;

/* Index of the service of that id on that device of the tree; -1 when there is none. */
int igd_find_service(const struct igd_tree *tree, unsigned device, const char *id);

/* The action of that name; NULL when the service has none. */
const struct igd_action *igd_find_action(
	const struct igd_service *service, const char *name);

/* The state variable of that name; NULL when the service has none. */
const struct igd_variable *igd_find_variable(
	const struct igd_service *service, const char *name);

/* True when `value` is in the variable's list of allowed values, or it has no list. */
bool igd_allows(const struct igd_variable *variable, const char *value);

/*
 * True when `type` is the service's type with a version that it offers, its own or an
 * older one: a client of version 1 may use a service of version 2 (UDA 1.1 §2.5).
 */
bool igd_offers(const struct igd_service *service, const char *type);

/*
 * Writes the value of DefaultConnectionService: UDN, name and version of the device that
 * owns the WAN connection, then the id of its first service (Layer3Forwarding:1 §2.2).
 */
void igd_default_connection(
	const struct igd_tree *tree, const char *udn, char value[IGD_VALUE_MAX]);

#endif
