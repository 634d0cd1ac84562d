/* The sweep file that a results file came from. */
#include "results_internal.h"

#include <string.h>

/** Whether the file itself has the dataset: no link leads out of it. */
static int is_own(hid_t file, const char *group, const char *path)
{
    H5L_info_t link;
    return H5Lget_info(file, group, &link, H5P_DEFAULT) >= 0 && link.type == H5L_TYPE_HARD &&
           H5Lget_info(file, path, &link, H5P_DEFAULT) >= 0 && link.type == H5L_TYPE_HARD;
}

char *psw_results_spec_text(struct psw_results *results)
{
    static const char PATH[] = "provenance/spec_text";
    struct psw_dataset_view v = {.name = "spec_text"};
    char hash[PSW_HASH_TEXT_BYTES], *text = NULL;
    if (!is_own(results->file, "provenance", PATH)) return NULL;
    const hid_t set = H5Dopen2(results->file, PATH, H5P_DEFAULT);
    if (set < 0) return NULL;
    psw_form_describe_set(results, set, &v);
    char **value = NULL;
    if (!v.fault[0] && v.type == PSW_TEXT && v.shape.n_dim == 0)
        value = psw_values_read(set, v.type, v.shape);
    H5Dclose(set);
    if (!value) return NULL;
    const struct psw_h5_var var = {
        .name = v.name, .type = v.type, .shape = v.shape, .data = value};
    if (strcmp(psw_hash_text(psw_h5_content_hash(&var), hash), v.hash) == 0)
        text = strdup(value[0]);
    psw_values_free(value, v.type, 1);
    return text;
}
