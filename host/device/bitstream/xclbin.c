/*
 * .xclbin: the container "axlf". All numbers little endian.
 *
 *   offset  bytes  field                       offset  bytes  field
 *   0       8      magic "xclbin2\0"           352     64     platform "xilinx:u280:..." or a shell's name
 *   304     8      length of the file          416     16     uuid
 *   332     2      mode                        448     4      number of sections
 *   456     40     first section header: kind (4), name (16), blank (4), offset (8), size (8)
 */
#include "device/bitstream/binary.h"
#include "base/json.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LENGTH = 304, MODE = 332, PLATFORM = 352, PLATFORM_SIZE = 64, UUID = 416, SECTIONS = 448, HEADERS = 456, HEADER_SIZE = 40, MAX_SECTIONS = 0x10000 };
enum { EMBEDDED_METADATA = 2, CLOCK_FREQ_TOPOLOGY = 11, BUILD_METADATA = 14, KEYVALUE_METADATA = 15 };
enum { CLOCK_SIZE = 136, CLOCK_TYPE_DATA = 1 };

static enum skip_binary_mode mode_of(uint64_t mode)
{
	static const enum skip_binary_mode modes[] = {SKIP_MODE_HARDWARE, SKIP_MODE_HARDWARE, SKIP_MODE_HARDWARE, SKIP_MODE_HARDWARE,
						      SKIP_MODE_EMULATED, SKIP_MODE_EMULATED, SKIP_MODE_EMULATED};
	return mode < sizeof(modes) / sizeof(modes[0]) ? modes[mode] : SKIP_MODE_UNKNOWN;
}

/* The clock kernels run at: the first of type DATA, which is the main one of a kernel; KERNEL is a second, faster one. */
static enum skip_status read_clock(struct skip_bytes part, struct skip_binary *out, struct skip_err *err)
{
	const uint64_t n = part.size >= 2 ? skip_bytes_le(part.data, 2) : 0;
	if (part.size < 2 || n > (part.size - 2) / CLOCK_SIZE) return skip_err_set(err, SKIP_ERR_INPUT, "the section of clocks is shorter than its %" PRIu64 " clocks", n);
	for (uint64_t i = 0; i < n; i++) {
		const unsigned char *clock = part.data + 2 + i * CLOCK_SIZE;
		if (clock[2] == CLOCK_TYPE_DATA && out->clock_mhz == 0) out->clock_mhz = (double)skip_bytes_le(clock, 2);
	}
	return SKIP_OK;
}

/* build_metadata.xclbin.generated_by.version: "2022.2". */
static enum skip_status read_version(struct skip_bytes part, struct skip_binary *out, struct skip_err *err)
{
	json_t *root = NULL;
	enum skip_status status = skip_json_parse((const char *)part.data, part.size, &root, err);
	if (status != SKIP_OK) return status;
	const json_t *by = json_object_get(json_object_get(json_object_get(root, "build_metadata"), "xclbin"), "generated_by");
	const char *version = json_string_value(json_object_get(by, "version"));
	if (version) snprintf(out->version, sizeof(out->version), "%s", version);
	json_decref(root);
	return SKIP_OK;
}

/* What `xclbinutil --key-value USER:skip_manifest:HASH` wrote. */
static enum skip_status read_key_values(struct skip_bytes part, struct skip_binary *out, struct skip_err *err)
{
	json_t *root = NULL;
	enum skip_status status = skip_json_parse((const char *)part.data, part.size, &root, err);
	if (status != SKIP_OK) return status;
	const json_t *list = json_object_get(json_object_get(root, "keyvalue_metadata"), "key_values");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *key = json_string_value(json_object_get(json_array_get(list, i), "key"));
		const char *value = json_string_value(json_object_get(json_array_get(list, i), "value"));
		if (key && value && strcmp(key, "skip_manifest") == 0) snprintf(out->manifest_hash, sizeof(out->manifest_hash), "%s", value);
	}
	json_decref(root);
	return SKIP_OK;
}

/* JSON sections may be padded with zeros. */
static struct skip_bytes trimmed(struct skip_bytes part)
{
	while (part.size && part.data[part.size - 1] == '\0') part.size--;
	return part;
}

static enum skip_status read_section(uint64_t kind, struct skip_bytes part, struct skip_binary *out, struct skip_err *err)
{
	switch (kind) {
	case EMBEDDED_METADATA: return skip_binary_read_kernels(part, out, err);
	case CLOCK_FREQ_TOPOLOGY: return read_clock(part, out, err);
	case BUILD_METADATA: return read_version(trimmed(part), out, err);
	case KEYVALUE_METADATA: return read_key_values(trimmed(part), out, err);
	default: return SKIP_OK;
	}
}

enum skip_status skip_binary_read_xclbin(struct skip_bytes file, struct skip_binary *out, struct skip_err *err)
{
	out->container = SKIP_CONTAINER_XCLBIN;
	if (file.size < HEADERS) return skip_err_at(err, SKIP_ERR_INPUT, NULL, 0, 0, "the header of an xclbin is %d bytes, the file has %zu", HEADERS, file.size);
	const uint64_t length = skip_bytes_le(file.data + LENGTH, 8), n = skip_bytes_le(file.data + SECTIONS, 4);
	if (length != file.size) return skip_err_at(err, SKIP_ERR_INPUT, NULL, 0, LENGTH, "the header says %" PRIu64 " bytes, the file has %zu", length, file.size);
	if (n > MAX_SECTIONS || n * HEADER_SIZE > file.size - HEADERS) {
		return skip_err_at(err, SKIP_ERR_INPUT, NULL, 0, SECTIONS, "%" PRIu64 " sections have no room in %zu bytes", n, file.size);
	}
	out->mode = mode_of(skip_bytes_le(file.data + MODE, 2));
	snprintf(out->board, sizeof(out->board), "%.*s", PLATFORM_SIZE, (const char *)file.data + PLATFORM);
	for (int i = 0; i < 16; i++) snprintf(out->uuid + 2 * i, 3, "%02x", file.data[UUID + i]);
	for (uint64_t i = 0; i < n; i++) {
		const unsigned char *header = file.data + HEADERS + i * HEADER_SIZE;
		const uint64_t offset = skip_bytes_le(header + 24, 8), size = skip_bytes_le(header + 32, 8);
		if (offset > file.size || size > file.size - offset) {
			return skip_err_at(err, SKIP_ERR_INPUT, NULL, 0, header - file.data, "section %" PRIu64 " (%" PRIu64 " bytes at %" PRIu64 ") reaches past the end, %zu", i, size,
					   offset, file.size);
		}
		enum skip_status status = read_section(skip_bytes_le(header, 4), (struct skip_bytes){file.data + offset, (size_t)size}, out, err);
		if (status != SKIP_OK) return status;
	}
	return SKIP_OK;
}
