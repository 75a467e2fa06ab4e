#include "wire.h"

#include <string.h>

void rd_bytes(struct rd *rd, void *ret, size_t size)
{
	if (rd->bad || size > rd->left) {
		rd->bad = true;
		memset(ret, 0, size);
		return;
	}
	memcpy(ret, rd->at, size);
	rd->at += size;
	rd->left -= size;
}

static uint64_t rd_number(struct rd *rd, size_t size)
{
	uint8_t bytes[8] = { 0 };
	uint64_t value = 0;

	rd_bytes(rd, bytes, size);
	for (size_t i = 0; i < size; i++)
		value = value << 8 | bytes[i];
	return value;
}

uint8_t rd_u8(struct rd *rd)
{
	return (uint8_t)rd_number(rd, 1);
}

uint16_t rd_u16(struct rd *rd)
{
	return (uint16_t)rd_number(rd, 2);
}

uint32_t rd_u32(struct rd *rd)
{
	return (uint32_t)rd_number(rd, 4);
}

uint64_t rd_u64(struct rd *rd)
{
	return rd_number(rd, 8);
}

void rd_text(struct rd *rd, char *ret, size_t size)
{
	size_t len = rd_u8(rd);

	memset(ret, 0, size);
	if (rd->bad || len >= size || len > rd->left || memchr(rd->at, '\0', len)) {
		rd->bad = true;
		return;
	}
	rd_bytes(rd, ret, len);
}

void wr_bytes(struct wr *wr, const void *bytes, size_t size)
{
	if (wr->bad || size > wr->left) {
		wr->bad = true;
		return;
	}
	memcpy(wr->at, bytes, size);
	wr->at += size;
	wr->left -= size;
}

static void wr_number(struct wr *wr, uint64_t value, size_t size)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
	wr_bytes(wr, bytes, size);
}

void wr_u8(struct wr *wr, uint8_t value)
{
	wr_number(wr, value, 1);
}

void wr_u16(struct wr *wr, uint16_t value)
{
	wr_number(wr, value, 2);
}

void wr_u32(struct wr *wr, uint32_t value)
{
	wr_number(wr, value, 4);
}

void wr_u64(struct wr *wr, uint64_t value)
{
	wr_number(wr, value, 8);
}

void wr_text(struct wr *wr, const char *text)
{
	size_t len = strlen(text);

	if (len > UINT8_MAX) {
		wr->bad = true;
		return;
	}
	wr_u8(wr, (uint8_t)len);
	wr_bytes(wr, text, len);
}
