// chserver: ClickHouse as a server, out of the library that is published as an npm package.
//
//     chserver LIBRARY FOLDER [argument of clickhouse-local…]
//
// The library contains clickhouse-local, which can be told to listen on the server's ports, but listens only as long
// as its query runs. So the query is one that reads a pipe to which nobody ever writes: it costs nothing, and closing
// the pipe ends it, and with it the server, in good order.
//
// Two processes. The child is the server. The parent holds the pipe's other end: SIGTERM makes it close the pipe, and
// if it is killed the kernel closes it, so that no server is left behind. It also starts a crashed server again:
// unlike the real server, clickhouse-local takes an exception that leaves a connection's thread (a malformed HTTP
// request, a wrong password on the native port) for the end of the world.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STOP_SECONDS = 20, QUICK_SECONDS = 3, QUICK_FAILURES = 3 };

static volatile sig_atomic_t stopping, server;

static void on_stop(int signal) {
    (void)signal;
    stopping = 1;
}

static void on_alarm(int signal) {
    (void)signal;
    kill(server, SIGKILL);
}

// Found by the library in place of the C library's (-rdynamic): a crash is over at once, instead of after seconds of
// stack traces during which the port stays taken.
void abort(void) { _exit(134); }

static void fail(const char *message) {
    fprintf(stderr, "chserver: %s\n", message);
    _exit(1);
}

// In the child: runs until standard input is closed.
static void serve(int argc, char **argv) {
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
    if (!library) fail(dlerror());
    void *(*run)(int, char **) = (void *(*)(int, char **))dlsym(library, "chdb_query_cmdline");
    const char *(*error_of)(void *) = (const char *(*)(void *))dlsym(library, "chdb_result_error");
    if (!run || !error_of) fail(dlerror());

    char *path;
    char **arguments = calloc(argc + 2, sizeof *arguments);
    if (!arguments || asprintf(&path, "--path=%s", argv[2]) < 0) fail("out of memory");
    int count = 0;
    arguments[count++] = "clickhouse";
    arguments[count++] = path;
    for (int i = 3; i < argc; i++) arguments[count++] = argv[i];
    arguments[count++] = "--query=SYSTEM START LISTEN QUERIES ALL;"
                         "SELECT count() FROM file('/dev/stdin', 'LineAsString', 'line String') FORMAT Null";

    void *result = run(count, arguments);
    const char *error = result ? error_of(result) : "the library returned nothing";
    if (error) fail(error);
    _exit(0);
}

static void handle(int signal, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler}; // without SA_RESTART: waitpid is to return
    sigaction(signal, &action, NULL);
}

// Starts the server; returns the end of the pipe that keeps it alive.
static int start(int argc, char **argv) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) || (server = fork()) < 0) {
        perror("chserver");
        exit(1);
    }
    if (server == 0) {
        signal(SIGTERM, SIG_DFL);
        signal(SIGHUP, SIG_DFL);
        signal(SIGINT, SIG_IGN); // a Ctrl-C is the parent's to handle
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        close(ends[1]);
        serve(argc, argv);
    }
    close(ends[0]);
    return ends[1];
}

// Waits for the server's end, which a signal to this process brings about.
static int wait_for_end(int pipe_end) {
    int status, open = 1;
    for (;;) {
        if (stopping && open) {
            close(pipe_end);
            open = 0;
            alarm(STOP_SECONDS);
        }
        if (waitpid(server, &status, 0) == server) break;
        if (errno != EINTR) exit(1);
    }
    if (open) close(pipe_end);
    return status;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s LIBRARY FOLDER [argument of clickhouse-local…]\n", argv[0]);
        return 2;
    }
    handle(SIGTERM, on_stop);
    handle(SIGINT, on_stop);
    handle(SIGHUP, on_stop);
    handle(SIGALRM, on_alarm);

    for (int quick_failures = 0; quick_failures < QUICK_FAILURES;) {
        time_t started = time(NULL);
        int status = wait_for_end(start(argc, argv));
        if (stopping) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        quick_failures = time(NULL) - started < QUICK_SECONDS ? quick_failures + 1 : 0;
        fprintf(stderr, "chserver: the server ended by itself (wait status 0x%x)\n", status);
        usleep(300000);
    }
    fprintf(stderr, "chserver: giving up\n");
    return 1;
}
