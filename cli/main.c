#include "cli.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	COLUMNS_MIN = 40,
	COLUMNS_MAX = 500,
};

/* https://no-color.org: the variable set and not empty. */
static bool colour_is_wanted(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if ((no_color && no_color[0]) || !term || strcmp(term, "dumb") == 0)
		return false;
	return isatty(STDOUT_FILENO) == 1;
}

static size_t terminal_columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return CLI_COLUMNS;
	if (size.ws_col < COLUMNS_MIN)
		return COLUMNS_MIN;
	return size.ws_col < COLUMNS_MAX ? size.ws_col : COLUMNS_MAX;
}

int main(int argc, char **argv)
{
	char exe[2048];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	struct cli cli = {
		.out = stdout,
		.err = stderr,
		.exe = exe,
		.socket = CLI_SOCKET_PATH,
		.timeout_ms = CLI_TIMEOUT_MS,
		.columns = terminal_columns(),
		.colour = colour_is_wanted(),
	};

	exe[len > 0 ? len : 0] = '\0';
	setlocale(LC_CTYPE, "");
	cli.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	return (int)cli_run(&cli, argc, argv);
}
