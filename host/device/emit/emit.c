/* Program texts from kernel specs: see emit.h. Bodies are never changed here; the only text made is the constants block. */
#include "device/emit/emit.h"
#include "base/alloc.h"
#include "base/embedded.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

const char *skip_kernel_text(const char *folder, const char *file)
{
	char path[128];
	int n = snprintf(path, sizeof(path), "%s/%s.cl", folder, file);
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

static void upper(const char *in, char *out, size_t size)
{
	size_t n = 0;
	for (; in[n] && n + 1 < size; n++) out[n] = (char)toupper((unsigned char)in[n]);
	out[n] = '\0';
}

static enum skip_status emit_kernel(struct skip_buf *out, const struct skip_kernel_spec *spec, const char *name, struct skip_err *err)
{
	const char *body = skip_kernel_text(spec->family, spec->variant);
	if (!body) return skip_err_set(err, SKIP_ERR_INTERNAL, "kernels/%s/%s.cl is missing", spec->family, spec->variant);
	char family[48];
	upper(spec->family, family, sizeof(family));
	skip_buf_printf(out, "\n#define SKIP_%s_NAME %s\n", family, name);
	skip_buf_printf(out, "#define SKIP_%s_KERNEL_%s\n", family, spec->body_kernel);
	skip_buf_printf(out, "#define SKIP_%s_GROUP %d, %d, %d\n", family, spec->local[0], spec->local[1], spec->local[2]);
	for (int i = 0; i < spec->n_constants; i++) {
		skip_buf_printf(out, "#define SKIP_%s %s\n", spec->constant[i].name, spec->constant[i].text);
	}
	skip_buf_puts(out, body);
	for (int i = spec->n_constants - 1; i >= 0; i--) skip_buf_printf(out, "#undef SKIP_%s\n", spec->constant[i].name);
	skip_buf_printf(out, "#undef SKIP_%s_GROUP\n#undef SKIP_%s_KERNEL_%s\n#undef SKIP_%s_NAME\n", family, family, spec->body_kernel, family);
	return SKIP_OK;
}

/* One program: all kernels of the plan whose spec is of `family`. */
static enum skip_status emit_program(const struct skip_kernel_spec *specs, struct skip_plan *plan, const struct skip_family *family,
				     struct skip_buf *head, struct skip_buf *text, struct skip_err *err)
{
	enum skip_status status;
	struct skip_plan_program *program = &plan->programs[plan->n_programs];
	skip_buf_printf(head, "/* Written by skip from kernels/%s for profile %s; the hash of this program leaves this comment out. */\n", family->name,
			plan->profile);
	SKIP_TRY(skip_emit_common(family->common, text, err));
	for (size_t k = 0; k < plan->n_kernels; k++) {
		if (strcmp(specs[k].family, family->name)) continue;
		SKIP_TRY(emit_kernel(text, &specs[k], plan->kernels[k].name, err));
		plan->kernels[k].program = (int)plan->n_programs;
	}
	skip_buf_append(head, skip_buf_text(text), text->length);
	if (!skip_buf_ok(head) || !skip_buf_ok(text)) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "text of program '%s'", family->name);
		goto cleanup;
	}
	snprintf(program->name, sizeof(program->name), "%s", family->name);
	skip_sha256_hex(skip_buf_text(text), text->length, program->hash);
	program->text = skip_strdup(skip_buf_text(head));
	if (!program->text) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "text of program '%s'", family->name);
		goto cleanup;
	}
	plan->n_programs++;
	status = SKIP_OK;
cleanup:
	return status;
}

enum skip_status skip_emit_programs(const struct skip_kernel_spec *specs, struct skip_plan *plan, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	size_t capacity = 0;
	for (size_t k = 0; k < plan->n_kernels; k++) {
		if (plan->kernels[k].program != SKIP_NONE) continue;
		const struct skip_family *family = find_family(specs[k].family);
		if (!family) return skip_err_set(err, SKIP_ERR_INTERNAL, "kernel %s names the unknown family '%s'", plan->kernels[k].name, specs[k].family);
		if (!skip_grow((void **)&plan->programs, &capacity, plan->n_programs + 1, sizeof(*plan->programs))) {
			return skip_err_set(err, SKIP_ERR_NOMEM, "program %zu of the plan", plan->n_programs);
		}
		struct skip_buf head, text;
		skip_buf_init(&head);
		skip_buf_init(&text);
		status = emit_program(specs, plan, family, &head, &text, err);
		skip_buf_deinit(&head);
		skip_buf_deinit(&text);
		if (status != SKIP_OK) return status;
	}
	return status;
}
