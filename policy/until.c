#include "until.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	DAY_S = 86400,
	YEAR_MIN = 1970,
};

/* Reads exactly as many digits as `max` has and compares. NULL stays NULL, so that a
 * whole line of fields is read and checked once. */
static const char *read_field(const char *at, int min, int max, int *ret)
{
	int n = 0;

	for (int scale = max; at && scale > 0; scale /= 10) {
		if (*at < '0' || *at > '9')
			return NULL;
		n = n * 10 + (*at++ - '0');
	}
	*ret = n;
	return n < min || n > max ? NULL : at;
}

static const char *read_char(const char *at, char c)
{
	return at && *at == c ? at + 1 : NULL;
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_of_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to the date. */
static int64_t days_since_1970(int year, int month, int day)
{
	int64_t days = day - 1;

	for (int y = YEAR_MIN; y < year; y++)
		days += is_leap(y) ? 366 : 365;
	for (int m = 1; m < month; m++)
		days += days_of_month(year, m);
	return days;
}

static const char *read_date(const char *at, int64_t *ret_days)
{
	int year = 0, month = 0, day = 0;

	at = read_char(read_field(at, YEAR_MIN, 9999, &year), '-');
	at = read_char(read_field(at, 1, 12, &month), '-');
	at = read_field(at, 1, 31, &day);
	if (!at || day > days_of_month(year, month))
		return NULL;
	*ret_days = days_since_1970(year, month, day);
	return at;
}

/* "Z", "+01:00" or "-01:00": the seconds that local time is ahead of UTC. */
static const char *read_offset(const char *at, int *ret_s)
{
	int hour = 0, minute = 0, sign;

	if (!at || *at == 'Z') {
		*ret_s = 0;
		return at ? at + 1 : NULL;
	}
	if (*at != '+' && *at != '-')
		return NULL;
	sign = *at == '-' ? -1 : 1;
	at = read_char(read_field(at + 1, 0, 23, &hour), ':');
	at = read_field(at, 0, 59, &minute);
	*ret_s = sign * (hour * 3600 + minute * 60);
	return at;
}

int until_parse(const char *text, int64_t *ret)
{
	int hour = 0, minute = 0, second = 0, offset = 0;
	int64_t days;
	const char *at = read_date(text, &days);

	if (!at)
		return -EINVAL;
	if (*at == '\0') {
		*ret = (days + 1) * DAY_S;
		return 0;
	}
	at = read_char(at, 'T');
	at = read_char(read_field(at, 0, 23, &hour), ':');
	at = read_char(read_field(at, 0, 59, &minute), ':');
	at = read_offset(read_field(at, 0, 59, &second), &offset);
	if (!at || *at != '\0')
		return -EINVAL;
	*ret = days * DAY_S + hour * 3600 + minute * 60 + second - offset;
	return 0;
}
