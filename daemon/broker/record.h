/*
 * A mapping's lease record: what the kernel's element cannot say by itself, as bytes in
 * the element's userdata, so that a restarted broker finds every mapping as it was.
 * The bytes come back from the kernel, where root can have put anything: they are read
 * like input from the network.
 */
#ifndef IGDWARD_BROKER_RECORD_H
#define IGDWARD_BROKER_RECORD_H

#include "table.h"

#include <stddef.h>
#include <stdint.h>

/* Writes the record of `mapping` into `buf`; returns its length. `size` must be at least
 * FW_RECORD_MAX, which every record fits in. */
size_t record_write(const struct mapping *mapping, uint8_t *buf, size_t size);

/*
 * Fills id, lease_s, created_s, client, mac, via, interface, rule and description of
 * *ret from a record and leaves the other fields alone. Returns 0, or -EBADMSG with *ret
 * untouched when the bytes are not a record of a version known here.
 */
int record_read(const uint8_t *bytes, size_t len, struct mapping *ret);

#endif
