/* Records in files. */
#include <posweep/store/record_file.h>

#include <posweep/util/file.h>

#include <stdlib.h>

psw_status psw_record_write(struct psw_record *record, const char *path, struct psw_error *err)
{
    const void *bytes = NULL;
    size_t n_bytes = 0;
    const psw_status rc = psw_record_pack(record, &bytes, &n_bytes, err);
    if (rc != PSW_OK) return rc;
    const struct psw_file_part part = {bytes, n_bytes};
    return psw_file_write(path, &part, 1, err);
}

psw_status psw_record_read(const char *path, struct psw_record **out, struct psw_error *err)
{
    char *bytes = NULL;
    size_t n_bytes = 0;
    psw_status rc = psw_file_read(path, &bytes, &n_bytes, err);
    if (rc != PSW_OK) return rc;
    rc = psw_record_unpack(bytes, n_bytes, out, err);
    if (rc != PSW_OK) psw_error_prefix(err, "%s", path);
    free(bytes);
    return rc;
}
