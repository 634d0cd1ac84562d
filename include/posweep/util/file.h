/* Files written whole or not at all: beside the final name, synced, then renamed over it.
 *
 * Folders may be shared with people who are not trusted: nothing is ever written through a
 * symbolic link or into something that is not a plain file, nothing that exists is cut, and a
 * new file is made by this process or not at all. Every open for writing goes through
 * psw_file_open or psw_file_begin. */
#ifndef POSWEEP_UTIL_FILE_H
#define POSWEEP_UTIL_FILE_H

#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

enum { PSW_PATH_BYTES = 1024, PSW_TEMPORARY_BYTES = PSW_PATH_BYTES + 80 };

/** Which file stands at a name, as far as a file system tells: one that was written or replaced
 * is another. All zero: none. */
struct psw_file_identity {
    uint64_t node;
    int64_t n_bytes, changed_s, changed_ns;
};
struct psw_file_identity psw_file_identity(const char *path);
int psw_file_identity_is(const struct psw_file_identity *a, const struct psw_file_identity *b);

/** One piece of a file to be written. */
struct psw_file_part {
    const void *data;
    size_t n_bytes;
};

/** What psw_file_open is to do with the name. */
enum psw_file_how {
    PSW_FILE_READ,   /* read what is there */
    PSW_FILE_UPDATE, /* read and write what is there; nothing is cut */
    PSW_FILE_NEW     /* read and write a file that this call makes */
};

/** Open a plain file by its very name: not through a symbolic link in the last place, no
 * device, no pipe. It is closed in child programs; new ones are never writable for everybody.
 *  Owns: the caller closes *fd.
 *  Errors: PSW_EBUSY when a file that is to be new is there; PSW_ENOENT, PSW_EPERM, PSW_EIO. */
psw_status psw_file_open(const char *path, enum psw_file_how how, int *fd,
                         struct psw_error *err);

/** Whether the name still leads to this open file. */
int psw_file_is_at(const char *path, int fd);

/** Begin a file that is to take the place of path: *fd is open for writing under a name beside
 *  it, which psw_file_commit ends. Whatever stands at that name is unlinked (it carries our
 * host and process), never opened. Errors: those of psw_file_open. */
psw_status psw_file_begin(const char *path, char temporary[PSW_TEMPORARY_BYTES], int *fd,
                          struct psw_error *err);

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

/** When rc is PSW_EDATA, a damaged file that can be made again: move it to PATH.damaged-N, so
 * that the next attempt makes it, and say so in err. Returns rc. */
psw_status psw_file_set_aside(const char *path, psw_status rc, struct psw_error *err);

#endif
