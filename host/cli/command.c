/*
 * The command as it was typed, for records and for the line that says how to go on. Words are quoted as a shell needs them.
 */
#include "base/buf.h"
#include "cli/cli.h"

#include <string.h>

static struct skip_buf command;

static void append_word(struct skip_buf *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%";
	if (*word && word[strspn(word, plain)] == '\0') {
		skip_buf_puts(out, word);
		return;
	}
	skip_buf_puts(out, "'");
	for (; *word; word++) {
		if (*word == '\'')
			skip_buf_puts(out, "'\\''");
		else
			skip_buf_append(out, word, 1);
	}
	skip_buf_puts(out, "'");
}

void skip_cli_remember_command(int argc, char **argv)
{
	skip_buf_deinit(&command);
	skip_buf_init(&command);
	skip_buf_puts(&command, "skip");
	for (int i = 1; i < argc; i++) {
		skip_buf_puts(&command, " ");
		append_word(&command, argv[i]);
	}
}

const char *skip_cli_command(void)
{
	return skip_buf_text(&command);
}
