/* The schema of what `posweep spectrum --of tensors` writes. */
#include <posweep/store/schema.h>

#include <math.h>

#define ANY -INFINITY, INFINITY
#define POSITIVE 0, INFINITY
#define SCALE (PSW_S_SCALE | PSW_S_ALWAYS)
#define RT "run tensor"

static const struct psw_schema_row ROWS[] = {
    {"run", PSW_TEXT, "run", "", "hash of the resolved configuration", SCALE, ANY,
     "As in the results file; of the runs whose models were kept."},
    {"tensor", PSW_TEXT, "tensor", "", "matrix of the model", SCALE, ANY,
     "As model.safetensors names it; vectors are left out."},
    {"leading", PSW_I64, "leading", "1", "index of the singular value, largest first", SCALE,
     ANY, NULL},
    {"cell", PSW_TEXT, "run", "", "method, variant and settings", PSW_S_ALWAYS, ANY, NULL},
    {"seed", PSW_I64, "run", "1", "seed of the replicate", PSW_S_ALWAYS, ANY, NULL},
    {"step", PSW_I64, "run", "1", "training step of the model", PSW_S_ALWAYS, -1, INFINITY,
     NULL},
    {"n_row", PSW_I64, "tensor", "1", "rows", PSW_S_ALWAYS, POSITIVE, NULL},
    {"n_column", PSW_I64, "tensor", "1", "columns", PSW_S_ALWAYS, POSITIVE, NULL},
    {"norm", PSW_F64, RT, "1", "norm of the parameters less those of the SFT model",
     PSW_S_ALWAYS, POSITIVE, NULL},
    {"effective_rank", PSW_F64, RT, "1", "effective rank of that difference, by entropy",
     PSW_S_ALWAYS, POSITIVE,
     "Exponential of the entropy of the shares of the squared singular values; missing where "
     "nothing moved."},
    {"participation_ratio", PSW_F64, RT, "1", "the same by participation ratio", PSW_S_ALWAYS,
     POSITIVE, NULL},
    {"singular_value", PSW_F64, "run tensor leading", "1", "singular values of that difference",
     PSW_S_ALWAYS, POSITIVE, "The largest; missing beyond the last."},
};

const struct psw_schema_row *psw_schema_tensors_rows(int *n_row)
{
    *n_row = (int)(sizeof ROWS / sizeof *ROWS);
    return ROWS;
}
