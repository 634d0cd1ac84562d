/* An example of a list as a pointer that lives as long as the block it is taken in. */
#ifndef POSWEEP_TESTS_EXAMPLE_AT_H
#define POSWEEP_TESTS_EXAMPLE_AT_H

#include <posweep/data/dataset.h>

#define example_at(list, i) ((struct psw_example[1]){psw_examples_at(list, i)})

#endif
