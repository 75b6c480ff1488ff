/* Board files: all of them load, match as the table says, and a wrong one is refused with file and field. */
#include "base/file.h"
#include "check.h"
#include "device/profile/profile.h"
#include "lower_graph.h"
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256];

static void make_folder(void)
{
	snprintf(folder, sizeof(folder), "%s/boards-test-XXXXXX", getenv("SKIP_TEST_BINARY") ? getenv("SKIP_TEST_BINARY") : "/tmp");
	cr_assert(mkdtemp(folder) != NULL);
}

static void remove_folder(void)
{
	char command[300];
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (folder[0]) cr_expect(system(command) == 0);
}

TestSuite(profile, .fini = remove_folder);

static void put(const char *name, const char *text)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

#define FORMS                                                                                                                              \
	"\"forms\":{\"variants\":[\"generic\"],\"vec\":4,\"mr\":[4],\"nv\":1,\"block\":1,\"chunk\":0,\"bf16\":[\"generic\"],\"int8\":[\"generic\"],\"query_block\":4,\"key_align\":4,\"round_ffn\":4,\"round_"   \
	"head\":4}"
#define GENERIC "{\"schema\":1,\"id\":\"generic\",\"title\":\"Any\",\"kind\":\"custom\",\"compile\":{\"options\":[]}," FORMS "}"

static struct skip_profiles *load_boards(void)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	char path[512];
	const char *source = getenv("SKIP_TEST_SOURCE");
	cr_assert(source != NULL);
	snprintf(path, sizeof(path), "%s/boards", source);
	CHECK_OK(skip_profiles_load(path, &profiles, &err));
	return profiles;
}

static struct skip_device_facts facts_of(const char *platform, const char *name, const char *vendor, const char *type)
{
	struct skip_device_facts facts;
	memset(&facts, 0, sizeof(facts));
	snprintf(facts.platform, sizeof(facts.platform), "%s", platform);
	snprintf(facts.name, sizeof(facts.name), "%s", name);
	snprintf(facts.vendor, sizeof(facts.vendor), "%s", vendor);
	snprintf(facts.type, sizeof(facts.type), "%s", type);
	return facts;
}

static const char *matched(const struct skip_profiles *profiles, const struct skip_device_facts *facts)
{
	struct skip_err err;
	const struct skip_profile *profile = NULL;
	CHECK_OK(skip_profiles_match(profiles, facts, &profile, &err));
	return profile->id;
}

Test(profile, devices_match_as_the_table_says)
{
	static const struct {
		const char *platform, *name, *vendor, *type, *id;
	} cases[] = {
	    {"Portable Computing Language", "pthread-skylake-avx512-X", "GenuineIntel", "cpu", "pocl-generic"},
	    {"Portable Computing Language", "NVIDIA A100", "NVIDIA", "gpu", "generic"},
	    {"NVIDIA CUDA", "NVIDIA H100 80GB HBM3", "NVIDIA Corporation", "gpu", "nvidia-generic"},
	    {"AMD Accelerated Parallel Processing", "gfx90a", "Advanced Micro Devices, Inc.", "gpu", "amd-generic"},
	    {"rusticl", "AMD Radeon RX 6600 (radeonsi)", "AMD", "gpu", "amd-generic"},
	    {"rusticl", "llvmpipe (LLVM 15.0.6, 256 bits)", "Mesa/X.org", "cpu", "rusticl"},
	    {"Intel(R) OpenCL Graphics", "Intel(R) Arc(TM) A770", "Intel(R) Corporation", "gpu", "intel-gpu-generic"},
	    {"Intel(R) OpenCL", "Some CPU", "Intel(R) Corporation", "cpu", "generic"},
	    {"Oclgrind", "Oclgrind Simulator", "Oclgrind", "gpu", "oclgrind"},
	    {"Oclgrind", "Oclgrind Simulator 2", "Oclgrind", "gpu", "generic"},
	    {"Something new", "Device", "Vendor", "accel", "generic"},
	    {"", "", "", "", "generic"},
	};
	struct skip_profiles *profiles = load_boards();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct skip_device_facts facts = facts_of(cases[i].platform, cases[i].name, cases[i].vendor, cases[i].type);
		cr_expect(strcmp(matched(profiles, &facts), cases[i].id) == 0, "%s / %s matches %s, expected %s", cases[i].platform,
			  cases[i].name, matched(profiles, &facts), cases[i].id);
	}
	skip_profiles_destroy(profiles);
}

