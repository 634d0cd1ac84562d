/* Status codes and error texts: how every function of posweep reports a fault.
 *
 * A function that can fail returns psw_status and takes `struct psw_error *err` last (NULL
 * allowed). The first function to see the fault writes the message, with value and place;
 * callers pass the status up unchanged. Outputs are set only on success. */
#ifndef POSWEEP_UTIL_STATUS_H
#define POSWEEP_UTIL_STATUS_H

#include <stdarg.h>

/** What went wrong, by what it means for the user. The order is part of the wire format. */
enum psw_status_code {
    PSW_OK = 0,
    PSW_EINVAL,    /* a value or configuration that cannot be right */
    PSW_ENOENT,    /* a file or key that is not there */
    PSW_EDATA,     /* a file whose content is broken */
    PSW_EIO,       /* reading or writing failed */
    PSW_ENOSPC,    /* the disk is full */
    PSW_EPERM,     /* not allowed */
    PSW_ENOMEM,    /* memory */
    PSW_EBUSY,     /* somebody else holds it */
    PSW_EDIVERGED, /* NaN or infinity in training: a recorded result, not an accident */
    PSW_ESTOP,     /* asked to stop; state is saved and the work can be resumed */
    PSW_EUNSUP,    /* understood, but not supported */
    PSW_EINTERNAL, /* our own bug */
    PSW_N_STATUS
};

typedef enum psw_status_code psw_status;
#define PSW_MUST_CHECK __attribute__((warn_unused_result))

enum { PSW_ERROR_TEXT_BYTES = 1024 };

/** Where a message is left for the caller. Plain data: may be sent between ranks as bytes. */
struct psw_error {
    enum psw_status_code code;
    int origin; /* 1 + the rank that failed, of the ranks that agreed on it; 0: this one */
    char text[PSW_ERROR_TEXT_BYTES]; /* always terminated; a cut message ends in "..." */
};

/** Write a message and return its code, so that reporting and returning is one statement.
 *  MPI: Local. */
enum psw_status_code psw_fail(struct psw_error *err, enum psw_status_code code,
                              const char *format, ...) __attribute__((format(printf, 3, 4)));

/** Put "prefix: " before the message that is already in err. Does nothing with NULL. */
void psw_error_prefix(struct psw_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Short name of a code, e.g. "broken data". Never NULL. */
const char *psw_status_name(enum psw_status_code code);

/** Exit status by sysexits.h for a code (PSW_ESTOP is 75, EX_TEMPFAIL: more to do). */
int psw_status_exit(enum psw_status_code code);

/** The status code that fits an errno value. */
enum psw_status_code psw_status_from_errno(int error_number);

/** Run a call; on failure keep its status in `rc` and go to `fail:`. */
#define PSW_TRY(call)                                                                          \
    do {                                                                                       \
        rc = (call);                                                                           \
        if (rc != PSW_OK) goto fail;                                                           \
    } while (0)

/** Own bugs only: prints file and line and aborts. Never for input, files or memory. */
#define PSW_ASSERT(condition)                                                                  \
    ((condition) ? (void)0 : psw_assert_failed(#condition, __FILE__, __LINE__))
_Noreturn void psw_assert_failed(const char *condition, const char *file, int line);

#endif
