/* A file under construction in the memory of HDF5's core driver. The bytes are written to disk
 * from where they stand, so there is no second copy of them. */
#include "h5_internal.h"

static const size_t STEP_BYTES = (size_t)1 << 20;

psw_status psw_h5_image_create(const char *path, struct psw_h5_image *out,
                               struct psw_error *err)
{
    *out = (struct psw_h5_image){.path = path, .file = -1, .access = psw_h5_access()};
    if (out->access >= 0 && H5Pset_fapl_core(out->access, STEP_BYTES, 0) >= 0)
        out->file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, out->access);
    if (out->file >= 0) return PSW_OK;
    const psw_status rc = psw_h5_fail(err, path, "cannot create");
    psw_h5_image_close(out);
    return rc;
}

psw_status psw_h5_image_bytes(struct psw_h5_image *image, struct psw_error *err)
{
    void *handle = NULL;
    const int is_flushed = H5Fflush(image->file, H5F_SCOPE_GLOBAL) >= 0;
    const ssize_t n = is_flushed ? H5Fget_file_image(image->file, NULL, 0) : -1;
    if (n <= 0 || H5Fget_vfd_handle(image->file, image->access, &handle) < 0 || !handle)
        return psw_h5_fail(err, image->path, "cannot be made");
    image->bytes = *(const unsigned char *const *)handle;
    image->n_bytes = (size_t)n;
    return PSW_OK;
}

void psw_h5_image_close(struct psw_h5_image *image)
{
    if (image->file >= 0) H5Fclose(image->file);
    if (image->access >= 0) H5Pclose(image->access);
    *image = (struct psw_h5_image){.file = -1, .access = -1};
}
