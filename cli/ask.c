#include "ask.h"

#include "out.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static enum igw_exit connect_error(struct cli *cli, int error)
{
	const char *path = cli->socket;

	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return out_error(cli, IGW_EXIT_NOT_RUNNING,
			"igdwardd is not running: there is no socket %s", path);
	case ECONNREFUSED:
		return out_error(cli, IGW_EXIT_NOT_RUNNING,
			"igdwardd is not running: nobody listens on %s", path);
	case EACCES:
	case EPERM:
		return out_error(cli, IGW_EXIT_PERMISSION,
			"no permission to use %s: be root or in the group of the socket",
			path);
	case ENAMETOOLONG:
		return out_error(cli, IGW_EXIT_USAGE,
			"the path of a socket has at most %d bytes: %s", CTL_PATH_MAX,
			path);
	case EPROTOTYPE:
		return out_error(
			cli, IGW_EXIT_FAILED, "%s is not igdward's control socket", path);
	case EAGAIN:
		return out_error(cli, IGW_EXIT_FAILED, "igdwardd is too busy to answer");
	default:
		return out_error(
			cli, IGW_EXIT_FAILED, "cannot use %s: %s", path, strerror(error));
	}
}

enum igw_exit ask_nonsense(struct cli *cli)
{
	return out_error(cli, IGW_EXIT_FAILED,
		"igdwardd's answer makes no sense: is it of another version?");
}

static enum igw_exit exchange_error(struct cli *cli, int error)
{
	switch (error) {
	case EBADMSG:
		return ask_nonsense(cli);
	case EAGAIN:
		return out_error(cli, IGW_EXIT_FAILED, "igdwardd does not answer");
	case EPIPE:
		return out_error(cli, IGW_EXIT_FAILED, "igdwardd broke off its answer");
	default:
		return out_error(cli, IGW_EXIT_FAILED, "cannot talk to igdwardd: %s",
			strerror(error));
	}
}

/*
 * The JSON pointer in "FILE:LINE:COLUMN: POINTER: MESSAGE", which is how the broker tells
 * of a bad policy. Sets *ret to "" when there is none.
 */
static void pointer_find(const char *text, char *ret, size_t size)
{
	const char *at = text, *end = NULL;

	ret[0] = '\0';
	while (!end && (at = strstr(at, ": /")) != NULL) {
		at += 2;
		/* A place in front of it, or it is just some path. */
		if (at - text > 3 && at[-3] >= '0' && at[-3] <= '9')
			end = strstr(at, ": ");
	}
	if (end)
		snprintf(ret, size, "%.*s", (int)(end - at), at);
}

static enum igw_exit invalid_error(struct cli *cli, const char *text)
{
	char pointer[IGW_MSG_TEXT_MAX + 1];

	if (!cli->json)
		return out_error(cli, IGW_EXIT_INVALID, "%s", text);
	pointer_find(text, pointer, sizeof(pointer));
	return out_json_error(cli, IGW_EXIT_INVALID, text, pointer, NULL);
}

static enum igw_exit done_error(struct cli *cli, const struct igw_ctl_done *done)
{
	const char *text = done->text;

	switch ((enum igw_ctl_code)done->code) {
	case IGW_CTL_OK:
		return IGW_EXIT_OK;
	case IGW_CTL_FAILED:
		return out_error(
			cli, IGW_EXIT_FAILED, "%s", text[0] ? text : "that failed");
	case IGW_CTL_NOT_FOUND:
		return out_error(cli, IGW_EXIT_NOT_FOUND, "%s",
			text[0] ? text : "there is no such mapping");
	case IGW_CTL_DENIED:
		return out_error(cli, IGW_EXIT_PERMISSION, "%s",
			text[0] ? text : "only root may do that");
	case IGW_CTL_INVALID:
		return invalid_error(cli, text[0] ? text : "the policy is not valid");
	}
	return ask_nonsense(cli);
}

enum igw_exit ask_broker(struct cli *cli, uint32_t id, const void *payload,
	ctl_take_fn take, void *arg, struct igw_ctl_done *ret)
{
	int fd = ctl_connect(cli->socket, cli->timeout_ms), r;

	if (fd < 0)
		return connect_error(cli, -fd);
	r = ctl_ask(fd, id, payload, take, arg, ret);
	close(fd);
	if (r < 0)
		return exchange_error(cli, -r);
	return done_error(cli, ret);
}
