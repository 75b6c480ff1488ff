/*
 * The engine of this folder, simulated by Verilator: fed with the inputs of a vector file, compared bit by bit with what the C++ form of the OpenCL body
 * (kernels.cpp) makes of them, and with the answers in the file within its tolerance. Ends with 1 where a number differs, 2 where the file is wrong.
 *
 * usage: testbench vectors.txt [pauses]       with `pauses` senders and receiver are often not ready
 */
#include "Vengine.h"
#include "verilated.h"
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

typedef std::vector<uint32_t> words;

enum {
	D = SKIP_FFN_D, F = SKIP_FFN_F, N = SKIP_FFN_N, T = SKIP_FFN_T, P = SKIP_FFN_P, C = SKIP_FFN_C,
	BIAS1 = SKIP_FFN_BIAS1, BIAS2 = SKIP_FFN_BIAS2, RESIDUAL = SKIP_FFN_RESIDUAL
};

extern "C" void SKIP_FFN_NAME(const float *x, const int *w1, const int *w2,
#if SKIP_FFN_BIAS1
			      const float *b1,
#endif
#if SKIP_FFN_BIAS2
			      const float *b2,
#endif
#if SKIP_FFN_RESIDUAL
			      const float *residual,
#endif
			      float *y, int rows);

/* "rows R", "tolerance BITS", then "<argument> <count>" and that many words in hexadecimal. */
struct vectors {
	int rows = 0;
	float tolerance = 0;
	std::map<std::string, words> of;
};

static void wrong(const char *what)
{
	fprintf(stderr, "vector file: %s\n", what);
	exit(2);
}

static vectors read(const char *path)
{
	vectors v;
	char name[16];
	unsigned count, word;
	FILE *file = fopen(path, "r");
	if (!file) wrong("cannot be read");
	if (fscanf(file, "rows %d tolerance %x", &v.rows, &word) != 2 || v.rows < 1) wrong("does not start with rows and tolerance");
	memcpy(&v.tolerance, &word, sizeof(word));
	while (fscanf(file, "%15s %u", name, &count) == 2) {
		words &list = v.of[name];
		for (; count > 0; count--) {
			if (fscanf(file, "%x", &word) != 1) wrong("ends early");
			list.push_back(word);
		}
	}
	fclose(file);
	const size_t rows = (size_t)v.rows;
	auto panels = [](size_t n, size_t k) { return (n + P - 1) / P * ((k + 3) / 4 + 2) * P; };
	if (v.of["x"].size() != rows * D || v.of["w1"].size() != panels(F, D) || v.of["w2"].size() != panels(N, F) || v.of["b1"].size() != (BIAS1 ? F : 0) ||
	    v.of["b2"].size() != (BIAS2 ? N : 0) || v.of["residual"].size() != (RESIDUAL ? rows * N : 0) || v.of["y"].size() != rows * N)
		wrong("is of another shape");
	return v;
}

static words of_the_opencl_body(vectors &v)
{
	words y((size_t)v.rows * N);
	auto floats = [&](const char *name) { return (const float *)v.of[name].data(); };
	auto ints = [&](const char *name) { return (const int *)v.of[name].data(); };
	SKIP_FFN_NAME(floats("x"), ints("w1"), ints("w2"),
#if SKIP_FFN_BIAS1
		      floats("b1"),
#endif
#if SKIP_FFN_BIAS2
		      floats("b2"),
#endif
#if SKIP_FFN_RESIDUAL
		      floats("residual"),
#endif
		      (float *)y.data(), v.rows);
	return y;
}

/* Rows of `columns`, whole tiles: zeros behind the last. */
static words tiles_of(const words &rows, int columns)
{
	const size_t tile = (size_t)T * columns;
	words out = rows;
	out.resize((rows.size() + tile - 1) / tile * tile);
	return out;
}