/* Not even a device that fits nothing else; and a child is matched again. */
Test(profile, by_name_matches_no_device)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	make_folder();
	put("generic.json", GENERIC);
	put("named.json", "{\"schema\":1,\"id\":\"named\",\"extends\":\"generic\",\"by_name\":true,\"match\":[{\"platform\":\"P\"}]}");
	put("child.json", "{\"schema\":1,\"id\":\"child\",\"extends\":\"named\",\"match\":[{\"platform\":\"Q\"}]}");
	CHECK_OK(skip_profiles_load(folder, &profiles, &err));
	struct skip_device_facts facts = facts_of("P", "d", "v", "cpu");
	cr_expect(strcmp(matched(profiles, &facts), "generic") == 0, "%s", matched(profiles, &facts));
	cr_expect(skip_profile_holds(skip_profiles_find(profiles, "named"), &facts));
	facts = facts_of("Q", "d", "v", "cpu");
	cr_expect(strcmp(matched(profiles, &facts), "child") == 0, "%s", matched(profiles, &facts));
	skip_profiles_destroy(profiles);
}

Test(profile, host_cpu_decides_for_local_devices)
{
	struct skip_profiles *profiles = load_boards();
	struct skip_device_facts facts = facts_of("Portable Computing Language", "cpu-anything", "AuthenticAMD", "cpu");
	const char *expected = "pocl-generic";
	facts.local_cpu = true;
	if (skip_cpu_has("avx2") && skip_cpu_has("fma")) {
		expected = "pocl-x86-avx2";
		if (skip_cpu_has("avx512f")) expected = "pocl-x86-avx512";
		if (skip_cpu_has("avx512f") && skip_cpu_has("avx512vnni")) expected = "pocl-x86-avx512-vnni";
		if (skip_cpu_has("avx512f") && skip_cpu_has("avx512vnni") && skip_cpu_has("avx512_bf16")) expected = "pocl-x86-avx512-bf16";
		/* Tiles need the system's permission, too. */
		if (!strcmp(expected, "pocl-x86-avx512-bf16") && skip_cpu_has("amx_tile") && skip_cpu_has("amx_bf16") && skip_cpu_has("amx_int8")) expected = "pocl-x86-amx";
	}
	cr_expect(strcmp(matched(profiles, &facts), expected) == 0, "%s, expected %s", matched(profiles, &facts), expected);
	cr_expect(skip_cpu_has("avx9000") == false && skip_cpu_knows("avx9000") == false && skip_cpu_knows("avx2"));
	skip_profiles_destroy(profiles);
}

/* Facts an entry of `match` was written for: its globs without the stars. */
static struct skip_device_facts facts_for(const json_t *entry)
{
	const char *text[4], *key[4] = {"platform", "device", "vendor", "type"}, *board = json_string_value(json_object_get(entry, "embedded_board"));
	char plain[4][256];
	for (int i = 0; i < 4; i++) {
		size_t n = 0;
		text[i] = json_string_value(json_object_get(entry, key[i]));
		for (const char *at = text[i] ? text[i] : "x"; *at; at++) {
			if (*at != '*') plain[i][n++] = *at;
		}
		plain[i][n] = '\0';
	}
	struct skip_device_facts facts = facts_of(plain[0], plain[1], plain[2], plain[3]);
	facts.local_cpu = true;
	snprintf(facts.embedded_board, sizeof(facts.embedded_board), "%s", board ? board : "");
	return facts;
}

static bool host_has_all(const json_t *features)
{
	for (size_t i = 0; i < json_array_size(features); i++) {
		if (!skip_cpu_has(json_string_value(json_array_get(features, i)))) return false;
	}
	return true;
}

Test(profile, every_entry_holds_for_its_device_without_a_tie)
{
	struct skip_profiles *profiles = load_boards();
	cr_assert(skip_profiles_count(profiles) >= 10);
	for (size_t i = 0; i < skip_profiles_count(profiles); i++) {
		const struct skip_profile *profile = skip_profiles_at(profiles, i);
		const json_t *match = json_object_get(profile->json, "match");
		cr_expect(skip_profiles_find(profiles, profile->id) == profile);
		for (size_t m = 0; m < json_array_size(match); m++) {
			const json_t *entry = json_array_get(match, m);
			struct skip_device_facts facts = facts_for(entry);
			if (!host_has_all(json_object_get(entry, "cpu_features"))) continue;
			cr_expect(skip_profile_holds(profile, &facts), "%s, entry %zu", profile->id, m);
			cr_expect(strcmp(matched(profiles, &facts), "generic") != 0, "%s, entry %zu", profile->id, m);
		}
	}
	skip_profiles_destroy(profiles);
}

