/* The C interface of BLAS, under the name that the library here gives it. */
#ifndef PSW_ANY_CBLAS_H
#define PSW_ANY_CBLAS_H

#if __has_include(<cblas.h>)
#include <cblas.h>
#else
#include <mkl_cblas.h>
#endif

#endif
