/* All backends. */
#include <posweep/kernels/backend.h>

#include <string.h>

static const struct psw_backend *const BACKENDS[] = {&psw_backend_cpu, &psw_backend_reference};

enum { N_BACKEND = sizeof BACKENDS / sizeof *BACKENDS };

const struct psw_backend *psw_backend_find(const char *name)
{
    for (int i = 0; i < N_BACKEND; i++)
        if (!strcmp(BACKENDS[i]->name, name)) return BACKENDS[i];
    return NULL;
}

const char *psw_backend_name(int i)
{
    return i < N_BACKEND ? BACKENDS[i]->name : NULL;
}
