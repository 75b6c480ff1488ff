/*
 * Emission: determinism, hashes, and the lint of the dialect (docs/devices.md 2) over every body and every emitted text. That the texts compile and
 * compute is tests/kernels.
 */
#include "base/alloc.h"
#include "base/embedded.h"
#include "device/emit/emit.h"
#include "../graph/toy_graph.h"
#include "lower_graph.h"
#include <ctype.h>

/* A copy without comments; what was a comment is blank, so that lines stay. */
static char *strip_comments(const char *text)
{
	char *out = skip_strdup(text);
	for (char *c = out; *c; c++) {
		if (c[0] == '/' && c[1] == '*') {
			for (; *c && !(c[0] == '*' && c[1] == '/'); c++) {
				if (*c != '\n') *c = ' ';
			}
			if (*c) c[0] = c[1] = ' ';
		} else if (c[0] == '/' && c[1] == '/') {
			for (; *c && *c != '\n'; c++) *c = ' ';
		}
		if (!*c) break;
	}
	return out;
}

static int line_of(const char *text, const char *at)
{
	int line = 1;
	for (; text < at; text++) line += *text == '\n';
	return line;
}

static bool word_char(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* The next identifier or number at or after *at: its length, *at moved to it. 0 at the end. A number keeps its sign of exponent and its point. */
static size_t next_word(const char **at)
{
	const char *c = *at;
	while (*c && !word_char(*c) && !(c[0] == '.' && isdigit((unsigned char)c[1]))) c++;
	*at = c;
	if (!*c) return 0;
	size_t n = 0;
	bool number = isdigit((unsigned char)*c) || *c == '.', hex = c[0] == '0' && (c[1] == 'x' || c[1] == 'X');
	while (word_char(c[n]) || (number && (c[n] == '.' || ((c[n] == '+' || c[n] == '-') && strchr(hex ? "pP" : "eE", c[n - 1]))))) n++;
	return n;
}

static const char *const forbidden[] = {"double", "half", "printf", "channel", "pipe", "goto", "asm", "__asm", "event_t", "bool", "long",
					"ulong", "image2d_t", "sampler_t", "atomic_int", "generic", NULL};
static const char *const forbidden_prefix[] = {"native_", "half_", "sub_group_", "work_group_reduce", "work_group_broadcast", "double", "intel_sub_group", NULL};

static const char *why_forbidden(const char *word)
{
	for (size_t i = 0; forbidden[i]; i++) {
		if (!strcmp(word, forbidden[i])) return "is not of the dialect";
	}
	for (size_t i = 0; forbidden_prefix[i]; i++) {
		if (!strncmp(word, forbidden_prefix[i], strlen(forbidden_prefix[i]))) return "is not of the dialect";
	}
	if (isdigit((unsigned char)word[0]) || word[0] == '.') {
		bool hex = word[1] == 'x' || word[1] == 'X';
		bool real = strpbrk(word, hex ? ".pP" : ".eE") != NULL;
		if (real && word[strlen(word) - 1] != 'f') return "is a double";
	}
	return NULL;
}

/* "restrict" is for kernel arguments; functions are static inline. `at` stands on "inline". */
static const char *bad_function(const char *text, const char *at)
{
	static const char want[] = "static ";
	size_t n = sizeof(want) - 1;
	if (at < text + n || strncmp(at - n, want, n)) return "inline without static";
	const char *end = strchr(at, '{');
	const char *restricted = strstr(at, "restrict");
	return restricted && (!end || restricted < end) ? "restrict on a helper's parameter" : NULL;
}

static void lint_arguments(const char *name, const char *text, const char *kernel)
{
	const char *open = strstr(kernel, "void ");
	const char *body = strchr(kernel, '{');
	static const char item[] = "SKIP_ITEM";
	const char *group = !strncmp(kernel, "SKIP_KERNEL(", 12) ? kernel : strstr(kernel, "reqd_work_group_size(");
	cr_assert(open && body && group && group < open, "%s:%d: kernel without work-group", name, line_of(text, kernel));
	const char *arg = strchr(open, '(') + 1;
	while (arg < body) {
		while (isspace((unsigned char)*arg)) arg++;
		if (*arg == '#') { /* a condition around an argument */
			arg = strchr(arg, '\n') + 1;
			continue;
		}
		if (!strncmp(arg, item, sizeof(item) - 1)) {
			arg += sizeof(item) - 1;
			continue;
		}
		if (*arg == ')') break;
		bool pointer = !strncmp(arg, "__global ", 9), scalar = !strncmp(arg, "int ", 4) || !strncmp(arg, "uint ", 5) || !strncmp(arg, "float ", 6);
		size_t length = strcspn(arg, ",)");
		const char *restricted = strstr(arg, "restrict ");
		bool macro = !strncmp(arg, "SKIP_", 5); /* of the body, for arguments that several of its kernels share */
		cr_expect(macro || scalar || (pointer && restricted && restricted < arg + length), "%s:%d: argument '%.*s'", name, line_of(text, arg), (int)length, arg);
		arg += length;
		if (*arg == ')') break;
		arg++;
	}
}

/* Whether the word stands in the line of a #define: what a kernel opens with is a macro. */
static bool is_defined(const char *text, const char *at)
{
	while (at > text && at[-1] != '\n') at--;
	return !strncmp(at, "#define", 7);
}

static void lint(const char *name, const char *original)
{
	char *text = strip_comments(original);
	const char *at = text;
	for (size_t n; (n = next_word(&at)) > 0; at += n) {
		char word[128];
		snprintf(word, sizeof(word), "%.*s", (int)n, at);
		const char *why = why_forbidden(word);
		cr_expect(why == NULL, "%s:%d: '%s' %s", name, line_of(text, at), word, why);
		if (!strcmp(word, "inline")) cr_expect(bad_function(text, at) == NULL, "%s:%d: %s", name, line_of(text, at), bad_function(text, at));
		if ((!strcmp(word, "__kernel") || !strcmp(word, "SKIP_KERNEL")) && !is_defined(text, at)) lint_arguments(name, text, at);
	}
	cr_expect(strstr(text, "OPENCL EXTENSION") == NULL, "%s asks for an extension", name);
	skip_free(text);
}

/* Whether a line "#<directive> <word>" stands in the text. */
static bool has_line(const char *text, const char *directive, const char *word)
{
	char wanted[160];
	int n = snprintf(wanted, sizeof(wanted), "#%s %s", directive, word);
	for (const char *at = text; (at = strstr(at, wanted)); at += n) {
		if (!word_char(at[n])) return true;
	}
	return false;
}

/* Whether a body stops without the constant: #ifndef, or !defined(..) in a condition of several. */
static bool asks_for(const char *text, const char *word)
{
	char wanted[160];
	snprintf(wanted, sizeof(wanted), "!defined(%s)", word);
	return has_line(text, "ifndef", word) || strstr(text, wanted);
}

/* Every constant a body uses is asked for with #error, every macro it makes is taken away, every helper carries the kernel's name. */
static void lint_body(const struct skip_family *family, const char *variant)
{
	char name[96], prefix[64];
	const char *body = skip_kernel_text(family->name, variant);
	snprintf(name, sizeof(name), "kernels/%s/%s.cl", family->name, variant);
	cr_assert(body != NULL, "%s is missing", name);
	int length = snprintf(prefix, sizeof(prefix), "SKIP_%s_", family->name);
	for (char *c = prefix; *c; c++) *c = (char)toupper((unsigned char)*c);
	lint(name, body);
	char *text = strip_comments(body);
	const char *at = text;
	for (size_t n; (n = next_word(&at)) > 0; at += n) {
		char word[128];
		snprintf(word, sizeof(word), "%.*s", (int)n, at);
		if (!strncmp(word, prefix, (size_t)length)) {
			const char *rest = word + length;
			bool given = !strcmp(rest, "NAME") || !strcmp(rest, "GROUP") || !strncmp(rest, "KERNEL_", 7);
			cr_expect(given || asks_for(text, word) || has_line(text, "define", word), "%s:%d: %s is never asked for", name,
				  line_of(text, at), word);
		}
		if (!strcmp(word, "define")) {
			const char *defined = at + n;
			size_t m = next_word(&defined);
			char macro[128];
			snprintf(macro, sizeof(macro), "%.*s", (int)m, defined);
			cr_expect(has_line(text, "undef", macro), "%s:%d: %s is left behind", name, line_of(text, at), macro);
		}
		if (!strcmp(word, "inline")) {
			const char *join = strstr(at, "SKIP_JOIN("), *brace = strchr(at, '{');
			cr_expect(join && join < brace, "%s:%d: a helper's name must come from SKIP_JOIN", name, line_of(text, at));
		}
	}
	cr_expect(strstr(text, "SKIP_REQUIRE(") != NULL, "%s states no limit", name);
	skip_free(text);
}

Test(lint, every_body_of_every_family)
{
	for (size_t f = 0; skip_families[f]; f++) {
		const struct skip_family *family = skip_families[f];
		bool generic = false;
		for (size_t v = 0; family->variants[v]; v++) {
			lint_body(family, family->variants[v]);
			generic = generic || !strcmp(family->variants[v], "generic");
		}
		cr_expect(generic, "family %s has no generic body", family->name);
	}
	for (const struct skip_embedded *file = skip_embedded_kernels; file->path; file++) {
		/* The one file that says in each vendor's words what the bodies say in macros. */
		if (!strcmp(file->path, "common/fpga.cl")) continue;
		if (!strncmp(file->path, "common/", 7) && strstr(file->path, ".cl")) lint(file->path, file->text);
	}
}

Test(lint, finds_what_it_is_for)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"float f(void) { return 0.5; }", "0.5"},    {"x = 1e3;", "1e3"},       {"x = 0x1.8p-3;", "hex"},          {"double x;", "double"},
		{"x = native_exp(y);", "native"},             {"half h;", "half"},       {"x = .25;", ".25"},
	};
	static const char *const good[] = {"x = 0.5f + 1e-3f + 0x1.8p-3f + 0x7fu + 12u;", "vload_half16(0, p)", "#define X 3", "a.s0 + b.lo"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *at = bad[i].text, *why = NULL;
		for (size_t n; (n = next_word(&at)) > 0 && !why; at += n) {
			char word[64];
			snprintf(word, sizeof(word), "%.*s", (int)n, at);
			why = why_forbidden(word);
		}
		cr_expect(why != NULL, "'%s' passes", bad[i].text);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) lint("good", good[i]);
	cr_expect(bad_function("inline int f() {", "inline int f() {") != NULL, "a plain inline function passes");
	const char *helper = "static inline int f(__global int *restrict p) {";
	cr_expect(bad_function(helper, strstr(helper, "inline")) != NULL, "restrict on a helper passes");
}

