/*
 * The documents as libupnp's web server hands them out: every path of the server is one
 * of ours or does not exist, so that the library never looks for a file.
 */
#ifndef IGDWARD_UPNP_WEBDIR_H
#define IGDWARD_UPNP_WEBDIR_H

#include "describe.h"

/* Registers the callbacks, after UpnpInit2 (which clears them). `documents` must stay.
 * Returns 0 or libupnp's error. */
int webdir_start(const struct documents *documents);

#endif
