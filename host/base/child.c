/* Processes by posix_spawn, their input and output in temporary files: child.h. */
#include "base/child.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static FILE *temporary(const char *data, size_t length)
{
	FILE *file = tmpfile();
	if (!file) return NULL;
	if (fwrite(data, 1, length, file) == length && fflush(file) == 0 && fseek(file, 0, SEEK_SET) == 0) return file;
	fclose(file);
	return NULL;
}

static int spawn(struct skip_child *child, const char *const *argv, FILE *input)
{
	posix_spawn_file_actions_t actions;
	int code = posix_spawn_file_actions_init(&actions);
	if (code != 0) return code;
	code = posix_spawn_file_actions_adddup2(&actions, fileno(input), STDIN_FILENO);
	if (code == 0) code = posix_spawn_file_actions_adddup2(&actions, fileno(child->answer), STDOUT_FILENO);
	if (code == 0) code = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	/* The words are only read: posix_spawn takes them as execv does. */
	if (code == 0) code = posix_spawn(&child->pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return code;
}

enum skip_status skip_child_start(struct skip_child *child, const char *const *argv, const char *input, size_t length, struct skip_err *err)
{
	*child = (struct skip_child){0};
	FILE *in = temporary(input, length);
	child->answer = in ? tmpfile() : NULL;
	int code = child->answer ? spawn(child, argv, in) : errno ? errno : EIO;
	if (in) fclose(in);
	if (code == 0) return SKIP_OK;
	if (child->answer) fclose(child->answer);
	*child = (struct skip_child){0};
	return skip_err_set(err, SKIP_ERR_IO, "%s does not start: %s", argv[0], strerror(code));
}

/* Waits for the exit status; a child that somebody else has waited for counts as failed. */
static int collect(const struct skip_child *child)
{
	int exit_status = 1;
	while (waitpid(child->pid, &exit_status, 0) < 0 && errno == EINTR) continue;
	return exit_status;
}

bool skip_child_ended(struct skip_child *child)
{
	siginfo_t info = {0};
	return waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

enum skip_status skip_child_wait(struct skip_child *child, struct skip_buf *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const int exit_status = collect(child);
	if (exit_status != 0)
		status = skip_err_set(err, SKIP_ERR_IO, "process %ld ended by %s %d", (long)child->pid, WIFSIGNALED(exit_status) ? "signal" : "exit code",
				      WIFSIGNALED(exit_status) ? WTERMSIG(exit_status) : WEXITSTATUS(exit_status));
	else if (lseek(fileno(child->answer), 0, SEEK_SET) != 0)
		status = skip_err_set(err, SKIP_ERR_IO, "the answer of process %ld cannot be read: %s", (long)child->pid, strerror(errno));
	else
		status = skip_file_read_open(fileno(child->answer), "the answer of a process", out, err);
	fclose(child->answer);
	*child = (struct skip_child){0};
	return status;
}

void skip_child_stop(struct skip_child *child)
{
	if (child->pid == 0) return;
	kill(child->pid, SIGKILL);
	collect(child);
	fclose(child->answer);
	*child = (struct skip_child){0};
}
