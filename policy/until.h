/* The end of a rule, written as an RFC 3339 date or date-time. Internal to the policy. */
#ifndef IGDWARD_POLICY_UNTIL_H
#define IGDWARD_POLICY_UNTIL_H

#include <stdint.h>

/*
 * Reads "2027-01-31" (the end of that day, UTC), "2027-01-31T18:00:00Z" or the same with
 * an offset, "+01:00". Fractions and leap seconds are refused: a rule ends on a whole
 * second. *ret is the first second since 1970 at which the rule no longer holds. Returns
 * 0 or -EINVAL.
 */
int until_parse(const char *text, int64_t *ret);

#endif
