#include "notify.h"

#include "log.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify_send(const char *state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *name = getenv("NOTIFY_SOCKET");
	socklen_t size;
	int fd;

	if (!name || (name[0] != '/' && name[0] != '@') ||
		strlen(name) >= sizeof(addr.sun_path))
		return;
	strcpy(addr.sun_path, name);
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	if (name[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL,
			      (struct sockaddr *)&addr, size) < 0)
		log_debug("notify socket: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}
