/* BLAS libraries differ in how their threads are set; the switches are weak symbols, so that
 * any CBLAS links. */
#include <posweep/kernels/exec.h>

__attribute__((weak)) void openblas_set_num_threads(int n_thread);
__attribute__((weak)) char *openblas_get_config(void);
__attribute__((weak)) void bli_thread_set_num_threads(long n_thread);
__attribute__((weak)) const char *bli_info_get_version_str(void);

int psw_exec_pin_blas(int n_thread)
{
    if (openblas_set_num_threads) openblas_set_num_threads(n_thread);
    if (bli_thread_set_num_threads) bli_thread_set_num_threads(n_thread);
    return openblas_set_num_threads || bli_thread_set_num_threads;
}

const char *psw_exec_blas_name(void)
{
    if (openblas_get_config) return openblas_get_config();
    if (bli_info_get_version_str) return bli_info_get_version_str();
    return "unknown BLAS";
}
