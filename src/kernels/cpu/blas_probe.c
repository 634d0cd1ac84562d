/* Is the BLAS that a program gets here a tuned one? Compiled and run by `bootstrap` and by
 * CMake before anything else is, so it is one file that needs a BLAS and nothing more. Exit
 * status 1 and the advice if it is not. */
#include "blas.c"

int main(void)
{
    struct psw_blas blas;
    char advice[PSW_BLAS_ADVICE_BYTES];
    psw_blas_find(&blas);
    /* The call keeps the library from being left out as unused. */
    const float one = 1;
    float product = 0;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 1, 1, 1, 1, &one, 1, &one, 1, 0,
                &product, 1);
    puts(blas.is_tuned ? blas.name : psw_blas_advice(&blas, advice));
    return blas.is_tuned && product == 1 ? 0 : 1;
}
