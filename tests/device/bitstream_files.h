/* Built files as vendors' tools lay them out, made of a kernel set by the test: .xclbin (axlf) and .aocx (ELF of 32 bits with .acl sections). */
#ifndef SKIP_TESTS_BITSTREAM_FILES_H
#define SKIP_TESTS_BITSTREAM_FILES_H

#include "base/buf.h"
#include "device/emit/kernelset.h"
#include <elf.h>
#include <stdint.h>
#include <string.h>

/* What the file says of itself. */
struct file_says {
	const char *board, *version, *hash; /* hash: xclbin; NULL leaves the section out */
	int mode;                           /* xclbin */
	const char *leave_out, *add;        /* a kernel */
	const char *rename_arg;             /* the first argument of every kernel is called so */
	bool flip_arg, drop_arg;            /* it is a value instead of a pointer; it is missing */
};

static inline void put(struct skip_buf *out, size_t at, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++) out->data[at + (size_t)i] = (char)(value >> (8 * i));
}

static inline void zeros(struct skip_buf *out, size_t n)
{
	for (; n; n--) skip_buf_append(out, "", 1);
}

static inline void kernel_xml(const struct skip_kernel_set *set, const struct file_says *says, bool intel, struct skip_buf *out)
{
	size_t k, a;
	json_t *kernel, *arg;
	json_array_foreach(json_object_get(set->manifest, "kernels"), k, kernel)
	{
		const char *name = json_string_value(json_object_get(kernel, "name"));
		if (says->leave_out && strcmp(says->leave_out, name) == 0) continue;
		skip_buf_printf(out, "<kernel name=\"%s\">", name);
		json_array_foreach(json_object_get(kernel, "args"), a, arg)
		{
			const char *type = json_string_value(json_object_get(arg, "type")), *called = json_string_value(json_object_get(arg, "name"));
			bool pointer = strcmp(type, "pointer") == 0;
			if (a == 0 && says->drop_arg) continue;
			if (a == 0 && says->flip_arg) pointer = !pointer;
			if (a == 0 && says->rename_arg) called = says->rename_arg;
			if (intel)
				skip_buf_printf(out, "<argument index=\"%zu\" name=\"%s\" type_name=\"x\" opencl_access_type=\"%d\"/>", a, called, pointer ? 2 : 0);
			else
				skip_buf_printf(out, "<arg name=\"%s\" addressQualifier=\"%d\" id=\"%zu\" size=\"0x8\"/>", called, pointer, a);
		}
		skip_buf_puts(out, "</kernel>");
	}
	if (says->add) skip_buf_printf(out, "<kernel name=\"%s\"/>", says->add);
}

/* ---- xclbin ---- */

static inline void add_section(struct skip_buf *out, int index, int kind, const char *data, size_t size)
{
	const size_t header = 456 + 40 * (size_t)index, at = out->length;
	skip_buf_append(out, data, size);
	zeros(out, (8 - size % 8) % 8);
	put(out, header, (uint64_t)kind, 4);
	put(out, header + 24, at, 8);
	put(out, header + 32, size, 8);
}

static inline void make_xclbin(const struct skip_kernel_set *set, const struct file_says *says, struct skip_buf *out)
{
	enum { SECTIONS = 5 };
	struct skip_buf xml, text;
	char clocks[2 + 136] = {1, 0, (char)(236 & 0xff), 0, 1};
	skip_buf_init(&xml);
	skip_buf_init(&text);
	zeros(out, 456 + 40 * SECTIONS);
	memcpy(out->data, "xclbin2", 7);
	put(out, 332, (uint64_t)says->mode, 2);
	memcpy(out->data + 352, says->board, strlen(says->board));
	memset(out->data + 416, 0xab, 16);
	put(out, 448, SECTIONS, 4);
	skip_buf_puts(&xml, "<?xml version=\"1.0\"?><project><platform><device><core target=\"hw\">");
	kernel_xml(set, says, false, &xml);
	skip_buf_puts(&xml, "</core></device></platform></project>");
	add_section(out, 0, 0, "bits", 4);
	add_section(out, 1, 2, xml.data, xml.length + 1);
	add_section(out, 2, 11, clocks, sizeof(clocks));
	skip_buf_printf(&text, "{\"build_metadata\":{\"xclbin\":{\"generated_by\":{\"name\":\"v++\",\"version\":\"%s\"}}}}", says->version);
	add_section(out, 3, 14, text.data, text.length + 1);
	skip_buf_clear(&text);
	skip_buf_printf(&text, "{\"keyvalue_metadata\":{\"key_values\":[{\"key\":\"%s\",\"value\":\"%s\"}]}}", says->hash ? "skip_manifest" : "other", says->hash ? says->hash : "1");
	add_section(out, 4, 15, text.data, text.length);
	put(out, 304, out->length, 8);
	skip_buf_deinit(&xml);
	skip_buf_deinit(&text);
}

/* ---- aocx ---- */

static inline void make_aocx(const struct skip_kernel_set *set, const struct file_says *says, struct skip_buf *out)
{
	static const char names[] = "\0.shstrtab\0.acl.board\0.acl.version\0.acl.kernel_arg_info.xml\0.acl.quartus_report\0.other";
	static const char fitted[] = "ALUTs: 1\nActual clock freq: 273.5\nKernel fmax: 300\n";
	struct skip_buf xml;
	skip_buf_init(&xml);
	skip_buf_puts(&xml, "<board>");
	kernel_xml(set, says, true, &xml);
	skip_buf_puts(&xml, "</board>");
	const struct {
		const char *name, *data;
		size_t size;
	} parts[] = {
		{".shstrtab", names, sizeof(names)},   {".acl.board", says->board, strlen(says->board)}, {".acl.version", says->version, strlen(says->version)},
		{".acl.kernel_arg_info.xml", xml.data, xml.length}, {".acl.quartus_report", fitted, sizeof(fitted) - 1},   {".other", "x", 1},
	};
	enum { PARTS = sizeof(parts) / sizeof(parts[0]) };
	Elf32_Ehdr head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT}, .e_shentsize = sizeof(Elf32_Shdr), .e_shnum = PARTS + 1, .e_shstrndx = 1};
	Elf32_Shdr section[PARTS + 1] = {{0}};
	skip_buf_append(out, (const char *)&head, sizeof(head));
	for (size_t i = 0; i < PARTS; i++) {
		size_t at = 0;
		while (strcmp(names + at, parts[i].name) != 0) at += strlen(names + at) + 1;
		section[i + 1] = (Elf32_Shdr){.sh_name = (Elf32_Word)at, .sh_type = SHT_PROGBITS, .sh_offset = (Elf32_Off)out->length, .sh_size = (Elf32_Word)parts[i].size};
		skip_buf_append(out, parts[i].data, parts[i].size);
	}
	head.e_shoff = (Elf32_Off)out->length;
	memcpy(out->data, &head, sizeof(head));
	skip_buf_append(out, (const char *)section, sizeof(section));
	skip_buf_deinit(&xml);
}

#endif
