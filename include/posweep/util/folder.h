/* Folders written whole or not at all: beside the final name, synced, then renamed. */
#ifndef POSWEEP_UTIL_FOLDER_H
#define POSWEEP_UTIL_FOLDER_H

#include <posweep/util/file.h>

/** Make a folder beside path, which psw_folder_commit puts there. What an earlier attempt of
 *  this process left at that name is removed.
 *  Errors: PSW_EPERM, PSW_ENOENT, PSW_EIO. */
psw_status psw_folder_begin(const char *path, char temporary[PSW_TEMPORARY_BYTES],
                            struct psw_error *err);

/** What to do with something that stands at the name. */
enum psw_folder_how { PSW_FOLDER_NEW, PSW_FOLDER_REPLACE };

/** Rename into place, then sync the folder above. On failure the temporary folder is removed.
 *  Errors: PSW_EBUSY when PSW_FOLDER_NEW finds something there; PSW_EIO, PSW_EPERM. */
psw_status psw_folder_commit(const char *temporary, const char *path, enum psw_folder_how how,
                             struct psw_error *err);

/** Copy a plain file byte for byte, and sync it. Links are followed at `from`.
 *  Errors: PSW_ENOENT, PSW_EIO, PSW_ENOSPC, PSW_EPERM, with the path. */
psw_status psw_file_copy(const char *from, const char *to, struct psw_error *err);

/** Is there anything at the name, a link that leads nowhere too? */
int psw_folder_is_taken(const char *path);

#endif
