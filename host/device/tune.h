/*
 * Tuning: the tiles that only a measurement on the device at hand can choose, searched once and kept in a file of the user's cache.
 *
 * A family says which numbers it could cut the work of a node by (struct skip_tiling in device/family.h). A candidate counts only after its numbers
 * matched the float64 reference of the op; times are medians of interleaved rounds, and the tile that would be taken anyway stays unless another is
 * clearly faster. An open device applies what its file says: lowering sees a profile that says so, and nothing else knows. Packages hold programs as
 * the profiles were shipped.
 */
#ifndef SKIP_DEVICE_TUNE_H
#define SKIP_DEVICE_TUNE_H

#include "device/device.h"
#include "graph/graph.h"

/* What was found for a device: one tile a shape. Zero it before use; free with skip_tuning_deinit. */
struct skip_tuning {
	struct skip_tile_choice *choice;
	size_t n_choices, capacity;
};
void skip_tuning_deinit(struct skip_tuning *tuning);

/* The tuning a device runs with: what its file held when it was opened, or what was set; never NULL. */
const struct skip_tuning *skip_device_tuning(const struct skip_device *device);
/* Another one, borrowed until the next call or the device's end; NULL: the tiles as shipped. Sessions that exist keep their plans. */
void skip_device_set_tuning(struct skip_device *device, const struct skip_tuning *tuning);

/*
 * file.c. The file of a device: in SKIP_TUNE_CACHE, else the user's cache folder ($XDG_CACHE_HOME/skip, ~/.cache/skip); its name is a hash over format,
 * platform, device, driver, compute units, profile and what that says. A choice carries the version of its family's texts (skip_family_version).
 * Reading: *out stays empty without a file and with SKIP_TUNE_CACHE=off. A file that is damaged or another device's, and choices for other texts, are
 * ignored, which a warning says. The only error is a lack of memory.
 */
enum skip_status skip_tuning_load(const struct skip_device *device, struct skip_tuning *out, struct skip_err *err);
/* Replaces the file whole; nothing with SKIP_TUNE_CACHE=off. */
enum skip_status skip_tuning_store(const struct skip_device *device, const struct skip_tuning *tuning, struct skip_err *err);

/* A shape that has been settled. */
struct skip_tune_found {
	struct skip_tile_choice choice;
	char before[sizeof(((struct skip_tile_choice *)0)->tile)]; /* the tile without tuning, and where it came from */
	enum skip_tile_origin before_origin;
	size_t tried, rejected; /* candidates; those whose numbers were wrong or that do not build */
	double gain;		/* time with the tile before by time with the chosen one, geometric mean over the batches; 1: it stays */
};
struct skip_tune_listener {
	void (*tell)(void *context, const struct skip_tune_found *found); /* NULL: nobody listens */
	void *context;
};

/*
 * Settles the shapes of `graph` that `tuning` lacks, and adds them there. The device keeps the tuning it had. Checkers, and nodes without anything to
 * choose, give nothing. SKIP_ERR_DEVICE when not even one candidate is right.
 */
enum skip_status skip_tune_graph(struct skip_device *device, const struct skip_graph *graph, const struct skip_tune_listener *listener,
				 struct skip_tuning *tuning, struct skip_err *err);
/* The products of the usual encoders, widths 384 and 768, in one type: a graph for where no model is at hand. */
enum skip_status skip_tune_usual(enum skip_precision precision, struct skip_graph **out, struct skip_err *err);

#endif
