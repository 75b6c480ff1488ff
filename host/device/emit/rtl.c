/*
 * The folder of a board built from SystemVerilog: one engine, its test bench with the C++ form of the OpenCL body and known answers, and the script that
 * simulates, places and packs it. The engine is that of the ops whose family has such a body; the other ops are the host's, and the manifest lists them.
 */
#include "device/emit/emit.h"
#include "device/emit/folder.h"
#include "device/family.h"
#include "device/lower/lowering.h"
#include "graph/op.h"
#include "base/sha256.h"
#include <stdio.h>
#include <string.h>

struct design {
	const struct skip_graph *graph;
	const struct skip_profile *forms;
	const struct skip_family *family;
	const struct skip_node *node; /* the first the engine serves */
	struct skip_kernel_spec spec;
	char name[SKIP_NAME];
	int nodes;
};

/* The engine of the graph: one shape for all nodes that get one. */
static enum skip_status find_engine(struct design *design, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_kernel_spec spec;
	for (size_t n = 0; n < design->graph->n_nodes; n++) {
		const struct skip_node *node = &design->graph->nodes[n];
		const struct skip_family *family = skip_family_of(node->op->name);
		if (!family || !family->rtl) continue;
		SKIP_TRY(family->rtl->spec(design->graph, node, design->forms, &spec, err));
		if (design->nodes > 0 && memcmp(spec.constant, design->spec.constant, sizeof(spec.constant)) != 0) {
			return skip_err_set(err, SKIP_ERR_TARGET, "layers of several shapes want an engine each, and a folder for '%s' holds one: --classes 1 gives them one shape",
					    design->forms->id);
		}
		design->spec = spec;
		if (design->nodes++ > 0) continue;
		design->family = family;
		design->node = node;
	}
	if (design->nodes > 0) skip_spec_name(&design->spec, design->name);
	else status = skip_err_set(err, SKIP_ERR_UNSUPPORTED, "the network has no op that '%s' has an engine for", design->forms->id);
cleanup:
	return status;
}

/* engine.sv: the shared modules, and the body. */
static enum skip_status write_engine(const struct design *design, struct skip_buf *out, struct skip_err *err)
{
	for (const char *const *file = design->family->rtl->common; *file; file++) {
		char name[32];
		snprintf(name, sizeof(name), "%.24s.sv", *file);
		const char *text = skip_kernel_file("common", name);
		if (!text) return skip_err_set(err, SKIP_ERR_INTERNAL, "kernels/common/%s is missing", name);
		skip_buf_puts(out, text);
	}
	return skip_emit_body(&design->spec, design->name, "rtl.sv", '`', out, err);
}

/* kernels.cpp: the OpenCL body of the same constants as C++. */
static enum skip_status write_twin(const struct design *design, struct skip_buf *out, struct skip_err *err)
{
	static const char *const common[] = {"fpga", NULL};
	enum skip_status status;
	struct skip_buf text;
	skip_buf_init(&text);
	SKIP_TRY(skip_emit_common(common, &text, err));
	SKIP_TRY(skip_emit_body(&design->spec, design->name, "fpga.cl", '#', &text, err));
	skip_emit_twin(skip_buf_text(&text), false, out);
cleanup:
	skip_buf_deinit(&text);
	return status;
}

static json_t *constants_json(const struct skip_kernel_spec *spec)
{
	json_t *out = json_object();
	for (int i = 0; i < spec->n_constants; i++) json_object_set_new(out, spec->constant[i].name, json_string(spec->constant[i].text));
	return out;
}

/* How many nodes of each op are left to the host. */
static json_t *host_json(const struct skip_graph *graph)
{
	json_t *out = json_object();
	for (size_t n = 0; n < graph->n_nodes; n++) {
		const char *op = graph->nodes[n].op->name;
		const struct skip_family *family = skip_family_of(op);
		if (family && family->rtl) continue;
		json_object_set_new(out, op, json_integer(json_integer_value(json_object_get(out, op)) + 1));
	}
	return out;
}

