/* The full rows of the registry: what pairwise.c computes with. */
#ifndef POSWEEP_SRC_OBJECTIVE_INTERNAL_H
#define POSWEEP_SRC_OBJECTIVE_INTERNAL_H

#include <posweep/objective/pairwise.h>

/** One response as a method sees it. */
struct psw_response {
    double logp, ref, n_tok;
    int side; /* PSW_CHOSEN or PSW_REJECTED */
};

/** Score s of a response and ds/dz, z its summed log-probability. */
struct psw_score {
    double value, slope;
};

/** Loss f(d) of a margin and omega = -f'(d). */
struct psw_link {
    double loss, omega;
};

/** A row: a score, a link, and the coefficient of the NLL term per response. */
struct psw_method_row {
    struct psw_method_info info;
    struct psw_score (*score)(const struct psw_pair_opts *opts, struct psw_response y);
    struct psw_link (*link)(const struct psw_pair_opts *opts, double margin);
    double (*nll)(const struct psw_pair_opts *opts);    /* times log pi(y+)/n+; NULL: no term */
    double (*reward)(const struct psw_pair_opts *opts); /* score to implicit reward */
};

/** Never NULL; `method` must be one of enum psw_method. */
const struct psw_method_row *psw_method_row(int method);

#endif