/* A value at a JSON pointer without escapes. */
static const json_t *at_pointer(const json_t *at, const char *pointer)
{
	char copy[256];
	snprintf(copy, sizeof(copy), "%s", pointer);
	for (char *part = strtok(copy, "/"); part && at; part = strtok(NULL, "/")) {
		at = json_is_array(at) ? json_array_get(at, strtoul(part, NULL, 10)) : json_object_get(at, part);
	}
	return at;
}

Test(profile, provenance_names_values_and_sources_that_exist)
{
	struct skip_profiles *profiles = load_boards();
	int seen = 0;
	for (size_t i = 0; i < skip_profiles_count(profiles); i++) {
		const struct skip_profile *profile = skip_profiles_at(profiles, i);
		json_t *entry;
		const char *pointer;
		json_object_foreach(json_object_get(profile->json, "provenance"), pointer, entry)
		{
			const char *status = json_string_value(json_object_get(entry, "status")),
				   *id = json_string_value(json_object_get(entry, "source"));
			const json_t *sources = json_object_get(profile->json, "sources");
			bool found = false;
			for (size_t s = 0; s < json_array_size(sources); s++) {
				found |= strcmp(json_string_value(json_object_get(json_array_get(sources, s), "id")), id) == 0;
			}
			cr_expect(at_pointer(profile->json, pointer) != NULL, "%s: nothing at %s", profile->id, pointer);
			cr_expect(found, "%s: no source %s", profile->id, id);
			cr_expect(strcmp(status, "verified") == 0 || strcmp(status, "unverified") == 0, "%s: status %s", profile->id,
				  status);
			seen++;
		}
	}
	cr_expect(seen > 0);
	skip_profiles_destroy(profiles);
}

Test(profile, compiled_in_set_is_the_folder)
{
	struct skip_err err;
	struct skip_profiles *files = load_boards(), *embedded = NULL;
	unsetenv("SKIP_BOARDS");
	CHECK_OK(skip_profiles_load(NULL, &embedded, &err));
	cr_assert(skip_profiles_count(files) == skip_profiles_count(embedded));
	for (size_t i = 0; i < skip_profiles_count(files); i++) {
		cr_expect(json_equal(skip_profiles_at(files, i)->json, skip_profiles_at(embedded, i)->json), "%s",
			  skip_profiles_at(files, i)->id);
	}
	skip_profiles_destroy(files);
	skip_profiles_destroy(embedded);
}

Test(profile, children_merge_with_their_parents)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	make_folder();
	put("generic.json", GENERIC);
	put("p.json", "{\"schema\":1,\"id\":\"p\",\"extends\":\"generic\",\"kind\":\"cpu\",\"match\":[{\"platform\":\"P\"}],"
		      "\"compile\":{\"options\":[\"-a\",\"-b\"]},\"forms\":{\"vec\":8,\"key_align\":16},"
		      "\"sources\":[{\"id\":\"s\"}],\"provenance\":{\"/forms/vec\":{\"source\":\"s\",\"status\":\"verified\"},"
		      "\"/forms/key_align\":{\"source\":\"s\",\"status\":\"verified\"}}}");
	put("c.json", "{\"schema\":1,\"id\":\"c\",\"extends\":\"p\",\"title\":\"Child\",\"forms\":{\"vec\":16,\"mr\":[12,8]},\"sources\":[{"
		      "\"id\":\"t\"}]}");
	put("README.md", "not a profile");
	put(".hidden.json", "nor this");
	CHECK_OK(skip_profiles_load(folder, &profiles, &err));
	cr_assert(skip_profiles_count(profiles) == 3);
	const struct skip_profile *c = skip_profiles_find(profiles, "c"), *p = skip_profiles_find(profiles, "p");
	cr_expect(strcmp(c->title, "Child") == 0 && strcmp(p->title, "Any") == 0);
	cr_expect(c->kind == SKIP_PROFILE_CPU && c->vec == 16 && p->vec == 8 && c->key_align == 16 && c->nv == 1);
	cr_expect(c->n_mr == 2 && c->mr[0] == 12 && c->mr[1] == 8 && p->n_mr == 1);
	cr_expect(strcmp(c->options, "-a -b") == 0);
	cr_expect(json_array_size(json_object_get(c->json, "sources")) == 2);
	/* The child's own number is not what the parent's source vouched for. */
	const json_t *provenance = json_object_get(c->json, "provenance");
	cr_expect(json_object_get(provenance, "/forms/vec") == NULL);
	cr_expect(json_object_get(provenance, "/forms/key_align") != NULL);
	/* `match` stays with the parent. */
	struct skip_device_facts facts = facts_of("P", "d", "v", "cpu");
	cr_expect(strcmp(matched(profiles, &facts), "p") == 0);
	cr_expect(skip_profile_holds(c, &facts) == false);
	skip_profiles_destroy(profiles);
}

