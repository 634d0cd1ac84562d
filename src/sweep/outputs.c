/* From a sweep to its two files; see outputs.h. */
#include "outputs.h"

#include <posweep/objective/components.h>
#include <posweep/sweep/label.h>
#include <posweep/trace/point.h>

#include <stdio.h>
#include <stdlib.h>

void psw_outputs_axes(struct psw_outputs_axes *out)
{
    _Static_assert(PSW_N_COMPONENT <= sizeof out->component / sizeof *out->component, "room");
    _Static_assert(PSW_N_DIRECTION <= sizeof out->direction / sizeof *out->direction, "room");
    for (int i = 0; i < PSW_N_COMPONENT; i++)
        out->component[i] = psw_component_name((enum psw_component)i);
    for (int i = 0; i < PSW_N_DIRECTION; i++)
        out->direction[i] = psw_direction_name((enum psw_direction)i);
    out->axes = (struct psw_results_axes){out->component, out->direction, PSW_N_COMPONENT,
                                          PSW_N_DIRECTION};
}

static psw_status fill_labels(const struct psw_sweep *sweep, struct psw_outputs_spec *spec,
                              struct psw_error *err)
{
    struct psw_labels labels = {0};
    char text[PSW_LABEL_BYTES];
    size_t n_bytes = 0;
    FILE *out = open_memstream(&spec->label, &n_bytes);
    psw_status rc = out ? psw_labels_init(sweep, &labels, err) : PSW_OK;
    for (int64_t i = 0; out && rc == PSW_OK && i < sweep->n_run; i++)
        fprintf(out, "%s%s", i ? "\n" : "", psw_label_text(&labels, i, text));
    psw_labels_clear(&labels);
    if (!out || fclose(out) != 0)
        rc = psw_fail(err, PSW_ENOMEM, "labels of %lld runs", (long long)sweep->n_run);
    return rc;
}

psw_status psw_outputs_spec_init(const struct psw_sweep *sweep, struct psw_outputs_spec *out,
                                 struct psw_error *err)
{
    const size_t n = (size_t)sweep->n_run;
    *out = (struct psw_outputs_spec){.hash = calloc(n + 1, sizeof *out->hash)};
    psw_status rc = out->hash ? PSW_OK : psw_fail(err, PSW_ENOMEM, "journal of %zu runs", n);
    for (size_t i = 0; rc == PSW_OK && i < n; i++) out->hash[i] = sweep->run[i].hash;
    if (rc == PSW_OK) rc = fill_labels(sweep, out, err);
    if (rc != PSW_OK) {
        psw_outputs_spec_clear(out);
        return rc;
    }
    out->opts = (struct psw_journal_opts){.sweep_name = sweep->name,
                                          .spec_hash = sweep->hash,
                                          .spec_text = sweep->text,
                                          .n_run = sweep->n_run,
                                          .run = out->hash,
                                          .label = out->label};
    return PSW_OK;
}

void psw_outputs_spec_clear(struct psw_outputs_spec *spec)
{
    free(spec->hash);
    free(spec->label);
    *spec = (struct psw_outputs_spec){0};
}

psw_status psw_outputs_write(const char *path, const struct psw_sweep *sweep,
                             const struct psw_results_note *note, int n_note,
                             struct psw_journal *journal, struct psw_error *err)
{
    struct psw_outputs_axes labels;
    struct psw_results_layout *layout = NULL;
    psw_outputs_axes(&labels);
    psw_status rc = psw_results_layout_create(sweep, &labels.axes, &layout, err);
    if (rc != PSW_OK) return rc;
    layout->note = note;
    layout->n_note = n_note;
    rc = psw_results_write(path, layout, journal, err);
    psw_results_layout_destroy(layout);
    return rc;
}
