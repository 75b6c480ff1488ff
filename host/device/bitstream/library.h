/*
 * A library of built programs: folders <library>/<2 hex>/<64 hex>/ named by the hash of a kernel set, in each the built file and a side file that says what it is
 * (docs/boards.md). Entries are written once. Everything here reads files; no device is asked for anything.
 */
#ifndef SKIP_DEVICE_BITSTREAM_LIBRARY_H
#define SKIP_DEVICE_BITSTREAM_LIBRARY_H

#include "device/bitstream/binary.h"
#include "device/emit/kernelset.h"

struct skip_library_entry {
	char folder[1024];
	char hash[SKIP_SHA256_HEX];   /* the folder's name */
	char file[200];               /* of the built file, in the folder */
	char sha256[SKIP_SHA256_HEX]; /* of its bytes */
	int64_t bytes;
	char built_by[320];           /* tool and version, or platform and driver of a runtime; "" where nobody said */
	struct skip_kernel_set set;
};

/* What is about to run, for which an entry must be the right one. */
struct skip_bitstream_want {
	const struct skip_kernel_set *set;   /* NULL: the entry is checked against itself alone */
	const struct skip_profile *profile;  /* of the device; NULL: any */
	const char *runtime;                 /* platform and driver of the device, NULL where it is not open yet */
	const char *library, *source;        /* for the command that builds: the library's folder, the package; NULL: their names in docs */
};

/*
 * All checks in their fixed order, each with its name; the first that fails is the result and its message the block of docs/boards.md: what was expected and found,
 * and where each comes from, the file, the command that makes the right one. SKIP_ERR_VERIFY (6): bytes or kernels are not those they should be.
 * SKIP_ERR_INPUT (3): not a file of a library.
 */
enum skip_status skip_bitstream_check(const struct skip_library_entry *entry, const void *data, size_t size, const struct skip_bitstream_want *want,
				      struct skip_err *err);
/* The block of a check that failed, for those that library.c makes. */
enum skip_status skip_bitstream_fail(const struct skip_library_entry *entry, const struct skip_bitstream_want *want, enum skip_status status, const char *check,
				     const char *expected, const char *expected_from, const char *found, const char *found_from, struct skip_err *err);
/* Names of the checks in their order, NULL-terminated; the last is made by the session that has loaded the program, with the same block. */
#define SKIP_BITSTREAM_ANSWER "answer"
extern const char *const skip_bitstream_checks[];
/* The command that puts what is wanted into the library. */
void skip_bitstream_command(const struct skip_bitstream_want *want, struct skip_buf *out);
/* Fields in which two kernel sets differ, "dtype, form"; "" where they do not. */
void skip_kernel_set_differences(const struct skip_kernel_set *a, const struct skip_kernel_set *b, struct skip_buf *out);

/* "<platform>, <driver>" as it stands in entries of programs that a runtime built. */
void skip_bitstream_runtime(const struct skip_device_facts *facts, char *out, size_t size);
/* "aocx", "xclbin", "emulated": the suffix of a set's built file. */
const char *skip_bitstream_suffix(const struct skip_kernel_set *set);

/* Reads the side file of an entry's folder. SKIP_ERR_INPUT: a block as above, checks "entry" and "format". The caller deinits *out, also after a failure. */
enum skip_status skip_library_read(const char *folder, struct skip_library_entry *out, struct skip_err *err);
void skip_library_entry_deinit(struct skip_library_entry *entry);
/* Reads the built file and makes all checks; *out owns the bytes. An entry whose bytes are damaged is renamed to <hash>.damaged, so that nobody finds it again. */
enum skip_status skip_library_load(const struct skip_library_entry *entry, const struct skip_bitstream_want *want, struct skip_buf *out, struct skip_err *err);
/* Folders of all entries, sorted; damaged ones that were moved aside are none. The caller frees with skip_library_free_list. A missing library is empty. */
enum skip_status skip_library_list(const char *library, char ***out, size_t *n, struct skip_err *err);
void skip_library_free_list(char **list, size_t n);
/* "<library>/<2 hex>/<64 hex>" */
enum skip_status skip_library_folder(const char *library, const char *hash, char *out, size_t size, struct skip_err *err);
/*
 * Makes an entry of the bytes, after all checks. SKIP_ERR_USAGE: there is one of other bytes already. The same bytes again are no error.
 */
enum skip_status skip_library_add(const char *library, const struct skip_kernel_set *set, const void *data, size_t size, const char *built_by, struct skip_err *err);

/* What a library has for a network. */
struct skip_built {
	struct skip_graph *graph; /* what runs: the inference graph, with the layers as wide as the program has them */
	int value;                /* of it */
	struct skip_plan *plan;   /* of it, with the built program */
	struct skip_library_entry entry;
};
/*
 * The program that gives `value_name` of `graph`, a network whose units are found in it (graph/units.h). Looked for in the form of `profile`'s file, then in those that the
 * entries for the device say: form, and the shape classes their network was widened to; sets without classes first, then those of most. Nothing found:
 * SKIP_ERR_INPUT, a block with check "library" that names the nearest entry and the fields in which it differs. The caller deinits *out, also after a failure.
 */
enum skip_status skip_bitstream_find(const struct skip_graph *graph, const char *value_name, const struct skip_bitstream_want *want, struct skip_built *out,
				     struct skip_err *err);
void skip_built_deinit(struct skip_built *built);

#endif