/* FPGA profiles only where `inference`: boards do not train. */
static void check_texts(const struct skip_profiles *profiles, const struct skip_graph *graph, bool inference)
{
	for (size_t p = 0; p < skip_profiles_count(profiles); p++) {
		const struct skip_profile *profile = skip_profiles_at(profiles, p);
		const bool fpga = !strcmp(profile->variants[0], "fpga");
		if (fpga && !inference) continue;
		struct skip_plan *plan = lower_for(profiles, profile->id, graph, NULL, 0);
		bool plain = !strstr(plan->options, "-cl-std") && !strstr(plan->options, "fast") && !strstr(plan->options, "unsafe");
		cr_expect(plain, "%s: options '%s'", profile->id, plan->options);
		for (size_t i = 0; i < plan->n_programs; i++) {
			if (!fpga) lint(plan->programs[i].name, plan->programs[i].text);
			cr_expect(strstr(plan->programs[i].text, "#include") == NULL, "%s: %s is not complete", profile->id, plan->programs[i].name);
		}
		for (size_t k = 0; k < plan->n_kernels; k++) {
			char line[SKIP_NAME + 32];
			cr_assert(plan->kernels[k].program >= 0 && (size_t)plan->kernels[k].program < plan->n_programs, "%s: kernel %s is in no program",
				  profile->id, plan->kernels[k].name);
			snprintf(line, sizeof(line), "_NAME %s\n", plan->kernels[k].name);
			cr_expect(strstr(plan->programs[plan->kernels[k].program].text, line) != NULL, "%s: no kernel %s", profile->id, plan->kernels[k].name);
		}
		skip_plan_destroy(plan);
	}
}

