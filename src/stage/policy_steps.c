/* The policy stage opened as for a run, and its steps called one by one. */
#include "policy_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/stage/policy_steps.h>

#include <stdlib.h>

struct psw_policy_steps {
    struct psw_stage_work work;
    int64_t n_step; /* done */
};

psw_status psw_policy_steps_open(const struct psw_stage *stage, struct psw_policy_steps **out,
                                 struct psw_error *err)
{
    PSW_ASSERT(psw_config_is_onpolicy(stage->config));
    struct psw_policy_steps *s = calloc(1, sizeof *s);
    psw_status rc = s ? PSW_OK : psw_fail(err, PSW_ENOMEM, "policy: no memory");
    if ((rc = psw_agree(stage->comm, rc, err)) != PSW_OK) {
        free(s);
        return rc;
    }
    const char *dir = s->work.place[PSW_STAGE_POLICY].path;
    PSW_TRY(psw_stage_open(PSW_STAGE_POLICY, stage, &s->work, err));
    if (s->work.team.rank == 0) rc = psw_file_make_dir(dir, err);
    PSW_TRY(psw_agree(stage->comm, rc, err));
    PSW_TRY(psw_policy_begin(s->work.own, err));
    *out = s;
    return PSW_OK;
fail:
    psw_policy_steps_close(s);
    return rc;
}

void psw_policy_steps_close(struct psw_policy_steps *s)
{
    if (s) psw_stage_close(&s->work);
    free(s);
}

psw_status psw_policy_steps_next(struct psw_policy_steps *s, struct psw_error *err)
{
    double metric[PSW_MAX_METRICS], n_tok;
    struct psw_policy *p = s->work.own;
    return p->kind->loop.step(p, s->n_step++, metric, &n_tok, err);
}

const struct psw_onpolicy_step *psw_policy_steps_last(const struct psw_policy_steps *s)
{
    return psw_policy_rollouts_step(s->work.own);
}

size_t psw_policy_steps_bytes(const struct psw_policy_steps *s)
{
    return psw_stage_bytes(&s->work);
}
