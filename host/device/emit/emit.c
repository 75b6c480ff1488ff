/* Program texts from kernel specs: see emit.h. Bodies are never changed here; the only text made is the constants block. */
#include "device/emit/emit.h"
#include "base/alloc.h"
#include "base/embedded.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define COMMON_MAX 16
#define PROGRAM_NAME "kernels"

const char *skip_kernel_text(const char *folder, const char *file)
{
	char name[64];
	int n = snprintf(name, sizeof(name), "%s.cl", file);
	return n < 0 || (size_t)n >= sizeof(name) ? NULL : skip_kernel_file(folder, name);
}

const char *skip_kernel_file(const char *folder, const char *file)
{
	char path[128];
	int n = snprintf(path, sizeof(path), "%s/%s", folder, file);
	if (n < 0 || (size_t)n >= sizeof(path)) return NULL;
	for (const struct skip_embedded *entry = skip_embedded_kernels; entry->path; entry++) {
		if (!strcmp(entry->path, path)) return entry->text;
	}
	return NULL;
}

static const struct skip_family *find_family(const char *name)
{
	for (size_t i = 0; skip_families[i]; i++) {
		if (!strcmp(skip_families[i]->name, name)) return skip_families[i];
	}
	return NULL;
}

/* A shared file may build on others: a line #include "name.cl" is replaced by kernels/common/name.cl. */
static enum skip_status append_common(struct skip_buf *out, const char *file, struct skip_err *err)
{
	static const char include[] = "#include \"";
	const char *text = skip_kernel_text("common", file);
	if (!text) return skip_err_set(err, SKIP_ERR_INTERNAL, "kernels/common/%s.cl is missing", file);
	while (*text) {
		size_t length = strcspn(text, "\n");
		if (text[length] == '\n') length++;
		const char *name = text + sizeof(include) - 1;
		if (!strncmp(text, include, sizeof(include) - 1)) {
			char inner[64];
			int n = (int)strcspn(name, ".\"");
			snprintf(inner, sizeof(inner), "%.*s", n, name);
			enum skip_status status = append_common(out, inner, err);
			if (status != SKIP_OK) return status;
		} else {
			skip_buf_append(out, text, length);
		}
		text += length;
	}
	return SKIP_OK;
}

enum skip_status skip_emit_common(const char *const *files, struct skip_buf *out, struct skip_err *err)
{
	enum skip_status status = append_common(out, "base", err);
	for (; status == SKIP_OK && files && *files; files++) {
		skip_buf_puts(out, "\n");
		status = append_common(out, *files, err);
	}
	return status;
}

enum skip_status skip_family_version(const struct skip_family *family, char out[SKIP_SHA256_HEX], struct skip_err *err)
{
	struct skip_buf text;
	const size_t length = strlen(family->name);
	skip_buf_init(&text);
	enum skip_status status = skip_emit_common(family->common, &text, err);
	for (const struct skip_embedded *entry = skip_embedded_kernels; entry->path; entry++) {
		if (!strncmp(entry->path, family->name, length) && entry->path[length] == '/') skip_buf_printf(&text, "\n%s\n%s", entry->path, entry->text);
	}
	if (status == SKIP_OK && !skip_buf_ok(&text)) status = skip_err_set(err, SKIP_ERR_NOMEM, "texts of family '%s'", family->name);
	if (status == SKIP_OK) skip_sha256_hex(skip_buf_text(&text), text.length, out);
	skip_buf_deinit(&text);
	return status;
}

static void upper(const char *in, char *out, size_t size)
{
	size_t n = 0;
	for (; in[n] && n + 1 < size; n++) out[n] = (char)toupper((unsigned char)in[n]);
	out[n] = '\0';
}