static json_t *identity_json(const struct design *design, const struct skip_estimate *e, const char *engine)
{
	const struct skip_board *board = e->board;
	char program[SKIP_SHA256_HEX];
	skip_sha256_hex(engine, strlen(engine), program);
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:i, s:o}], s:o, s:{s:i, s:i}}", "format", SKIP_KERNEL_SET_FORMAT, "kind", "rtl", "board", board->profile->id,
			 "part", board->part, "shell", board->shell, "dtype", "int8", "program", program, "kernels", "name", design->name, "nodes", design->nodes, "constants",
			 constants_json(&design->spec), "toolchains", skip_kernel_set_toolchains(board), "form", "rows", e->rows, "outputs", e->outputs);
}

static void write_flags(struct skip_buf *out, const struct skip_board_toolchain *tool, const char *step)
{
	const json_t *list = json_object_get(tool->flags, step);
	for (size_t i = 0; i < json_array_size(list); i++) skip_buf_printf(out, " %s", json_string_value(json_array_get(list, i)));
}

static void write_script(struct skip_buf *out, const struct design *design, const struct skip_board *board, const struct skip_emitted *emitted)
{
	const struct skip_board_toolchain *tool = &board->toolchain[0];
	skip_buf_printf(out,
			"#!/bin/sh\n# Simulates, places and packs the engine of this folder for %s.\n"
			"# usage: sh build_%s.sh emulate | report | bitstream     (seconds, minutes, seconds)\n"
			"# VERILATOR, YOSYS, NEXTPNR and ECPPACK name other tools than those in PATH.\nset -eu\ncd \"$(dirname \"$0\")\"\nstep=${1-}\n",
			board->profile->title, board->profile->id);
	skip_buf_printf(out, "case $step in\nemulate | report | bitstream) ;;\n*)\n\techo \"usage: sh build_%s.sh emulate | report | bitstream\" >&2\n\texit 2\n\t;;\nesac\n",
			board->profile->id);
	skip_buf_puts(out, "need() {\n\tcommand -v \"$1\" >/dev/null || {\n\t\techo \"$1 is not in PATH\" >&2\n\t\texit 77\n\t}\n}\ncase $step in\nemulate)\n"
			   "\tneed \"${VERILATOR:=verilator}\"\n");
	skip_buf_printf(out, "\t\"$VERILATOR\" --cc --exe --build --prefix Vengine --top-module %s", design->name);
	write_flags(out, tool, "emulate");
	skip_buf_puts(out, " -CFLAGS '-O2 -ffp-contract=off' --Mdir simulated engine.sv testbench.cpp kernels.cpp >simulated.log 2>&1 || {\n"
			   "\t\tcat simulated.log >&2\n\t\texit 1\n\t}\n\t./simulated/Vengine vectors.txt\n\t;;\nreport)\n"
			   "\tneed \"${YOSYS:=yosys}\"\n\tneed \"${NEXTPNR:=nextpnr-ecp5}\"\n");
	/* synth_ecp5 without its first step: that one leaves a mark on modules of the chip's blocks, by which yosys 0.70 reads the flattened design anew, without its parts. */
	skip_buf_printf(out, "\t\"$YOSYS\" -q -w 'Replacing memory' -l synthesis.log -p 'read_verilog -lib -specify +/ecp5/cells_sim.v +/ecp5/cells_bb.v\n"
			     "read_verilog -sv -D %s engine.sv\nhierarchy -check -top %s\nsetattr -unset reprocess_after\nsynth_ecp5 -run coarse: -json engine.json'\n",
			tool->target_macro, design->name);
	skip_buf_puts(out, "\t\"$NEXTPNR\" --json engine.json --textcfg engine.config --report report.json --log route.log -q");
	write_flags(out, tool, "report");
	skip_buf_puts(out, "\n\t;;\nbitstream)\n\tneed \"${ECPPACK:=ecppack}\"\n\t[ -e engine.config ] || sh \"$0\" report\n\t\"$ECPPACK\"");
	write_flags(out, tool, "hardware");
	skip_buf_printf(out, " engine.config %s.bit\n\t;;\nesac\necho \"$step of %s done\"\n", emitted->set, emitted->set);
}

