/* A program of a library answers before it is used. PoCL builds it, under a profile of the test's own that pretends to be a board. */
#include "answer_scene.h"

static char boards[] = "/tmp/skip-boards-XXXXXX";

/* The shipped files and one more. */
static void make_boards(void)
{
	char command[512], path[64];
	cr_assert(mkdtemp(boards) != NULL);
	snprintf(command, sizeof(command), "cp %s/boards/*.json %s", getenv("SKIP_TEST_SOURCE"), boards);
	snprintf(path, sizeof(path), "%s/pretended.json", boards);
	FILE *file = system(command) == 0 ? fopen(path, "w") : NULL;
	cr_assert(file && fputs("{\"schema\": 1, \"id\": \"pretended\", \"title\": \"PoCL as if it were a board\", \"kind\": \"checker\", \"extends\": \"fpga-generic\","
				"\"match\": [{\"platform\": \"Portable Computing Language\", \"device\": \"nothing\"}, {\"platform\": \"Portable*\"}], \"compile\": {\"mode\": \"jit\"}}", file) >= 0 &&
		  fclose(file) == 0);
	setenv("SKIP_BOARDS", boards, 1);
}

static void remove_boards(void)
{
	char command[64];
	snprintf(command, sizeof(command), "rm -rf %s", boards);
	cr_expect(system(command) == 0);
}

ParameterizedTestParameters(answer, of_another_text_is_refused) { return check_rows(sizeof(spoilt) / sizeof(spoilt[0])); }
ParameterizedTest(size_t *row, answer, of_another_text_is_refused, .init = make_boards, .fini = remove_boards)
{
	struct test_device device = open_device("pretended");
	check_answer(device.device, &spoilt[*row]);
	close_device(&device);
}

ParameterizedTestParameters(answer, of_the_right_text_is_given)
{
	static int precisions[] = {SKIP_PRECISION_F32, SKIP_PRECISION_INT8};
	return cr_make_param_array(int, precisions, 2);
}
ParameterizedTest(int *precision, answer, of_the_right_text_is_given, .init = make_boards, .fini = remove_boards)
{
	struct test_device device = open_device("pretended");
	check_answer(device.device, &(struct spoilt){.precision = *precision});
	close_device(&device);
}

/* Where a library is named nothing is compiled beside it. */
Test(answer, nothing_is_compiled_instead, .init = make_boards, .fini = remove_boards)
{
	struct skip_err err;
	int value;
	struct test_device device = open_device("pretended");
	struct skip_session *session = NULL;
	struct skip_graph *saved = saved_network(SKIP_PRECISION_F32), *graph = network(SKIP_PRECISION_F32, &value);
	CHECK_OK(skip_open_inference(device.device, saved, "logits", false, &session, &value, &err));
	cr_expect(skip_session_get_answer(session) == NULL, "compiled here: nothing to ask");
	skip_session_destroy(session);
	CHECK_OK(skip_device_use_bitstreams(device.device, "/tmp/no-such-library", "net.skip", &err));
	CHECK_FAILS(skip_session_open(device.device, graph, &value, 1, false, &session, &err), SKIP_ERR_UNSUPPORTED);
	CHECK_FAILS(skip_open_inference(device.device, saved, "logits", false, &session, &value, &err), SKIP_ERR_INPUT);
	skip_graph_destroy(saved);
	skip_graph_destroy(graph);
	close_device(&device);
}
