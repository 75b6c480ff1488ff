/*
 * Device profiles: boards/<id>.json, resolved (`extends`) and matched to a device. Which kernel variant, tile sizes and rounding a device
 * gets is data here and an `if` nowhere. The JSON files are found in the folder given, in SKIP_BOARDS, or compiled in (tools embed them at
 * build time).
 */
#ifndef SKIP_DEVICE_PROFILE_H
#define SKIP_DEVICE_PROFILE_H

#include "base/json.h"
#include "graph/graph.h"
#include <stdbool.h>

enum skip_profile_kind { SKIP_PROFILE_CPU, SKIP_PROFILE_GPU, SKIP_PROFILE_FPGA, SKIP_PROFILE_CHECKER, SKIP_PROFILE_CUSTOM };

/*
 * The tile chosen for the nodes of one shape: the numbers by which a kernel family cuts its work. Both texts are the family's own (skip_tiling in
 * device/family.h): "k384 n1536 T f32 cpu" and "mr12 nv2".
 */
struct skip_tile_choice {
	char family[24], shape[SKIP_NAME], tile[48];
};
enum skip_tile_origin { SKIP_TILE_NONE, SKIP_TILE_DEFAULT, SKIP_TILE_SHIPPED, SKIP_TILE_TUNED }; /* NONE: no tile was chosen */

struct skip_profile {
	char id[SKIP_NAME], title[128];
	enum skip_profile_kind kind;
	json_t *json; /* resolved document */
	bool by_name; /* matches nothing by itself */
	/* forms */
	char variants[4][16]; /* body variants in order of preference: "cpu", "generic"; "generic" closes every list */
	int n_variants;
	int vec;         /* lanes of the explicit vector type: 4, 8, 16 */
	int mr[4], n_mr; /* row tiles, descending */
	int nv;          /* vectors per row tile: NR = nv * vec */
	int block;       /* most row tiles that a work-item of a product in a short type takes */
	/* Forms of the products in short types, in order of preference (kernels/linear/forms.c); indexed by enum skip_precision, none for F32. */
	char dot[SKIP_PRECISION_COUNT][4][24];
	int n_dot[SKIP_PRECISION_COUNT];
	int chunk;       /* tokens of a batch that go through the network together, about; 0: all */
	int query_block, key_align;
	int round_ffn, round_head; /* grid of kept widths */
	const struct skip_tile_choice *shipped, *tuned; /* [n_shipped] of the board file, the profiles' own; [n_tuned] of the device (device/tune.h), borrowed */
	size_t n_shipped, n_tuned;
	bool team;                 /* groups of a launch run side by side as threads do, and may wait for each other (kernels/common/team.cl) */
	bool channels;             /* stages of an engine are kernels joined by channels (the target macro is in `options`) */
	const char *combine[4];    /* ops that kernels take whole (skip_pass_inference), NULL-terminated; borrowed from `json` */
	char options[256];         /* compiler flags */
};

/* What a device says about itself, for matching. */
struct skip_device_facts {
	char platform[128], name[256], vendor[128], driver[128], version[128], type[16]; /* type: "cpu", "gpu", "accel" */
	char extensions[4096];
	char embedded_board[128]; /* board or shell an FPGA binary was built for, read from the binary; "" without one */
	bool local_cpu; /* its code runs on this machine's CPU, so host CPUID speaks for it */
};

/* The tile that `origin` (SHIPPED, TUNED) has for a shape of a family; NULL when it has none. */
const char *skip_profile_tile(const struct skip_profile *profile, enum skip_tile_origin origin, const char *family, const char *shape);
extern const char *const skip_tile_origin_names[]; /* "none", "default", "shipped", "tuned", NULL */
/* One choice as it stands in a board file and in the user's cache: {"family", "shape", "tile"}; SKIP_ERR_INPUT says what is wrong. */
enum skip_status skip_tile_choice_read(const json_t *json, struct skip_tile_choice *out, struct skip_err *err);
json_t *skip_tile_choice_json(const struct skip_tile_choice *choice); /* NULL: no memory */

struct skip_profiles;
/* Loads all; SKIP_ERR_INPUT names file and field. `folder` NULL: SKIP_BOARDS or the compiled-in set. */
enum skip_status skip_profiles_load(const char *folder, struct skip_profiles **out, struct skip_err *err);
void skip_profiles_destroy(struct skip_profiles *profiles);
size_t skip_profiles_count(const struct skip_profiles *profiles);
const struct skip_profile *skip_profiles_at(const struct skip_profiles *profiles, size_t i); /* sorted by id */
const struct skip_profile *skip_profiles_find(const struct skip_profiles *profiles, const char *id);
/* Best match (most conditions, then longest literal text; a tie is SKIP_ERR_INPUT); `generic` matches everything, last. */
enum skip_status skip_profiles_match(const struct skip_profiles *profiles, const struct skip_device_facts *facts,
                                     const struct skip_profile **out, struct skip_err *err);
/* Whether one of the profile's own match entries holds (`generic`: always). */
bool skip_profile_holds(const struct skip_profile *profile, const struct skip_device_facts *facts);
/* Whether products of a precision are taken in the form of this name: the first that the profile has. */
bool skip_profile_form_is(const struct skip_profile *profile, enum skip_precision precision, const char *name);
/*
 * Host CPUID feature by name ("avx2", "fma", "avx512f", "avx512vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8"); false for unknown names and other
 * machines. Those of AMX are there when the process may use tiles, which it asks the system for here.
 */
bool skip_cpu_has(const char *feature);
/* Whether the name is one of those, on any machine: a board file may only use these. */
bool skip_cpu_knows(const char *feature);

#endif
