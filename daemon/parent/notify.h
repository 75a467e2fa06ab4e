/*
 * Readiness for a service manager: the datagram protocol of sd_notify(3), spoken
 * directly.
 */
#ifndef IGDWARD_PARENT_NOTIFY_H
#define IGDWARD_PARENT_NOTIFY_H

/* Sends `state` (such as "READY=1") to the socket in $NOTIFY_SOCKET, a path or an
 * abstract name behind '@'. Nobody listening is no error. */
void notify_send(const char *state);

#endif
