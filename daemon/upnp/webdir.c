#include "webdir.h"

#include <stdlib.h>
#include <string.h>
#include <upnp/upnp.h>

/* An opened document. */
struct reader {
	const struct document *document;
	size_t at;
};

static int get_info(
	const char *path, UpnpFileInfo *info, const void *cookie, const void **request)
{
	const struct document *document = documents_find(cookie, path);

	(void)request;
	if (!document)
		return -1; /* the library answers 404 */
	UpnpFileInfo_set_FileLength(info, (off_t)document->size);
	UpnpFileInfo_set_LastModified(info, 0);
	UpnpFileInfo_set_IsDirectory(info, 0);
	UpnpFileInfo_set_IsReadable(info, 1);
	UpnpFileInfo_set_ContentType(info, "text/xml; charset=\"utf-8\"");
	return 0;
}

static UpnpWebFileHandle open_document(const char *path, enum UpnpOpenFileMode mode,
	const void *cookie, const void *request)
{
	const struct document *document = documents_find(cookie, path);
	struct reader *reader;

	(void)request;
	if (mode != UPNP_READ || !document)
		return NULL;
	reader = calloc(1, sizeof(*reader));
	if (reader)
		reader->document = document;
	return reader;
}

static int read_document(UpnpWebFileHandle handle, char *buf, size_t size,
	const void *cookie, const void *request)
{
	struct reader *reader = handle;
	size_t left = reader->document->size - reader->at;
	size_t n = size < left ? size : left;

	(void)cookie;
	(void)request;
	memcpy(buf, reader->document->text + reader->at, n);
	reader->at += n;
	return (int)n;
}

static int write_document(UpnpWebFileHandle handle, char *buf, size_t size,
	const void *cookie, const void *request)
{
	(void)handle;
	(void)buf;
	(void)size;
	(void)cookie;
	(void)request;
	return -1;
}

/* For ranges: the library seeks from the beginning by a number that a client wrote. */
static int seek_document(UpnpWebFileHandle handle, off_t offset, int origin,
	const void *cookie, const void *request)
{
	struct reader *reader = handle;

	(void)cookie;
	(void)request;
	if (origin == SEEK_END || offset < 0 || (size_t)offset > reader->document->size)
		return -1;
	reader->at = (size_t)offset;
	return 0;
}

static int close_document(
	UpnpWebFileHandle handle, const void *cookie, const void *request)
{
	(void)cookie;
	(void)request;
	free(handle);
	return 0;
}

int webdir_start(const struct documents *documents)
{
	UpnpVirtualDir_set_GetInfoCallback(get_info);
	UpnpVirtualDir_set_OpenCallback(open_document);
	UpnpVirtualDir_set_ReadCallback(read_document);
	UpnpVirtualDir_set_WriteCallback(write_document);
	UpnpVirtualDir_set_SeekCallback(seek_document);
	UpnpVirtualDir_set_CloseCallback(close_document);
	/* "/" is every path. A path outside of all virtual folders would be looked for on
	 * the disk, and answered with 500. */
	return UpnpAddVirtualDir("/", documents, NULL);
}