Test(emit, every_profile_gives_texts_of_the_dialect)
{
	struct skip_err err;
	struct skip_profiles *profiles = load_profiles();
	struct toy_options options = toy_defaults();
	options.prefix = 3;
	options.dtype = SKIP_F32;
	options.pooler = true;
	struct skip_graph *graph = toy_graph(&options), *fused = NULL;
	struct skip_backward backward;
	int wanted = skip_graph_find_value(graph, "logits");
	CHECK_OK(skip_pass_backward(graph, wanted, NULL, 0, &backward, &err));
	CHECK_OK(skip_pass_fuse(graph, false, &wanted, 1, &fused, &err));
	check_texts(profiles, backward.graph, false);
	check_texts(profiles, fused, true);
	skip_graph_destroy(fused);
	skip_backward_deinit(&backward);
	skip_graph_destroy(graph);
	skip_profiles_destroy(profiles);
}

Test(emit, twice_gives_the_same_bytes)
{
	struct skip_profiles *profiles = load_profiles();
	struct skip_graph *graph = linear_chain((const int[]){7, 61, 7, 13}, 4);
	struct skip_plan *a = lower_for(profiles, "pocl-x86-avx512", graph, NULL, 0), *b = lower_for(profiles, "pocl-x86-avx512", graph, NULL, 0);
	cr_assert(a->n_programs == b->n_programs && a->n_programs > 0, "%zu and %zu programs", a->n_programs, b->n_programs);
	for (size_t i = 0; i < a->n_programs; i++) {
		bool same = !strcmp(a->programs[i].text, b->programs[i].text) && !strcmp(a->programs[i].hash, b->programs[i].hash);
		cr_expect(same, "program %s differs", a->programs[i].name);
	}
	skip_plan_destroy(a);
	skip_plan_destroy(b);
	skip_graph_destroy(graph);
	skip_profiles_destroy(profiles);
}