Test(profile, conditions_all_have_to_hold_and_most_wins)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	make_folder();
	put("generic.json", GENERIC);
	put("a.json", "{\"schema\":1,\"id\":\"a\",\"extends\":\"generic\",\"match\":[{\"platform\":\"Plat*\"}]}");
	put("b.json", "{\"schema\":1,\"id\":\"b\",\"extends\":\"generic\",\"match\":[{\"platform\":\"Platform*\"}]}");
	put("c.json", "{\"schema\":1,\"id\":\"c\",\"extends\":\"generic\",\"match\":[{\"platform\":\"P*\",\"driver_min\":\"3.1\",\"driver_"
		      "max\":\"4.10\"}]}");
	put("d.json", "{\"schema\":1,\"id\":\"d\",\"extends\":\"generic\",\"match\":[{\"platform\":\"*\",\"extensions\":[\"cl_a\",\"cl_b\","
		      "\"cl_c\"]},"
		      "{\"device\":\"dev?\",\"type\":\"gpu\",\"vendor\":\"V\",\"version\":\"OpenCL 3*\"}]}");
	CHECK_OK(skip_profiles_load(folder, &profiles, &err));
	struct skip_device_facts facts = facts_of("Platform X", "device", "V", "gpu");
	cr_expect(strcmp(matched(profiles, &facts), "b") == 0, "longer text wins");
	const struct {
		const char *driver, *id;
	} drivers[] = {{"3.1+debian", "c"}, {"3.0.9", "b"},  {"4.9", "c"},  {"4.10", "c"},
		       {"4.11", "b"},	    {"4.10.1", "b"}, {"v3.1", "c"}, {"10", "b"}};
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		snprintf(facts.driver, sizeof(facts.driver), "%s", drivers[i].driver);
		cr_expect(strcmp(matched(profiles, &facts), drivers[i].id) == 0, "driver %s: %s", drivers[i].driver,
			  matched(profiles, &facts));
	}
	snprintf(facts.extensions, sizeof(facts.extensions), "cl_a cl_bb cl_c");
	cr_expect(strcmp(matched(profiles, &facts), "b") == 0, "a part of a word is no extension");
	snprintf(facts.extensions, sizeof(facts.extensions), "cl_bb cl_a cl_c cl_b");
	cr_expect(strcmp(matched(profiles, &facts), "d") == 0, "four conditions");
	snprintf(facts.extensions, sizeof(facts.extensions), "cl_a");
	snprintf(facts.name, sizeof(facts.name), "dev7");
	snprintf(facts.version, sizeof(facts.version), "OpenCL 3.0 X");
	cr_expect(strcmp(matched(profiles, &facts), "d") == 0, "the second entry");
	skip_profiles_destroy(profiles);
}

Test(profile, a_tie_is_an_error)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	const struct skip_profile *profile = NULL;
	make_folder();
	put("generic.json", GENERIC);
	put("a.json", "{\"schema\":1,\"id\":\"a\",\"extends\":\"generic\",\"match\":[{\"platform\":\"AB*\"}]}");
	put("b.json", "{\"schema\":1,\"id\":\"b\",\"extends\":\"generic\",\"match\":[{\"platform\":\"*BC\"}]}");
	CHECK_OK(skip_profiles_load(folder, &profiles, &err));
	struct skip_device_facts facts = facts_of("ABC", "d", "v", "cpu");
	CHECK_FAILS(skip_profiles_match(profiles, &facts, &profile, &err), SKIP_ERR_INPUT);
	cr_expect(strstr(err.message, "\"a\"") && strstr(err.message, "\"b\""), "%s", err.message);
	facts = facts_of("AB", "d", "v", "cpu");
	cr_expect(strcmp(matched(profiles, &facts), "a") == 0);
	skip_profiles_destroy(profiles);
}

