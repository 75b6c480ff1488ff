/*
 * XML through expat, with our error object. A walk and no tree: what is read is a handful of fields out of files that vendors' tools write. A document type is
 * refused, so that nothing expands and nothing is fetched.
 */
#ifndef SKIP_BASE_XML_H
#define SKIP_BASE_XML_H

#include "base/err.h"
#include <stddef.h>

/* `path` is "/profile/AreaEstimates/Resources/LUT"; either function may be NULL. A status other than SKIP_OK ends the walk and is its result. */
struct skip_xml_reader {
	/* An element begins; `attribute` is name, value, name, value, ..., NULL. */
	enum skip_status (*begin)(void *context, const char *path, const char *const *attribute, struct skip_err *err);
	/* An element ends; `text` is what stands in it since its last child, without blanks round it. */
	enum skip_status (*end)(void *context, const char *path, const char *text, struct skip_err *err);
	void *context;
};

/* SKIP_ERR_INPUT with the line where the text is not well formed; bytes of zero after the document are no fault. */
enum skip_status skip_xml_walk(const char *text, size_t size, const struct skip_xml_reader *reader, struct skip_err *err);
/* Value of an attribute, NULL when there is none. */
const char *skip_xml_attribute(const char *const *attribute, const char *name);

#endif
