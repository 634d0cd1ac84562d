/* Files written whole or not at all: beside the final name, synced, then renamed over it. */
#ifndef POSWEEP_UTIL_FILE_H
#define POSWEEP_UTIL_FILE_H

#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

enum { PSW_PATH_BYTES = 1024, PSW_TEMPORARY_BYTES = PSW_PATH_BYTES + 80 };

/** One piece of a file to be written. */
struct psw_file_part {
    const void *data;
    size_t n_bytes;
};

/** Write the parts to path atomically; a reader sees the old content or the new, never a
 * mixture. The temporary name carries the process id and is removed on failure. Errors:
 * PSW_ENOSPC, PSW_EPERM, PSW_EIO with the path; the old file is then untouched. */
psw_status psw_file_write(const char *path, const struct psw_file_part *parts, int n_parts,
                          struct psw_error *err);

/** Read a whole file into memory that the caller frees. A terminating 0 follows the content.
 *  Errors: PSW_ENOENT, PSW_EIO, PSW_ENOMEM with the path. */
psw_status psw_file_read(const char *path, char **data, size_t *n_bytes, struct psw_error *err);

/** A name beside path that no other process on any machine writes to at this moment: it carries
 *  host and process, so what is left of a lost attempt never meets the next one. */
psw_status psw_file_temporary(const char *path, char out[PSW_TEMPORARY_BYTES],
                              struct psw_error *err);

/** Rename over, then sync the folder, so that the new name survives a power loss. */
psw_status psw_file_commit(const char *temporary, const char *path, struct psw_error *err);

/** Make a folder and its parents; fine if it exists. */
psw_status psw_file_make_dir(const char *path, struct psw_error *err);

/** Remove a folder with everything in it; fine if it does not exist. */
psw_status psw_file_remove_tree(const char *path, struct psw_error *err);

int psw_file_exists(const char *path);

/** snprintf that refuses to cut a path. Errors: PSW_EINVAL. */
psw_status psw_path(char *out, size_t n_bytes, struct psw_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
