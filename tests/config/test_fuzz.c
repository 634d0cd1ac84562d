/* Damaged sweep files: cut short, bytes changed, lines moved. Each is either read or refused
 * with a message that names the file; the sanitizers of the dev preset watch the rest. */
#include <support/support.h>

#include <posweep/config/sweep_file.h>
#include <posweep/util/rng.h>
#include <stdlib.h>
#include <string.h>

static const char TEXT[] =
    "# a comment\n"
    "name: fuzz\n"
    "replicates: 2\n"
    "base:\n"
    "  model: {layers: 2, width: 64, heads: 4}\n"
    "  policy.beta: 0.1\n"
    "  policy: {negative: {off_until: 20}, lr: 1e-4}\n"
    "limits: {ranks_per_run: 2}\n"
    "blocks:\n"
    "  - set: {policy.method: \"ipo\", preset: flat}\n"
    "    axes: {policy.gamma: [0.1, 0.2], trace: {every: [10, 20]}}\n"
    "    zip: [{policy.epsilon: [0.1, 0.2], policy.alpha: [1, 2]}]\n"
    "    variants: {vanilla: {}, early: {preset: no_negative_early, policy.drop: top}}\n"
    "    except:\n"
    "      - {policy.gamma: 0.1, variant: early}\n"
    "  - variants: [cdpo]\n";
static const struct psw_rng RNG = {.seed = 1, .use = PSW_RNG_TEST};

static void read_or_refuse(const char *text, size_t n_bytes)
{
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    if (psw_sweep_parse("x.yaml", text, n_bytes, &sweep, &err) == PSW_OK) {
        assert_true(sweep->n_run > 0);
        psw_sweep_destroy(sweep);
        return;
    }
    assert_null(sweep);
    if (strncmp(err.text, "x.yaml:", 7) != 0) fail_msg("no place: %s", err.text);
    assert_true(strlen(err.text) > 10);
}

static void a_file_cut_at_any_byte_is_read_or_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof TEXT; n++) {
        char *cut = malloc(n ? n : 1); /* of this very size, so that a read beyond it is seen */
        memcpy(cut, TEXT, n);
        read_or_refuse(cut, n);
        free(cut);
    }
}

static void a_file_with_any_byte_changed_is_read_or_refused(void **state)
{
    (void)state;
    static const char ODD[] = "{}[]:,-#&*!|>'\"%@`?\n\t 0\0\x80\xff";
    for (uint64_t i = 0; i < 1500; i++) {
        char text[sizeof TEXT];
        memcpy(text, TEXT, sizeof TEXT);
        const uint64_t n_change = 1 + psw_rng_below(RNG, i, 0, 3);
        for (uint32_t j = 0; j < n_change; j++)
            text[psw_rng_below(RNG, i, 2 * j + 1, sizeof TEXT - 1)] =
                ODD[psw_rng_below(RNG, i, 2 * j + 2, sizeof ODD - 1)];
        read_or_refuse(text, sizeof TEXT - 1);
    }
}

static void a_file_with_a_piece_moved_is_read_or_refused(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 500; i++) {
        char text[sizeof TEXT + 64];
        const size_t from = psw_rng_below(RNG, i, 100, sizeof TEXT - 64);
        const size_t to = psw_rng_below(RNG, i, 101, sizeof TEXT - 1);
        const size_t n = 1 + psw_rng_below(RNG, i, 102, 63);
        memcpy(text, TEXT, to);
        memcpy(text + to, TEXT + from, n);
        memcpy(text + to + n, TEXT + to, sizeof TEXT - 1 - to);
        read_or_refuse(text, sizeof TEXT - 1 + n);
    }
}

static void deep_and_wide_files_are_refused_without_harm(void **state)
{
    (void)state;
    enum { N = 20000 };
    char *text = malloc(N + 16);
    static const char *const HEADS[] = {"[", "{", "- ", "a: {", "? "};
    for (size_t h = 0; h < sizeof HEADS / sizeof HEADS[0]; h++) {
        const size_t n = strlen(HEADS[h]);
        for (size_t i = 0; i + n <= N; i += n) memcpy(text + i, HEADS[h], n);
        read_or_refuse(text, N / n * n);
    }
    memset(text, 'x', N);
    memcpy(text, "name: ", 6);
    read_or_refuse(text, N);
    memset(text, '\n', N);
    read_or_refuse(text, N);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_cut_at_any_byte_is_read_or_refused),
        cmocka_unit_test(a_file_with_any_byte_changed_is_read_or_refused),
        cmocka_unit_test(a_file_with_a_piece_moved_is_read_or_refused),
        cmocka_unit_test(deep_and_wide_files_are_refused_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
