/*
 * An engine: one piece of FPGA hardware of a fixed shape that serves every node of that shape. A kernel family with an `fpga` variant says what
 * its body becomes: lanes, memories, ports, and the cycles of a node (device/family.h); device/estimate adds it up for a board.
 */
#ifndef SKIP_DEVICE_ENGINE_H
#define SKIP_DEVICE_ENGINE_H

#include "graph/graph.h"
#include <stdbool.h>

/* What is run: `batch` sequences of `length` tokens. */
struct skip_workload {
	int batch, length;
};

#define SKIP_ENGINE_MEMORIES 8
#define SKIP_ENGINE_PORTS 12

/* A memory on the chip: `depth` words of `width` bits in `banks`; `reads` words of each bank a cycle; `twofold`: double buffered. */
struct skip_engine_memory {
	int width;
	int64_t depth;
	int banks, reads;
	bool twofold;
};

/* A pointer argument: the bytes that one node moves through it. */
struct skip_engine_port {
	double bytes;
	bool weights;
};

struct skip_engine {
	char name[SKIP_NAME]; /* family and shape, "ffn_d384_f736"; equal names are one engine */
	int lanes[2];         /* multiply-accumulates a cycle: [0] float32, [1] int8 */
	int units;            /* further arithmetic units of a DSP block each: scales, lanes of norms and softmax */
	int stages;           /* kernels joined by streams, loads and stores among them */
	bool overlaps;        /* loads, products and stores run side by side */
	struct skip_engine_memory memory[SKIP_ENGINE_MEMORIES];
	int n_memories;
	struct skip_engine_port port[SKIP_ENGINE_PORTS];
	int n_ports;
	/* Of one node: its multiply-adds, cycles of the slowest stage and of filling the pipeline once. */
	double macs, cycles, fill;
	double rounds; /* of the body's outermost loop for the node: tiles of rows, sequences or rows; 0: the body has no such loop */
};

struct skip_profile;

/* The form of product engines in a profile: rows of a tile (mr[0]), outputs of a cycle (nv), depth of a word of 64 bytes (16 float32, 64 int8). */
struct skip_engine_form {
	int rows, outputs, depth;
	double add_latency; /* cycles of a float addition */
	bool int8;
};
struct skip_engine_form skip_engine_form(const struct skip_profile *profile, bool int8);

/* For families. */
void skip_engine_add_memory(struct skip_engine *engine, int width, int64_t depth, int banks, int reads, bool twofold);
void skip_engine_add_port(struct skip_engine *engine, double bytes, bool weights);
/* Rows of a value in a run of `work`. */
double skip_engine_rows(const struct skip_graph *graph, int value, struct skip_workload work);
/* Cycles that `m` rows of an N x K product take, whole row tiles, and those until the first result. */
double skip_engine_product(const struct skip_engine_form *form, double m, double n, double k);
double skip_engine_fill(const struct skip_engine_form *form);
/* Units of an activation behind products of depth k that keep up with them: one serves the outputs of a word in turn while the next is summed. */
int skip_engine_act_units(const struct skip_engine_form *form, double k);
/* Bytes of float rows and of weights in the engine's type (int8 with 8 bytes beside each column), once. */
double skip_engine_row_bytes(double rows, double cols);
double skip_engine_weight_bytes(const struct skip_engine_form *form, double n, double k);

#endif
