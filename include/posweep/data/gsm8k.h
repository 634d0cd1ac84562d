/* Final answers of GSM8K, and when two are the same: numbers are compared as they are meant, so
 * "$1,000.50" equals "1000.5". The scorer gives 1 where the line behind the last mark of a
 * finished response is the number of the data, else 0. */
#ifndef POSWEEP_DATA_GSM8K_H
#define POSWEEP_DATA_GSM8K_H

#include <stddef.h>

enum { PSW_GSM8K_NUMBER_BYTES = 32 };

/** What stands before the final number. */
#define PSW_GSM8K_MARK "####"

/** Normalise a number, with blanks around it allowed: the sign and "$" in either order, commas
 *  between digits dropped, no needless zeros, "-0" is "0". Returns 0, out "", for what is no
 *  number or needs more room. */
int psw_gsm8k_number(const char *text, size_t n_bytes, char out[PSW_GSM8K_NUMBER_BYTES]);

#endif
