/*
 * Reading and writing fields of bytes with one check at the end. The first field that
 * does not fit sets `bad`; later reads give zeroes and later writes do nothing, so that
 * no caller needs an `if` per field. Numbers are big-endian.
 */
#ifndef IGDWARD_COMMON_WIRE_H
#define IGDWARD_COMMON_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rd {
	const uint8_t *at;
	size_t left;
	bool bad;
};

struct wr {
	uint8_t *at;
	size_t left;
	bool bad;
};

uint8_t rd_u8(struct rd *rd);
uint16_t rd_u16(struct rd *rd);
uint32_t rd_u32(struct rd *rd);
uint64_t rd_u64(struct rd *rd);
void rd_bytes(struct rd *rd, void *ret, size_t size);

/* A string of one length byte and that many bytes, without NUL in it, into a field of
 * `size` bytes, NUL included; too long or with a NUL sets `bad`. */
void rd_text(struct rd *rd, char *ret, size_t size);

void wr_u8(struct wr *wr, uint8_t value);
void wr_u16(struct wr *wr, uint16_t value);
void wr_u32(struct wr *wr, uint32_t value);
void wr_u64(struct wr *wr, uint64_t value);
void wr_bytes(struct wr *wr, const void *bytes, size_t size);

/* The string as rd_text() reads it; longer than 255 bytes sets `bad`. */
void wr_text(struct wr *wr, const char *text);

#endif