/* A child of `generic` with one thing wrong. */
#define CHILD_OF(id, parent, rest) "{\"schema\":1,\"id\":\"" id "\",\"extends\":\"" parent "\"," rest "}"
#define CHILD(rest) CHILD_OF("x", "generic", rest)

Test(profile, wrong_files_are_refused_with_file_and_field)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
	    {"", "not JSON"},
	    {"[]", "expected an object"},
	    {"{\"schema\":1,\"schema\":1}", "duplicate"},
	    {"{\"id\":\"x\"}", "\"schema\" is missing"},
	    {"{\"schema\":2,\"id\":\"x\"}", "\"schema\": 2 is newer"},
	    {"{\"schema\":0,\"id\":\"x\"}", "\"schema\""},
	    {"{\"schema\":\"1\",\"id\":\"x\"}", "\"schema\""},
	    {"{\"schema\":1,\"id\":\"x\",\"title\":\"t\",\"kind\":\"cpu\"}", "\"forms\" is missing"},
	    {"{\"schema\":1,\"extends\":\"generic\"}", "\"id\": expected \"x\""},
	    {"{\"schema\":1,\"id\":\"x\",\"extends\":\"nobody\"}", "there is no profile \"nobody\""},
	    {"{\"schema\":1,\"id\":\"x\",\"extends\":\"x\"}", "a cycle"},
	    {"{\"schema\":1,\"id\":\"x\",\"extends\":7}", "\"extends\""},
	    {CHILD("\"kind\":\"toaster\""), "\"kind\": expected cpu"},
	    {CHILD("\"kind\":3"), "\"kind\""},
	    {CHILD("\"colour\":3"), "\"colour\": unknown field"},
	    {CHILD("\"by_name\":3"), "\"by_name\""},
	    {CHILD("\"forms\":3"), "\"forms\""},
	    {CHILD("\"forms\":{\"mrr\":[4]}"), "\"forms.mrr\": unknown field"},
	    {CHILD("\"forms\":{\"mr\":[]}"), "\"forms.mr\""},
	    {CHILD("\"forms\":{\"mr\":[4,8]}"), "\"forms.mr[1]\""},
	    {CHILD("\"forms\":{\"mr\":[8,8]}"), "\"forms.mr[1]\""},
	    {CHILD("\"forms\":{\"mr\":[65]}"), "\"forms.mr[0]\""},
	    {CHILD("\"forms\":{\"mr\":[9,8,7,6,5]}"), "\"forms.mr\""},
	    {CHILD("\"forms\":{\"mr\":[\"8\"]}"), "\"forms.mr[0]\""},
	    {CHILD("\"forms\":{\"mr\":8}"), "\"forms.mr\""},
	    {CHILD("\"forms\":{\"vec\":5}"), "\"forms.vec\""},
	    {CHILD("\"forms\":{\"vec\":4000000000}"), "\"forms.vec\""},
	    {CHILD("\"forms\":{\"vec\":8}"), "\"forms.key_align\""},
	    {CHILD("\"forms\":{\"nv\":0}"), "\"forms.nv\""},
	    {CHILD("\"forms\":{\"nv\":null}"), "\"forms.nv\""},
	    {CHILD("\"forms\":{\"query_block\":0}"), "\"forms.query_block\""},
	    {CHILD("\"forms\":{\"block\":0}"), "\"forms.block\""},
	    {CHILD("\"forms\":{\"tiles\":{}}"), "\"forms.tiles\""},
	    {CHILD("\"forms\":{\"tiles\":[3]}"), "\"forms.tiles[0].family\""},
	    {CHILD("\"forms\":{\"tiles\":[{\"family\":\"f\",\"shape\":\"\",\"tile\":\"t\"}]}"), "\"forms.tiles[0].shape\""},
	    {CHILD("\"forms\":{\"tiles\":[{\"family\":\"f\",\"shape\":\"s\",\"tile\":8}]}"), "\"forms.tiles[0].tile\""},
	    {CHILD("\"forms\":{\"tiles\":[{\"family\":\"f\",\"shape\":\"s\",\"tile\":\"t\",\"mr\":8}]}"), "\"forms.tiles[0].mr\": unknown field"},
	    {CHILD("\"forms\":{\"tiles\":[{\"family\":\"f\",\"shape\":\"s\",\"tile\":\"t\"},{\"family\":\"f\",\"shape\":\"s\",\"tile\":\"u\"}]}"),
	     "\"forms.tiles[1].shape\": \"s\" has a tile already"},
	    {CHILD("\"forms\":{\"int8\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}"), "\"forms.int8\""},
	    {CHILD("\"forms\":{\"int8\":\"portable\"}"), "\"forms.int8\""},
	    {CHILD("\"forms\":{\"bf16\":[1]}"), "\"forms.bf16[0]\""},
	    {CHILD("\"forms\":{\"round_ffn\":-1}"), "\"forms.round_ffn\""},
	    {CHILD("\"forms\":{\"round_head\":1.5}"), "\"forms.round_head\""},
	    {CHILD("\"forms\":{\"variants\":[\"cpu\"]}"), "\"forms.variants\": the last must be \"generic\""},
	    {CHILD("\"forms\":{\"variants\":[]}"), "\"forms.variants\""},
	    {CHILD("\"forms\":{\"variants\":[\"a-name-that-is-too-long\",\"generic\"]}"), "\"forms.variants[0]\""},
	    {CHILD("\"forms\":{\"variants\":[1,\"generic\"]}"), "\"forms.variants[0]\""},
	    {CHILD("\"compile\":{\"options\":[\"D=1\"]}"), "\"compile.options[0]\""},
	    {CHILD("\"compile\":{\"options\":\"-D\"}"), "\"compile.options\""},
	    {CHILD("\"compile\":{\"flags\":[]}"), "\"compile.flags\": unknown field"},
	    {CHILD("\"forms\":{\"combine\":\"ffn\"}"), "\"forms.combine\""},
	    {CHILD("\"forms\":{\"combine\":[\"conv\"]}"), "\"forms.combine[0]\""},
	    {CHILD("\"forms\":{\"combine\":[\"ffn\",\"ffn\",\"ffn\",\"ffn\"]}"), "\"forms.combine\""},
	    {CHILD("\"match\":[{\"embedded_board\":7}]"), "\"match[0].embedded_board\""},
	    {CHILD("\"match\":{}"), "\"match\""},
	    {CHILD("\"match\":[]"), "\"match\""},
	    {CHILD("\"match\":[{}]"), "\"match[0]\""},
	    {CHILD("\"match\":[{\"platform\":\"P\"},7]"), "\"match[1]\""},
	    {CHILD("\"match\":[{\"platfrom\":\"P\"}]"), "\"match[0].platfrom\": unknown condition"},
	    {CHILD("\"match\":[{\"platform\":\"\"}]"), "\"match[0].platform\""},
	    {CHILD("\"match\":[{\"type\":\"tpu\"}]"), "\"match[0].type\""},
	    {CHILD("\"match\":[{\"cpu_features\":\"avx2\"}]"), "\"match[0].cpu_features\""},
	    {CHILD("\"match\":[{\"cpu_features\":[]}]"), "\"match[0].cpu_features\""},
	    {CHILD("\"match\":[{\"cpu_features\":[\"avx512-f\"]}]"), "unknown feature \"avx512-f\""},
	    {CHILD("\"match\":[{\"extensions\":[3]}]"), "\"match[0].extensions\""},
	};
	make_folder();
	put("generic.json", GENERIC);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct skip_err err;
		struct skip_profiles *profiles = NULL;
		put("x.json", cases[i].text);
		CHECK_FAILS(skip_profiles_load(folder, &profiles, &err), SKIP_ERR_INPUT);
		cr_expect(profiles == NULL);
		cr_expect(strstr(err.file, "/x.json") != NULL, "%s: file is \"%s\"", cases[i].text, err.file);
		cr_expect(strstr(err.message, cases[i].says) != NULL, "%s: %s", cases[i].text, err.message);
	}
}

