/* posweep: find the command, run it, and see that nothing was left open.
 *
 * Exit statuses are those of sysexits.h; 75 means "stopped early with everything saved, run the
 * same command again". */
#include "cli_internal.h"
#include <posweep/kernels/blas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* OpenBLAS chooses its kernels while it is loaded, from the environment or by itself, so a
 * choice is mended by beginning anew, before MPI begins. What the user chose is left. */
static void begin_with_fast_kernels(char **argv)
{
    static const char NAME[] = "OPENBLAS_CORETYPE";
    char path[PSW_PATH_BYTES];
    const char *core = getenv(NAME) ? NULL : psw_blas_better_core();
    const ssize_t n = core ? readlink("/proc/self/exe", path, sizeof path - 1) : -1;
    if (n < 0 || setenv(NAME, core, 1) != 0) return;
    path[n] = 0;
    execv(path, argv);
    unsetenv(NAME); /* not begun anew: as slow as it was */
}

static int unknown(const char *name)
{
    const char *nearest = psw_cmd_nearest(name);
    const char *what = name[0] == '-' ? "option" : "command";
    if (nearest)
        return psw_cli_usage(NULL, "unknown %s '%s'. Did you mean '%s'?", what, name, nearest);
    return psw_cli_usage(NULL, "unknown %s '%s'", what, name);
}

static int run_command(const struct psw_cmd *cmd, int argc, char **argv)
{
    char name[64];
    snprintf(name, sizeof name, "posweep %s", cmd->name);
    argv[1] = name;
    return cmd->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    begin_with_fast_kernels(argv);
    argp_err_exit_status = EX_USAGE;
    const char *name = argc > 1 ? argv[1] : "";
    if (argc < 2) {
        psw_cli_overview();
        return EX_USAGE;
    }
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "-?")) {
        psw_cli_overview();
        return psw_cli_finish(EX_OK);
    }
    if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
        psw_cli_version();
        return psw_cli_finish(EX_OK);
    }
    const struct psw_cmd *cmd = psw_cmd_find(name);
    return psw_cli_finish(cmd ? run_command(cmd, argc, argv) : unknown(name));
}
