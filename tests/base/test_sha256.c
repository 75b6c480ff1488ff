#include "base/sha256.h"
#include "toy_bert.h"

/* FIPS 180-2 examples. */
Test(sha256, known_digests)
{
	char hex[SKIP_SHA256_HEX];
	skip_sha256_hex("", 0, hex);
	cr_assert(eq(str, hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
	skip_sha256_hex("abc", 3, hex);
	cr_assert(eq(str, hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

Test(sha256, file_and_memory_agree)
{
	struct skip_err err;
	char folder[512], a[SKIP_SHA256_HEX], b[SKIP_SHA256_HEX];
	static unsigned char data[16384 * 2 + 61];
	for (size_t i = 0; i < sizeof(data); i++) data[i] = (unsigned char)(i * 7);
	toy_folder(folder);
	toy_write_file(folder, "data", data, sizeof(data));
	skip_sha256_hex(data, sizeof(data), a);
	CHECK_OK(skip_sha256_file(toy_path(folder, "data"), b, &err));
	cr_assert(eq(str, a, b));
	CHECK_FAILS(skip_sha256_file(toy_path(folder, "absent"), b, &err), SKIP_ERR_IO);
	cr_assert(strstr(err.file, "absent") != NULL && strstr(err.message, "No such file") != NULL);
	CHECK_FAILS(skip_sha256_file(folder, b, &err), SKIP_ERR_IO);
	toy_folder_remove(folder);
}
