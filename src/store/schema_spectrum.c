/* The schema of what `posweep spectrum` writes. Rows are written in this order. */
#include <posweep/store/schema.h>

#include <math.h>

#define ANY -INFINITY, INFINITY
#define COSINE -1.5, 1.5
#define SHARE -1e-9, 1.000000001
#define POSITIVE 0, INFINITY
#define SCALE (PSW_S_SCALE | PSW_S_ALWAYS)

static const struct psw_schema_row ROWS[] = {
    {"run", PSW_TEXT, "run", "", "hash of the resolved configuration", SCALE, ANY,
     "As in the results file; runs that could not be compared are left out."},
    {"checkpoint", PSW_I64, "checkpoint", "1", "index of the kept checkpoint", SCALE, ANY,
     "Its training step is `step`."},
    {"checkpoint_2", PSW_I64, "checkpoint_2", "1", "index of the other checkpoint", SCALE, ANY,
     NULL},
    {"cell", PSW_TEXT, "cell", "", "method, variant and settings of its runs", SCALE, ANY,
     "Its runs differ in the seed alone."},
    {"cell_2", PSW_TEXT, "cell_2", "", "the other cell", SCALE, ANY, NULL},
    {"angle", PSW_I64, "angle", "1", "index of the principal angle, smallest first", SCALE, ANY,
     "As many as the subspaces have dimensions."},
    {"leading", PSW_I64, "leading", "1", "index of the last of the leading axes of a run",
     SCALE, ANY, NULL},
    {"leading_all", PSW_I64, "leading_all", "1", "index of the last of all leading axes", SCALE,
     ANY, NULL},
    {"axis", PSW_I64, "axis", "1", "axis of the map", SCALE, ANY, NULL},
    {"estimate", PSW_TEXT, "estimate", "", "where an error comes from", SCALE, ANY,
     "promised: 1 / sqrt(numbers per sketch); realised: from norms that are known exactly."},

    {"run_cell", PSW_I64, "run", "1", "row of `cell`", PSW_S_ALWAYS, POSITIVE, NULL},
    {"seed", PSW_I64, "run", "1", "seed of the replicate", PSW_S_ALWAYS, ANY, NULL},
    {"step", PSW_I64, "run checkpoint", "1", "training step", PSW_S_ALWAYS, -1, INFINITY, NULL},
    {"sketch_error", PSW_F64, "estimate", "1", "standard error of a cosine through the sketch",
     PSW_S_ALWAYS, POSITIVE, "Of directions that are nearly orthogonal; at most sqrt(2) more."},
    {"norm", PSW_F64, "run checkpoint", "1", "norm of the direction, by its sketch",
     PSW_S_ALWAYS, POSITIVE, "In nat for v and gradients."},
    {"signal", PSW_F64, "run checkpoint", "1",
     "share of the squared norm of v that is no noise of D'", PSW_S_ALWAYS, ANY,
     "v_halves over v_norm squared; below 0 where noise is all there is."},
    {"cosine", PSW_F64, "run checkpoint checkpoint_2", "1",
     "cosine of the directions at two checkpoints", PSW_S_ALWAYS, COSINE, NULL},
    {"cosine_clean", PSW_F64, "run checkpoint checkpoint_2", "1",
     "the same of v without the noise of D'", PSW_S_ALWAYS, ANY,
     "From inner products of opposite halves of D'. Means little where `signal` is small, and "
     "may be beyond 1."},
    {"effective_rank", PSW_F64, "run checkpoint", "1",
     "effective rank of the directions up to here, by entropy", PSW_S_ALWAYS, POSITIVE,
     "Exponential of the entropy of the shares of variance."},
    {"participation_ratio", PSW_F64, "run checkpoint", "1", "the same by participation ratio",
     PSW_S_ALWAYS, POSITIVE, "One over the sum of the squared shares."},
    {"explained", PSW_F64, "run leading", "1", "share of a run's variance on the leading axes",
     PSW_S_ALWAYS, SHARE, NULL},
    {"explained_all", PSW_F64, "leading_all", "1",
     "share of the variance of all directions on the leading axes", PSW_S_ALWAYS, SHARE, NULL},
    {"angle_cosine", PSW_F64, "cell cell_2 angle", "1",
     "cosine of the principal angle between runs of one seed, mean over seeds", PSW_S_ALWAYS,
     SHARE, "Of the subspaces of the leading axes of each run."},
    {"angle_cosine_seeds", PSW_F64, "cell angle", "1",
     "cosine of the principal angle between two seeds, mean over pairs", PSW_S_ALWAYS, SHARE,
     NULL},
    {"map", PSW_F64, "cell checkpoint axis", "1", "place on the map", PSW_S_ALWAYS, ANY,
     "Principal coordinates with the seeds that all cells have side by side."},
    {"map_run", PSW_F64, "run checkpoint axis", "1", "place of a run on the map", PSW_S_ALWAYS,
     ANY, "The mean over the runs of a cell is the place of the cell."},
    {"map_share", PSW_F64, "axis", "1", "share of the variance that the axis holds",
     PSW_S_ALWAYS, SHARE, NULL},
};

const struct psw_schema_row *psw_schema_spectrum_rows(int *n_row)
{
    *n_row = (int)(sizeof ROWS / sizeof *ROWS);
    return ROWS;
}