Test(emit, the_hash_sees_constants_and_not_the_provenance)
{
	struct skip_err err;
	struct skip_profiles *profiles = load_profiles();
	struct skip_graph *graph = linear_chain((const int[]){7, 61}, 2), *other = linear_chain((const int[]){7, 62}, 2);
	struct skip_profile renamed = *skip_profiles_find(profiles, "generic");
	struct skip_plan *a = lower_for(profiles, "generic", graph, NULL, 0), *b = NULL, *c = lower_for(profiles, "generic", other, NULL, 0);
	strcpy(renamed.id, "elsewhere");
	CHECK_OK(skip_lower(graph, &renamed, NULL, 0, &b, &err));
	cr_expect(strcmp(a->programs[0].text, b->programs[0].text) != 0, "the profile is not named");
	cr_expect(strcmp(a->programs[0].hash, b->programs[0].hash) == 0, "provenance is hashed");
	cr_expect(strcmp(a->programs[0].hash, c->programs[0].hash) != 0, "dimensions are not hashed");
	skip_plan_destroy(a);
	skip_plan_destroy(b);
	skip_plan_destroy(c);
	skip_graph_destroy(graph);
	skip_graph_destroy(other);
	skip_profiles_destroy(profiles);
}

Test(spec, numbers_are_exact_and_names_are_short)
{
	struct skip_kernel_spec spec;
	skip_spec_init(&spec, "linear", "generic", "MAIN");
	skip_spec_int(&spec, "LINEAR_K", -3);
	skip_spec_float(&spec, "LINEAR_SCALE", 0.1f);
	skip_spec_float(&spec, "LINEAR_SHIFT", -2.0f);
	cr_expect_str_eq(spec.constant[0].text, "(-3)");
	cr_expect_str_eq(spec.constant[1].text, "0x1.99999ap-4f");
	cr_expect_str_eq(spec.constant[2].text, "(-0x1p+1f)");
	cr_expect(strtof(spec.constant[1].text, NULL) == 0.1f, "0.1f comes back as %s", spec.constant[1].text);
	cr_expect(spec.local[0] == 1 && spec.local[1] == 1 && spec.local[2] == 1, "a work-group is (1,1,1) unless a family says otherwise");
}
