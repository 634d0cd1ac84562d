/* What was meant by a misspelt word, for messages. */
#ifndef POSWEEP_CONFIG_NEAREST_H
#define POSWEEP_CONFIG_NEAREST_H

enum { PSW_DID_BYTES = 128 };

/** The nearest of n names, NULL when none is near enough to be meant. */
const char *psw_nearest(const char *word, const char *const *names, int n);

/** "; did you mean "x"?" or "". Returns out. */
char *psw_did_you_mean(const char *name, char out[PSW_DID_BYTES]);

#endif
