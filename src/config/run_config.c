/* The settings of a sweep's runs, unpacked one after another. */
#include <posweep/config/sweep_file.h>

const struct psw_config *psw_sweep_config(const struct psw_sweep *sweep, int64_t run,
                                          struct psw_config_reader *reader)
{
    const struct psw_run *r = &sweep->run[run];
    if (reader->sweep != sweep || reader->place != r->config) {
        psw_config_list_get(&sweep->configs, r->config, &reader->config);
        reader->sweep = sweep;
        reader->place = r->config;
    }
    reader->config.seed = r->seed;
    return &reader->config;
}

int64_t psw_sweep_next_config(const struct psw_sweep *sweep, int64_t run)
{
    while (run > 0 && run < sweep->n_run &&
           sweep->run[run].config == sweep->run[run - 1].config)
        run++;
    return run;
}

psw_status psw_sweep_change(struct psw_sweep *sweep,
                            psw_status (*change)(void *ctx, struct psw_config *config,
                                                 struct psw_error *err),
                            void *ctx, struct psw_error *err)
{
    struct psw_config_list changed = {0};
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < sweep->configs.n; i++) {
        struct psw_config config;
        psw_config_list_get(&sweep->configs, i, &config);
        PSW_TRY(change(ctx, &config, err));
        PSW_TRY(psw_config_list_add(&changed, &config, err));
    }
    psw_config_list_clear(&sweep->configs);
    sweep->configs = changed;
    return PSW_OK;
fail:
    psw_config_list_clear(&changed);
    return rc;
}
