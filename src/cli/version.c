/* What this program is made of: its own version and commit, and the libraries in the process.
 */
#include "cli_internal.h"
#include "psw_version.h"
#include <hdf5.h>
#include <mpi.h>
#include <posweep/kernels/blas.h>
#include <posweep/util/log.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

const struct psw_build *psw_build(void)
{
    static const struct psw_build BUILD = {.version = PSW_VERSION,
                                           .commit = PSW_COMMIT,
                                           .compiler = PSW_COMPILER,
                                           .flags = PSW_BUILD_FLAGS,
                                           .dirty = PSW_DIRTY};
    return &BUILD;
}

const char *psw_cli_mpi_text(char out[PSW_LIBRARY_TEXT_BYTES])
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    MPI_Get_library_version(text, &length);
    text[strcspn(text, ",\n")] = 0; /* the first part names library and version */
    snprintf(out, PSW_LIBRARY_TEXT_BYTES, "%.*s", PSW_LIBRARY_TEXT_BYTES - 1, text);
    return out;
}

const char *psw_cli_hdf5_text(char out[PSW_LIBRARY_TEXT_BYTES])
{
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(out, PSW_LIBRARY_TEXT_BYTES, "HDF5 %u.%u.%u", major, minor, release);
    return out;
}

const char *psw_cli_blas_text(char out[PSW_LIBRARY_TEXT_BYTES])
{
    struct psw_blas blas;
    psw_blas_find(&blas);
    snprintf(out, PSW_LIBRARY_TEXT_BYTES, "%s (%.*s)", blas.name,
             PSW_LIBRARY_TEXT_BYTES - (int)strlen(blas.name) - 4,
             blas.library[0] ? blas.library : "linked statically");
    return out;
}

void psw_cli_warn_blas(void)
{
    struct psw_blas blas;
    char advice[PSW_BLAS_ADVICE_BYTES];
    psw_blas_find(&blas);
    if (!blas.is_tuned) psw_log(PSW_LOG_WARN, "%s", psw_blas_advice(&blas, advice));
}

const char *psw_cli_cpu_text(char out[PSW_LIBRARY_TEXT_BYTES])
{
    struct utsname system = {0};
    char line[PSW_LIBRARY_TEXT_BYTES];
    uname(&system);
    snprintf(out, PSW_LIBRARY_TEXT_BYTES, "%s", system.machine);
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        const char *value = strchr(line, ':');
        if (!value || strncmp(line, "model name", 10) != 0) continue;
        snprintf(out, PSW_LIBRARY_TEXT_BYTES, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
        break;
    }
    if (file) fclose(file);
    return out;
}

void psw_cli_version(void)
{
    const struct psw_build *b = psw_build();
    struct psw_blas blas;
    char text[PSW_LIBRARY_TEXT_BYTES], advice[PSW_BLAS_ADVICE_BYTES];
    psw_blas_find(&blas);
    printf("posweep %s\n", b->version);
    printf("commit    %s%s\n", b->commit, b->dirty ? " (with uncommitted changes)" : "");
    printf("compiler  %s, %s\n", b->compiler, b->flags);
    printf("MPI       %s\n", psw_cli_mpi_text(text));
    printf("HDF5      %s\n", psw_cli_hdf5_text(text));
    printf("BLAS      %s\n", psw_cli_blas_text(text));
    if (!blas.is_tuned) printf("          warning: %s\n", psw_blas_advice(&blas, advice));
    printf("CPU       %s\n", psw_cli_cpu_text(text));
}