enum skip_status skip_emit_body(const struct skip_kernel_spec *spec, const char *name, const char *file, char mark, struct skip_buf *out, struct skip_err *err)
{
	const char *body = skip_kernel_file(spec->family, file);
	if (!body) return skip_err_set(err, SKIP_ERR_INTERNAL, "kernels/%s/%s is missing", spec->family, file);
	char family[48];
	upper(spec->family, family, sizeof(family));
	skip_buf_printf(out, "\n%cdefine SKIP_%s_NAME %s\n", mark, family, name);
	skip_buf_printf(out, "%cdefine SKIP_%s_KERNEL_%s\n", mark, family, spec->body_kernel);
	skip_buf_printf(out, "%cdefine SKIP_%s_GROUP %d, %d, %d\n", mark, family, spec->local[0], spec->local[1], spec->local[2]);
	for (int i = 0; i < spec->n_constants; i++) {
		skip_buf_printf(out, "%cdefine SKIP_%s %s\n", mark, spec->constant[i].name, spec->constant[i].text);
	}
	skip_buf_puts(out, body);
	for (int i = spec->n_constants - 1; i >= 0; i--) skip_buf_printf(out, "%cundef SKIP_%s\n", mark, spec->constant[i].name);
	skip_buf_printf(out, "%cundef SKIP_%s_GROUP\n%cundef SKIP_%s_KERNEL_%s\n%cundef SKIP_%s_NAME\n", mark, family, mark, family, spec->body_kernel, mark, family);
	return SKIP_OK;
}

static enum skip_status emit_kernel(struct skip_buf *out, const struct skip_kernel_spec *spec, const char *name, struct skip_err *err)
{
	char file[32];
	snprintf(file, sizeof(file), "%.16s.cl", spec->variant);
	return skip_emit_body(spec, name, file, '#', out, err);
}

static enum skip_status add_file(const char *const *file, const char **files, size_t *n, struct skip_err *err)
{
	for (size_t i = 0; i < *n; i++) {
		if (!strcmp(files[i], *file)) return SKIP_OK;
	}
	if (*n == COMMON_MAX) return skip_err_set(err, SKIP_ERR_INTERNAL, "the families share more than %d files", COMMON_MAX);
	files[(*n)++] = *file;
	return SKIP_OK;
}

/* What programs are made of, and the kernels of the one being made, members of a team before it. */
struct texts {
	const struct skip_kernel_spec *specs;
	const struct skip_team *teams;
	size_t n_teams;
	struct skip_plan *plan;
	size_t *share, n_share; /* [plan->n_kernels] */
};

static const struct skip_team *team_of(const struct texts *texts, size_t kernel)
{
	for (size_t t = 0; t < texts->n_teams; t++) {
		if (texts->teams[t].kernel == (int)kernel) return &texts->teams[t];
	}
	return NULL;
}

static bool is_member(const struct texts *texts, size_t kernel)
{
	for (size_t t = 0; t < texts->n_teams; t++) {
		for (int m = 0; m < texts->teams[t].n_members; m++) {
			if (texts->teams[t].member[m] == (int)kernel) return true;
		}
	}
	return false;
}

/* Takes a kernel into the share; one that is launched by itself brings its members. */
static void take(struct texts *texts, size_t kernel)
{
	const struct skip_team *team = team_of(texts, kernel);
	for (int m = 0; team && m < team->n_members; m++) take(texts, (size_t)team->member[m]);
	for (size_t k = 0; k < texts->n_share; k++) {
		if (texts->share[k] == kernel) return;
	}
	texts->share[texts->n_share++] = kernel;
}

/*
 * The shared files of all kernels of the share, each once, in order of first use: those of the family, or kernels/common/<variant>.cl alone where there is
 * one, since then the variant's bodies are written in other terms than the rest.
 */
static enum skip_status emit_shared(const struct texts *texts, struct skip_buf *text, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const char *files[COMMON_MAX + 1] = {NULL};
	size_t n = 0;
	for (size_t i = 0; i < texts->n_share; i++) {
		const struct skip_kernel_spec *spec = &texts->specs[texts->share[i]];
		const char *const own[] = {team_of(texts, texts->share[i]) ? "team" : spec->variant, NULL};
		const char *const *file = own;
		if (!skip_kernel_text("common", own[0])) {
			const struct skip_family *family = find_family(spec->family);
			if (!family) return skip_err_set(err, SKIP_ERR_INTERNAL, "kernel %s names the unknown family '%s'", texts->plan->kernels[texts->share[i]].name, spec->family);
			file = family->common;
		}
		for (; file && *file; file++) SKIP_TRY(add_file(file, files, &n, err));
	}
	status = skip_emit_common(files, text, err);
cleanup:
	return status;
}

