/* A library is known by a function that only it has, found in the library that cblas_sgemm
 * comes from or in one beneath that: Debian's libblas.so.3 of OpenBLAS is a thin one above
 * libopenblas.so.0, and ScaLAPACK may bring an OpenBLAS that cblas_sgemm does not come from.
 * Those without such a function are known by their file. Functions are looked up by name when
 * the process runs: a program linked with one BLAS may run with another. */
#include <posweep/kernels/blas.h>

#include "any_cblas.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct known_blas {
    const char *name, *function /* or NULL */, *file /* part of its file's path */;
    int tells; /* 1: the function returns a text about the library */
};

static const struct known_blas KNOWN[] = {
    {"FlexiBLAS", "flexiblas_current_backend", "/libflexiblas", 0},
    {"OpenBLAS", "openblas_get_config", "openblas", 1},
    {"BLIS", "bli_info_get_version_str", "/libblis", 1},
    {"MKL", "MKL_Get_Version_String", "/libmkl", 0},
    {"NVPL", "nvpl_blas_get_version", "/libnvpl_blas", 0},
    {"ATLAS", "ATL_buildinfo", "atlas", 0},
    {"Arm PL", "armplversion", "/libarmpl", 0},
    {"LibSci", NULL, "/libsci_", 0},
    {"ESSL", NULL, "/libessl", 0},
    {"SSL II", NULL, "/libfjlapack", 0},
};

/* The switches for threads; BLIS takes a long, the others an int. */
static const char *const INT_SWITCHES[] = {"openblas_set_num_threads", "MKL_Set_Num_Threads",
                                           "flexiblas_set_num_threads",
                                           "nvpl_blas_set_num_threads"};

typedef void (*function)(void);

static function find_function(void *library, const char *name)
{
    function f;
    *(void **)&f = dlsym(library, name);
    return f;
}

static int is_known(const struct known_blas *k, void *library, const char *path)
{
    return (k->function && find_function(library, k->function)) || strstr(path, k->file);
}

static void recognise(const struct known_blas *k, void *library, struct psw_blas *out)
{
    const function f = k->tells ? find_function(library, k->function) : NULL;
    const char *text = f ? ((const char *(*)(void))f)() : "";
    const int has_name = !strncmp(text, k->name, strlen(k->name));
    snprintf(out->name, sizeof out->name, "%s%s%s", has_name ? "" : k->name,
             has_name || !text[0] ? "" : " ", text);
    out->is_tuned = 1;
}

/* FlexiBLAS hands on to another library, the reference one among them. */
static void look_behind_flexiblas(void *library, struct psw_blas *out)
{
    char behind[64] = "";
    int (*current)(char *, int) =
        (int (*)(char *, int))find_function(library, "flexiblas_current_backend");
    if (!current || current(behind, (int)sizeof behind) <= 0) return;
    snprintf(out->name, sizeof out->name, "FlexiBLAS with %s", behind);
    out->is_tuned = strncmp(behind, "NETLIB", 6) != 0;
}

void psw_blas_find(struct psw_blas *out)
{
    Dl_info info;
    *out = (struct psw_blas){.name = "CBLAS", .is_tuned = 1};
    /* The next one: a program that is not position-independent has a stub of that name itself.
     */
    void *sgemm = dlsym(RTLD_NEXT, "cblas_sgemm");
    if (!sgemm || !dladdr(sgemm, &info)) return; /* linked statically: someone has chosen it */
    char *path = realpath(info.dli_fname, NULL);
    snprintf(out->library, sizeof out->library, "%s", path ? path : info.dli_fname);
    free(path);
    out->is_tuned = 0;
    void *library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (!library) return;
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN && !out->is_tuned; i++)
        if (is_known(&KNOWN[i], library, out->library)) recognise(&KNOWN[i], library, out);
    look_behind_flexiblas(library, out);
    dlclose(library);
}

const char *psw_blas_advice(const struct psw_blas *blas, char out[PSW_BLAS_ADVICE_BYTES])
{
    out[0] = 0;
    if (!blas->is_tuned)
        snprintf(
            out, PSW_BLAS_ADVICE_BYTES,
            "the BLAS here is %s (%s), none of the tuned ones that are known: training may "
            "be 10 times slower. Install OpenBLAS (Debian, Ubuntu: libopenblas-dev; Red "
            "Hat: openblas-devel; Spack: openblas); if it is installed, see that this "
            "library is not found before it",
            blas->name, blas->library[0] ? blas->library : "linked statically");
    return out;
}

int psw_blas_pin(int n_thread)
{
    int found = 0;
    for (size_t i = 0; i < sizeof INT_SWITCHES / sizeof *INT_SWITCHES; i++) {
        const function set = find_function(RTLD_DEFAULT, INT_SWITCHES[i]);
        if (set) ((void (*)(int))set)(n_thread);
        found |= set != NULL;
    }
    const function set_bli = find_function(RTLD_DEFAULT, "bli_thread_set_num_threads");
    if (set_bli) ((void (*)(long))set_bli)(n_thread);
    return found || set_bli;
}
