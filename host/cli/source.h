/* What verbs read: a model folder or a package behind one struct, data files, a device; and the places they will write to. */
#ifndef SKIP_CLI_SOURCE_H
#define SKIP_CLI_SOURCE_H

#include "cli/cli.h"
#include "method/metrics.h"
#include "method/predict.h"
#include "model/model.h"
#include "package/package.h"

struct skip_cli_model {
	char path[512];
	struct skip_package *package;        /* NULL for a checkpoint folder */
	struct skip_model checkpoint;        /* zeroed for a package */
	struct skip_tokenizer *tokenizer;    /* borrowed from the package, or own */
	const struct skip_graph *graph;      /* borrowed: of the package or checkpoint, or `chosen` */
	struct skip_graph *chosen;           /* with another type of products or untied layers, or NULL */
	struct skip_labels labels;           /* count 0 where the model has no classes */
	int max_length;                      /* tokens */
};

enum skip_status skip_cli_open_model(const char *path, struct skip_cli_model *out, struct skip_err *err);
/* The same for verbs that need no network: a folder without config.json gives its tokenizer alone, and text then has no limit but --max-length. */
enum skip_status skip_cli_open_tokenizer(const char *path, struct skip_cli_model *out, struct skip_err *err);
void skip_cli_close_model(struct skip_cli_model *model);
/* The type of a graph's products; whether int8 has scales that were found beforehand; and another type, in which int8 finds them as it runs. */
enum skip_precision skip_cli_precision(const struct skip_graph *graph);
bool skip_cli_is_static(const struct skip_graph *graph);
enum skip_status skip_cli_set_precision(struct skip_cli_model *model, enum skip_precision precision, struct skip_err *err);
/* --dtype: the type the model is run in. Without the option the model stays as it was saved. */
enum skip_status skip_cli_apply_dtype(const struct skip_cli_common *common, struct skip_cli_model *model, struct skip_err *err);
/* For verbs that have one type: SKIP_ERR_USAGE when --dtype asks for another; `why` says why not. */
enum skip_status skip_cli_only_dtype(const struct skip_cli_common *common, enum skip_precision precision, const char *why, struct skip_err *err);
/* The type --dtype names, float32 without the option. */
enum skip_status skip_cli_dtype(const struct skip_cli_common *common, enum skip_precision *out, struct skip_err *err);
/* The type steps of tuning are taken in, by --train-dtype; auto, the default, is bf16 where the device has instructions for it. `device` NULL: checks
 * the word alone. */
enum skip_status skip_cli_train_dtype(const struct skip_cli_common *common, struct skip_device *device, enum skip_precision *out, struct skip_err *err);
/* Rows of the token embedding. */
int skip_cli_vocabulary(const struct skip_graph *graph);
/* SKIP_ERR_USAGE unless the model classifies ("logits"). */
enum skip_status skip_cli_need_classes(const struct skip_cli_model *model, struct skip_err *err);
/* Folder that holds the tokenizer's files. */
void skip_cli_tokenizer_folder(const struct skip_cli_model *model, char *out, size_t size);

/* Profiles and a device, by the common options. */
struct skip_cli_device {
	struct skip_profiles *profiles;
	struct skip_device *device;
};
enum skip_status skip_cli_open_device(const struct skip_cli_common *common, struct skip_cli_device *out, struct skip_err *err);
void skip_cli_close_device(struct skip_cli_device *device);
/*
 * With --bitstreams and a --device that is a profile's id: whether the library has the right program, asked before any platform is loaded. Other devices are
 * asked when they are open.
 */
enum skip_status skip_cli_check_bitstreams(const struct skip_cli_common *common, const struct skip_cli_model *model, struct skip_err *err);
/* From here on the programs of sessions come from the library of --bitstreams, where it is given; that of `model` is missed by its name. */
enum skip_status skip_cli_use_bitstreams(const struct skip_cli_common *common, const struct skip_cli_model *model, struct skip_device *device, struct skip_err *err);
/* The same, and the session for the logits of a classifier. What a program of a library has shown is said on stderr. */
enum skip_status skip_cli_open_session(const struct skip_cli_common *common, const struct skip_cli_model *model, struct skip_device *device, bool warm, struct skip_session **out,
				       int *value, struct skip_err *err);

/* Whether a package or a file can be written to `path`, asked before work is done for it. */
enum skip_status skip_cli_check_package_place(const char *path, struct skip_err *err);
enum skip_status skip_cli_check_file_place(const char *path, struct skip_err *err);

/* --input-format and --max-length, then one data file. */
struct skip_cli_input {
	const char *format;
	int64_t max_length;
};
void skip_cli_input_options(struct skip_cli_args *args, struct skip_cli_input *input);
enum skip_status skip_cli_read(const char *path, const struct skip_cli_model *model, const struct skip_cli_input *input, bool need_labels,
			       bool keep_text, const struct skip_labels *known, struct skip_labels *learn, struct skip_dataset *out,
			       struct skip_err *err);
/* The token limit: of the model, lowered by --max-length. */
enum skip_status skip_cli_limit(const struct skip_cli_model *model, const struct skip_cli_input *input, int *out, struct skip_err *err);

/* Logits [rows][C] of a classifier over a dataset; *out is freed with skip_free. */
enum skip_status skip_cli_logits(struct skip_device *device, const struct skip_graph *graph, const struct skip_dataset *data, float **out,
				 struct skip_predict_time *time, struct skip_err *err);

#endif
