/* XML: expat's parser with our memory, errors and paths. */
#include "base/xml.h"
#include "base/alloc.h"
#include "base/buf.h"
#include <expat.h>
#include <limits.h>
#include <string.h>

struct walk {
	const struct skip_xml_reader *reader;
	XML_Parser parser;
	struct skip_buf path, text;
	enum skip_status status; /* why the walk was stopped */
	struct skip_err *err;
};

static void *allocate(size_t size) { return skip_alloc_array(size, 1); }

static void *reallocate(void *old, size_t size) { return skip_realloc_array(old, size, 1); }

static void stop(struct walk *walk, enum skip_status status)
{
	walk->status = status;
	XML_StopParser(walk->parser, XML_FALSE);
}

static void begin(void *user, const XML_Char *name, const XML_Char **attribute)
{
	struct walk *walk = user;
	enum skip_status status = SKIP_OK;
	skip_buf_printf(&walk->path, "/%s", name);
	skip_buf_clear(&walk->text);
	if (!skip_buf_ok(&walk->path)) status = skip_err_set(walk->err, SKIP_ERR_NOMEM, "no memory to read XML");
	else if (walk->reader->begin)
		status = walk->reader->begin(walk->reader->context, skip_buf_text(&walk->path), attribute, walk->err);
	if (status != SKIP_OK) stop(walk, status);
}

static void end(void *user, const XML_Char *name)
{
	struct walk *walk = user;
	enum skip_status status = SKIP_OK;
	const char *text = skip_buf_text(&walk->text) + strspn(skip_buf_text(&walk->text), " \t\r\n");
	if (!skip_buf_ok(&walk->text)) {
		stop(walk, skip_err_set(walk->err, SKIP_ERR_NOMEM, "no memory to read XML"));
		return;
	}
	while (walk->text.length && strchr(" \t\r\n", walk->text.data[walk->text.length - 1])) walk->text.data[--walk->text.length] = '\0';
	if (walk->reader->end) status = walk->reader->end(walk->reader->context, skip_buf_text(&walk->path), text, walk->err);
	walk->path.length -= strlen(name) + 1;
	walk->path.data[walk->path.length] = '\0';
	skip_buf_clear(&walk->text);
	if (status != SKIP_OK) stop(walk, status);
}

static void characters(void *user, const XML_Char *text, int length)
{
	struct walk *walk = user;
	skip_buf_append(&walk->text, text, (size_t)length);
}

static void doctype(void *user, const XML_Char *name, const XML_Char *system, const XML_Char *public, int internal)
{
	struct walk *walk = user;
	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	stop(walk, skip_err_at(walk->err, SKIP_ERR_INPUT, NULL, (int64_t)XML_GetCurrentLineNumber(walk->parser), -1, "a document type is not read"));
}

enum skip_status skip_xml_walk(const char *text, size_t size, const struct skip_xml_reader *reader, struct skip_err *err)
{
	static const XML_Memory_Handling_Suite memory = {allocate, reallocate, skip_free};
	struct walk walk = {.reader = reader, .status = SKIP_OK, .err = err};
	while (size && text[size - 1] == '\0') size--;
	if (size > INT_MAX) return skip_err_set(err, SKIP_ERR_INPUT, "%zu bytes of XML, at most %d are read", size, INT_MAX);
	walk.parser = XML_ParserCreate_MM(NULL, &memory, NULL);
	if (!walk.parser) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory to read XML");
	skip_buf_init(&walk.path);
	skip_buf_init(&walk.text);
	XML_SetUserData(walk.parser, &walk);
	XML_SetElementHandler(walk.parser, begin, end);
	XML_SetCharacterDataHandler(walk.parser, characters);
	XML_SetStartDoctypeDeclHandler(walk.parser, doctype);
	if (XML_Parse(walk.parser, text, (int)size, 1) != XML_STATUS_OK && walk.status == SKIP_OK) {
		const enum XML_Error code = XML_GetErrorCode(walk.parser);
		const int64_t line = (int64_t)XML_GetCurrentLineNumber(walk.parser);
		walk.status = code == XML_ERROR_NO_MEMORY ? skip_err_set(err, SKIP_ERR_NOMEM, "no memory to read XML")
							  : skip_err_at(err, SKIP_ERR_INPUT, NULL, line, -1, "not XML: %s", XML_ErrorString(code));
	}
	skip_buf_deinit(&walk.path);
	skip_buf_deinit(&walk.text);
	XML_ParserFree(walk.parser);
	return walk.status;
}

const char *skip_xml_attribute(const char *const *attribute, const char *name)
{
	for (; *attribute; attribute += 2) {
		if (strcmp(attribute[0], name) == 0) return attribute[1];
	}
	return NULL;
}