static void write_readme(struct skip_buf *out, const struct design *design, const struct skip_estimate *e, const struct skip_emitted *emitted)
{
	const struct skip_board *board = e->board;
	skip_buf_printf(out,
			"# %s\n\nOne %s engine in SystemVerilog for %s (%s), int8, which serves %d nodes of the network; %d others stay with the host (`host` of the manifest). Module `%s`: %d x %d "
			"products a cycle, tiles of %d rows. Its streams are described at the head of its module in `engine.sv`, and `testbench.cpp` is a sender and receiver.\n\n",
			emitted->set, design->family->name, board->profile->title, board->part, design->nodes, e->on_host, design->name, e->outputs, design->forms->vec, e->rows);
	skip_buf_printf(out,
			"| file | is |\n|---|---|\n| `engine.sv` | the engine; with `%s` defined the multipliers are the chip's blocks, else behaviour |\n"
			"| `kernels.cpp` | the OpenCL body of the same constants as C++ |\n| `testbench.cpp` | drives the simulated engine; every number has to have the bits of `kernels.cpp`, and be "
			"near the known answers |\n| `vectors.txt` | inputs and known answers, from a float64 reference |\n| `manifest.json` | what is built and for what |\n"
			"| `build_%s.sh` | `emulate`: Verilator. `report`: yosys, nextpnr. `bitstream`: ecppack |\n| `CMakeLists.txt` | targets of the same names |\n\n",
			board->toolchain[0].target_macro, board->profile->id);
	skip_buf_printf(out,
			"Estimated by formula, never run: %.0f MHz, %.1f us for the engine's part of a batch of %d x %d tokens; inputs %s. Weights come in over a stream, once a tile: "
			"this chip does not hold them.\n\n    sh build_%s.sh emulate\n    sh build_%s.sh bitstream\n",
			e->clock_mhz, 1e6 * e->seconds, e->work.batch, e->work.length, e->verified ? "verified" : "partly unverified", board->profile->id, board->profile->id);
}

enum skip_status skip_emit_rtl(const struct skip_graph *graph, const struct skip_profile *forms, const struct skip_estimate *estimate,
			       struct skip_emitted *out, struct skip_err *err)
{
	enum skip_status status;
	struct design design = {.graph = graph, .forms = forms};
	struct skip_kernel_set set = {.manifest = NULL};
	char name[96];
	SKIP_TRY(find_engine(&design, err));
	memcpy(out->module, design.name, sizeof(design.name));
	struct skip_buf *engine = skip_emit_file(out, "engine.sv");
	SKIP_TRY(write_engine(&design, engine, err));
	SKIP_TRY(write_twin(&design, skip_emit_file(out, "kernels.cpp"), err));
	SKIP_TRY(skip_emit_body(&design.spec, design.name, "testbench.cpp", '#', skip_emit_file(out, "testbench.cpp"), err));
	SKIP_TRY(design.family->rtl->vectors(graph, design.node, forms, skip_emit_file(out, "vectors.txt"), err));
	set.manifest = identity_json(&design, estimate, skip_buf_text(engine));
	if (!set.manifest) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a manifest"));
	SKIP_TRY(skip_kernel_set_seal(graph, &set, err));
	SKIP_TRY(skip_emit_manifest(&set, "host", host_json(graph), out, err));
	snprintf(name, sizeof(name), "build_%s.sh", estimate->board->profile->id);
	write_script(skip_emit_file(out, name), &design, estimate->board, out);
	skip_emit_targets(estimate->board->profile->id, false, skip_emit_file(out, "CMakeLists.txt"));
	write_readme(skip_emit_file(out, "README.md"), &design, estimate, out);
cleanup:
	skip_kernel_set_deinit(&set);
	return status;
}