/* Tiles that a board file ships for single shapes reach the kernels; a child has its parent's list, or one of its own in its place. */
Test(profile, tiles_of_a_file_are_shipped)
{
#define TILE(shape, tile) "{\"family\":\"linear\",\"shape\":\"" shape "\",\"tile\":\"" tile "\"}"
	static const struct {
		const char *id, *wide, *narrow; /* tiles of two shapes, NULL where none is shipped */
	} cases[] = {{"generic", NULL, NULL}, {"parent", "mr12 nv1", "mr8 nv1"}, {"heir", "mr12 nv1", "mr8 nv1"}, {"other", "mr10 nv1", NULL}};
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	make_folder();
	put("generic.json", GENERIC);
	put("parent.json", CHILD_OF("parent", "generic", "\"forms\":{\"variants\":[\"cpu\",\"generic\"],\"tiles\":[" TILE("k61 n37 T f32 cpu", "mr12 nv1") "," TILE("k37 n5 T f32 cpu", "mr8 nv1") "]}"));
	put("heir.json", CHILD_OF("heir", "parent", "\"forms\":{\"block\":2}"));
	put("other.json", CHILD_OF("other", "parent", "\"forms\":{\"tiles\":[" TILE("k61 n37 T f32 cpu", "mr10 nv1") "]}"));
	CHECK_OK(skip_profiles_load(folder, &profiles, &err));
	struct skip_graph *graph = linear_chain((const int[]){61, 37, 5}, 3);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const tile[] = {cases[i].wide, cases[i].narrow}, *const shape[] = {"k61 n37 T f32 cpu", "k37 n5 T f32 cpu"};
		struct skip_plan *plan = lower_for(profiles, cases[i].id, graph, NULL, 0);
		cr_assert(plan->n_launches == 2);
		for (int s = 0; s < 2; s++) {
			const char *got = skip_profile_tile(skip_profiles_find(profiles, cases[i].id), SKIP_TILE_SHIPPED, "linear", shape[s]);
			cr_expect(tile[s] ? got && strcmp(got, tile[s]) == 0 : got == NULL, "%s, %s: %s", cases[i].id, shape[s], got ? got : "none");
			const struct skip_plan_launch *launch = &plan->launches[s];
			const bool ships = launch->tile == SKIP_TILE_SHIPPED;
			cr_expect(ships == (tile[s] != NULL), "%s, %s: %s", cases[i].id, shape[s], skip_tile_origin_names[launch->tile]);
			if (tile[s]) cr_expect(launch->cover[0].tile == atoi(tile[s] + 2), "%s, %s: %d rows", cases[i].id, shape[s], launch->cover[0].tile);
		}
		skip_plan_destroy(plan);
	}
	skip_graph_destroy(graph);
	skip_profiles_destroy(profiles);
}