static enum skip_status emit_kernels(struct texts *texts, int program, struct skip_buf *text, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t i = 0; i < texts->n_share; i++) {
		const size_t k = texts->share[i];
		const struct skip_team *team = team_of(texts, k);
		texts->plan->kernels[k].program = program;
		if (team)
			skip_buf_puts(text, team->text);
		else if (!texts->specs[k].stage_of)
			SKIP_TRY(emit_kernel(text, &texts->specs[k], texts->plan->kernels[k].name, err));
	}
cleanup:
	return status;
}

static enum skip_status emit_program(struct texts *texts, int index, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_plan *plan = texts->plan;
	struct skip_plan_program *program = &plan->programs[index];
	struct skip_buf head, text;
	skip_buf_init(&head);
	skip_buf_init(&text);
	skip_buf_printf(&head, "/* Written by skip from kernels/ for profile %s; the hash of this program leaves this comment out. */\n", plan->profile);
	if (texts->n_teams) skip_buf_puts(&text, "#define SKIP_TEAM\n");
	SKIP_TRY(emit_shared(texts, &text, err));
	SKIP_TRY(emit_kernels(texts, index, &text, err));
	skip_buf_append(&head, skip_buf_text(&text), text.length);
	program->text = skip_buf_ok(&head) && skip_buf_ok(&text) ? skip_strdup(skip_buf_text(&head)) : NULL;
	if (!program->text) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "text of %zu kernels", texts->n_share));
	snprintf(program->name, sizeof(program->name), plan->n_programs == 1 ? PROGRAM_NAME : PROGRAM_NAME "-%d", index + 1);
	skip_sha256_hex(skip_buf_text(&text), text.length, program->hash);
cleanup:
	skip_buf_deinit(&head);
	skip_buf_deinit(&text);
	return status;
}

/* Deals what is launched to at most `most` programs, in order and of about as many kernels each; returns how many they are. of[k]: program of kernel k, SKIP_NONE of members. */
static size_t deal(const struct texts *texts, size_t most, int *of)
{
	const size_t n = texts->plan->n_kernels;
	size_t before = 0, program = 0;
	for (size_t k = 0; k < n; k++) {
		const struct skip_team *team = team_of(texts, k);
		of[k] = SKIP_NONE;
		if (is_member(texts, k)) continue;
		if (before >= (program + 1) * n / most) program++;
		of[k] = (int)program;
		before += 1 + (team ? (size_t)team->n_members : 0);
	}
	return program + 1;
}

enum skip_status skip_emit_programs(const struct skip_kernel_spec *specs, const struct skip_team *teams, size_t n_teams, size_t most, struct skip_plan *plan,
				    struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t n = plan->n_kernels;
	struct texts texts = {.specs = specs, .teams = teams, .n_teams = n_teams, .plan = plan};
	int *of = skip_alloc_array(n + 1, sizeof(*of));
	if (n == 0) goto cleanup;
	texts.share = skip_alloc_array(n, sizeof(*texts.share));
	plan->programs = skip_alloc_zeroed(n, sizeof(*plan->programs));
	if (!of || !texts.share || !plan->programs) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "programs of %zu kernels", n));
	plan->n_programs = deal(&texts, most ? (n + most - 1) / most : 1, of);
	for (size_t p = 0; p < plan->n_programs; p++) {
		texts.n_share = 0;
		for (size_t k = 0; k < n; k++) {
			if (of[k] == (int)p) take(&texts, k);
		}
		SKIP_TRY(emit_program(&texts, (int)p, err));
	}
cleanup:
	skip_free(texts.share);
	skip_free(of);
	return status;
}
