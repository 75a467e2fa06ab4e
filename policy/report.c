#include "policy_report.h"

#include <stdio.h>

const char *policy_note_format(
	const struct policy_note *note, const char *file, char *buf, size_t size)
{
	char place[32] = "", name[256] = "";

	if (note->line > 0)
		snprintf(place, sizeof(place), "%u:%u: ", note->line, note->column);
	if (file && file[0] != '\0')
		snprintf(name, sizeof(name), "%.200s:%s", file, place[0] ? "" : " ");
	snprintf(buf, size, "%s%s%s%s%s", name, place, note->pointer,
		note->pointer[0] ? ": " : "", note->message);
	return buf;
}