/* Panels of a product of depth k, each with its part of the bias. */
static void add_panels(words &out, const words &w, const words &bias, int k)
{
	const size_t panel = (size_t)((k + 3) / 4 + 2) * P;
	for (size_t p = 0; p * panel < w.size(); p++) {
		out.insert(out.end(), w.begin() + p * panel, w.begin() + (p + 1) * panel);
		for (size_t n = p * P; !bias.empty() && n < (p + 1) * P; n++) out.push_back(n < bias.size() ? bias[n] : 0);
	}
}

/* Gives its words one by one, and with pauses. */
struct sender {
	words list;
	size_t at = 0;
	bool valid = false;
	uint32_t data() const { return at < list.size() ? list[at] : 0; }
	void offer(bool pause) { valid = at < list.size() && (valid || !pause); }
	void moved(bool ready) { if (valid && ready) at++, valid = false; }
};

static words of_the_engine(vectors &v, bool pauses, uint64_t *cycles)
{
	const size_t wanted = tiles_of(v.of["y"], N).size();
	sender x, w, residual;
	words y;
	uint32_t state = 1;
	auto pause = [&] { return pauses && ((state = state * 1664525u + 1013904223u) >> 29) < 3; };
	std::unique_ptr<VerilatedContext> context(new VerilatedContext);
	std::unique_ptr<Vengine> engine(new Vengine(context.get()));
	x.list = tiles_of(v.of["x"], D);
	if (RESIDUAL) residual.list = tiles_of(v.of["residual"], N);
	for (size_t tile = 0; tile * T < (size_t)v.rows; tile++) {
		add_panels(w.list, v.of["w1"], v.of["b1"], D);
		add_panels(w.list, v.of["w2"], v.of["b2"], F);
	}
	const uint64_t limit = 1000 + 64 * (x.list.size() + w.list.size() * T + (uint64_t)T * (F + N) + wanted);
	for (*cycles = 0; y.size() < wanted && *cycles < limit; ++*cycles) {
		engine->reset = *cycles < 4;
		x.offer(pause());
		w.offer(pause());
		residual.offer(pause());
		engine->x_valid = x.valid, engine->x_data = x.data();
		engine->w_valid = w.valid, engine->w_data = w.data();
		engine->residual_valid = residual.valid, engine->residual_data = residual.data();
		engine->y_ready = !pause();
		engine->clk = 0;
		engine->eval();
		if (!engine->reset) {
			x.moved(engine->x_ready);
			w.moved(engine->w_ready);
			residual.moved(engine->residual_ready);
			if (engine->y_valid && engine->y_ready) y.push_back(engine->y_data);
		}
		engine->clk = 1;
		engine->eval();
	}
	engine->final();
	if (y.size() < wanted) fprintf(stderr, "the engine stopped after %zu of %zu numbers\n", y.size(), wanted);
	y.resize((size_t)v.rows * N);
	return y;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: testbench vectors.txt [pauses]\n");
		return 2;
	}
	vectors v = read(argv[1]);
	uint64_t cycles;
	const words engine = of_the_engine(v, argc > 2 && !strcmp(argv[2], "pauses"), &cycles), body = of_the_opencl_body(v), &answer = v.of["y"];
	size_t differ = 0, far = 0;
	float most = 0;
	for (size_t i = 0; i < engine.size(); i++) {
		float got, known;
		memcpy(&got, &engine[i], sizeof(got));
		memcpy(&known, &answer[i], sizeof(known));
		if (engine[i] != body[i] && differ++ < 4) fprintf(stderr, "row %zu, column %zu: engine %08x, OpenCL body %08x\n", i / N, i % N, engine[i], body[i]);
		most = std::fmax(most, std::fabs(got - known));
		far += v.tolerance > 0 ? !(std::fabs(got - known) <= v.tolerance) : engine[i] != answer[i];
	}
	printf("%s: simulated, %zu numbers in %llu cycles; %zu differ from the OpenCL body; %zu beyond the known answers, largest difference %.3g of %.3g\n",
	       differ + far ? "WRONG" : "ok", engine.size(), (unsigned long long)cycles, differ, far, most, v.tolerance);
	return differ + far ? 1 : 0;
}
