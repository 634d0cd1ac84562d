/* A backend whose buffers cannot be touched: the cpu's operations over memory that is mapped
 * twice. The addresses that are handed out allow nothing; operations and buffer functions find
 * the other mapping behind those that they are given. So code that follows a pointer to a
 * buffer ends the process with a message that names the buffer, and so does an operation that
 * is given something else where a buffer is due. Results have the bits of the cpu backend. */
#ifndef POSWEEP_TESTS_CHECKING_H
#define POSWEEP_TESTS_CHECKING_H

#include <posweep/kernels/backend.h>

/** What the process ends with. */
enum { CHECKING_EXIT = 99 };

extern const struct psw_backend checking_backend;

#endif