Test(profile, chains_end)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	make_folder();
	put("generic.json", GENERIC);
	put("a.json", "{\"schema\":1,\"id\":\"a\",\"extends\":\"generic\"}");
	put("b.json", "{\"schema\":1,\"id\":\"b\",\"extends\":\"a\"}");
	put("c.json", "{\"schema\":1,\"id\":\"c\",\"extends\":\"b\"}");
	put("d.json", "{\"schema\":1,\"id\":\"d\",\"extends\":\"c\"}");
	CHECK_OK(skip_profiles_load(folder, &profiles, &err));
	skip_profiles_destroy(profiles);
	put("e.json", "{\"schema\":1,\"id\":\"e\",\"extends\":\"d\"}");
	CHECK_FAILS(skip_profiles_load(folder, &profiles, &err), SKIP_ERR_INPUT);
	cr_expect(strstr(err.message, "more than 4 parents") && strstr(err.file, "/generic.json") == NULL, "%s: %s", err.file, err.message);
	put("e.json", "{\"schema\":1,\"id\":\"e\",\"extends\":\"f\"}");
	put("f.json", "{\"schema\":1,\"id\":\"f\",\"extends\":\"e\"}");
	CHECK_FAILS(skip_profiles_load(folder, &profiles, &err), SKIP_ERR_INPUT);
	cr_expect(strstr(err.message, "a cycle") != NULL, "%s", err.message);
}

Test(profile, missing_folders_and_generic)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	make_folder();
	CHECK_FAILS(skip_profiles_load("/nowhere/at/all", &profiles, &err), SKIP_ERR_IO);
	cr_expect(strcmp(err.file, "/nowhere/at/all") == 0);
	CHECK_FAILS(skip_profiles_load(folder, &profiles, &err), SKIP_ERR_INPUT);
	cr_expect(strstr(err.message, "no profile \"generic\"") != NULL, "%s", err.message);
	setenv("SKIP_BOARDS", "/nowhere/either", 1);
	CHECK_FAILS(skip_profiles_load(NULL, &profiles, &err), SKIP_ERR_IO);
	cr_expect(strcmp(err.file, "/nowhere/either") == 0);
}
