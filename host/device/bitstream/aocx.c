/*
 * .aocx: an ELF file, of 32 bits from aoc, of 64 from the emulator's runtime, whose sections hold text: .acl.board, .acl.version, .acl.kernel_arg_info.xml,
 * .acl.quartus_report. An ELF file without any .acl section is the runtime's own binary: container OTHER.
 */
#include "device/bitstream/binary.h"
#include "base/buf.h"
#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Where the two classes keep what is read. */
struct elf_class {
	size_t header, section;                                  /* sizes */
	size_t shoff, shentsize, shnum, shstrndx;                /* in the file's header */
	size_t name, type, offset, size;                         /* in a section's header */
	int word;                                                /* bytes of an offset */
};

static const struct elf_class classes[] = {
	{sizeof(Elf32_Ehdr), sizeof(Elf32_Shdr), offsetof(Elf32_Ehdr, e_shoff), offsetof(Elf32_Ehdr, e_shentsize), offsetof(Elf32_Ehdr, e_shnum), offsetof(Elf32_Ehdr, e_shstrndx),
	 offsetof(Elf32_Shdr, sh_name), offsetof(Elf32_Shdr, sh_type), offsetof(Elf32_Shdr, sh_offset), offsetof(Elf32_Shdr, sh_size), 4},
	{sizeof(Elf64_Ehdr), sizeof(Elf64_Shdr), offsetof(Elf64_Ehdr, e_shoff), offsetof(Elf64_Ehdr, e_shentsize), offsetof(Elf64_Ehdr, e_shnum), offsetof(Elf64_Ehdr, e_shstrndx),
	 offsetof(Elf64_Shdr, sh_name), offsetof(Elf64_Shdr, sh_type), offsetof(Elf64_Shdr, sh_offset), offsetof(Elf64_Shdr, sh_size), 8},
};

struct elf {
	struct skip_bytes file;
	const struct elf_class *class;
	uint64_t table, n, names; /* offset and length of the section table; the section with the names */
};

static enum skip_status open_elf(struct skip_bytes file, struct elf *out, struct skip_err *err)
{
	const int class = file.size > EI_DATA ? file.data[EI_CLASS] - ELFCLASS32 : -1;
	if (class < 0 || class > 1 || file.data[EI_DATA] != ELFDATA2LSB) return skip_err_at(err, SKIP_ERR_INPUT, NULL, 0, EI_CLASS, "an ELF file of neither 32 nor 64 bits, little endian");
	*out = (struct elf){.file = file, .class = &classes[class]};
	if (file.size < out->class->header) return skip_err_at(err, SKIP_ERR_INPUT, NULL, 0, 0, "the header of an ELF file is %zu bytes, the file has %zu", out->class->header, file.size);
	const uint64_t entry = skip_bytes_le(file.data + out->class->shentsize, 2);
	out->table = skip_bytes_le(file.data + out->class->shoff, out->class->word);
	out->n = skip_bytes_le(file.data + out->class->shnum, 2);
	out->names = skip_bytes_le(file.data + out->class->shstrndx, 2);
	if (out->n && (entry != out->class->section || out->table > file.size || out->n * entry > file.size - out->table || out->names >= out->n)) {
		return skip_err_at(err, SKIP_ERR_INPUT, NULL, 0, (int64_t)out->class->shoff, "the table of %" PRIu64 " sections at %" PRIu64 " has no room in %zu bytes", out->n, out->table,
				   file.size);
	}
	return SKIP_OK;
}

static enum skip_status section(const struct elf *elf, uint64_t i, struct skip_bytes *out, uint64_t *name, struct skip_err *err)
{
	const unsigned char *header = elf->file.data + elf->table + i * elf->class->section;
	const uint64_t offset = skip_bytes_le(header + elf->class->offset, elf->class->word), size = skip_bytes_le(header + elf->class->size, elf->class->word);
	const uint64_t type = skip_bytes_le(header + elf->class->type, 4);
	*name = skip_bytes_le(header + elf->class->name, 4);
	*out = (struct skip_bytes){NULL, 0};
	if (type == SHT_NULL || type == SHT_NOBITS) return SKIP_OK;
	if (offset > elf->file.size || size > elf->file.size - offset) {
		return skip_err_at(err, SKIP_ERR_INPUT, NULL, 0, header - elf->file.data, "section %" PRIu64 " (%" PRIu64 " bytes at %" PRIu64 ") reaches past the end, %zu", i, size, offset,
				   elf->file.size);
	}
	*out = (struct skip_bytes){elf->file.data + offset, (size_t)size};
	return SKIP_OK;
}

/* Text of a section, to its first zero or line end. */
static void copy_text(struct skip_bytes part, char *out, size_t size)
{
	size_t n = 0;
	while (n < part.size && n + 1 < size && part.data[n] != '\0' && part.data[n] != '\n') n++;
	if (n) memcpy(out, part.data, n);
	out[n] = '\0';
}

/* "Actual clock freq: 273.0" in the fitter's report. */
static double clock_of(struct skip_bytes part)
{
	static const char key[] = "Actual clock freq: ";
	const unsigned char *at = part.size ? memmem(part.data, part.size, key, sizeof(key) - 1) : NULL;
	char text[24];
	double mhz = 0;
	if (!at) return 0;
	at += sizeof(key) - 1;
	copy_text((struct skip_bytes){at, (size_t)(part.data + part.size - at)}, text, sizeof(text));
	return sscanf(text, "%lf", &mhz) == 1 && mhz > 0 && mhz < 5000 ? mhz : 0;
}

static enum skip_status read_part(const char *name, struct skip_bytes part, struct skip_binary *out, struct skip_err *err)
{
	if (strncmp(name, ".acl.", 5) != 0) return SKIP_OK;
	out->container = SKIP_CONTAINER_AOCX;
	if (strcmp(name, ".acl.board") == 0) copy_text(part, out->board, sizeof(out->board));
	if (strcmp(name, ".acl.version") == 0) copy_text(part, out->version, sizeof(out->version));
	if (strcmp(name, ".acl.quartus_report") == 0) out->clock_mhz = clock_of(part);
	if (strcmp(name, ".acl.kernel_arg_info.xml") == 0) return skip_binary_read_kernels(part, out, err);
	return SKIP_OK;
}

enum skip_status skip_binary_read_aocx(struct skip_bytes file, struct skip_binary *out, struct skip_err *err)
{
	struct elf elf;
	struct skip_bytes names = {NULL, 0}, part;
	uint64_t name;
	enum skip_status status;
	SKIP_TRY(open_elf(file, &elf, err));
	if (elf.n) SKIP_TRY(section(&elf, elf.names, &names, &name, err));
	for (uint64_t i = 0; i < elf.n; i++) {
		SKIP_TRY(section(&elf, i, &part, &name, err));
		if (name >= names.size || !memchr(names.data + name, '\0', names.size - name)) {
			return skip_err_at(err, SKIP_ERR_INPUT, NULL, 0, (int64_t)elf.table, "section %" PRIu64 " has no name", i);
		}
		SKIP_TRY(read_part((const char *)names.data + name, part, out, err));
	}
	if (out->container != SKIP_CONTAINER_AOCX) return SKIP_OK;
	const bool emulator = strcmp(out->board, "EmulatorDevice") == 0, simulator = strcmp(out->board, "SimulatorDevice") == 0;
	out->mode = emulator ? SKIP_MODE_EMULATED : simulator ? SKIP_MODE_SIMULATED : out->board[0] ? SKIP_MODE_HARDWARE : SKIP_MODE_UNKNOWN;
cleanup:
	return status;
}
