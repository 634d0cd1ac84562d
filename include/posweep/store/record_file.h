/* A record as a file of its own. */
#ifndef POSWEEP_STORE_RECORD_FILE_H
#define POSWEEP_STORE_RECORD_FILE_H

#include <posweep/store/record.h>

/** Write a record to a file, whole or not at all.
 *  MPI: Local. Errors: those of psw_record_pack and psw_file_write. */
psw_status psw_record_write(struct psw_record *record, const char *path, struct psw_error *err);

/** Read it. MPI: Local. Owns: the caller destroys *out. Errors: those of psw_file_read;
 *  PSW_EDATA with the path. */
psw_status psw_record_read(const char *path, struct psw_record **out, struct psw_error *err);

#endif
