/* Packing: the tree of a pair, its rows, the copies without sharing, and planned memory. */
#include <support/support.h>

#include <posweep/data/batch.h>
#include <string.h>

static const int32_t PROMPT[] = {10, 11, 12}, GOOD[] = {20, 21, 22, 0}, BAD[] = {30, 0},
                     EOS[] = {0};

static struct psw_example pair_of(const int32_t *bad, int32_t n_bad)
{
    return (struct psw_example){.prompt = PROMPT,
                                .n_prompt = 3,
                                .n_seq = 2,
                                .response = {GOOD, bad},
                                .n_response = {4, n_bad}};
}

static void pack(const struct psw_example *example, unsigned how, struct psw_arena *arena,
                 struct psw_batch *out)
{
    const struct psw_example *const list[] = {example};
    psw_batch_pack(list, 1, how, arena, out);
}

static struct psw_arena *open_arena(void)
{
    struct psw_arena *arena = NULL;
    assert_int_equal(psw_arena_create("batch test", 1 << 20, &arena, NULL), PSW_OK);
    return arena;
}

static void shared_pair_is_a_prompt_with_two_children(void **state)
{
    (void)state;
    struct psw_arena *arena = open_arena();
    const struct psw_example e = pair_of(BAD, 2);
    struct psw_batch b;
    pack(&e, 1, arena, &b);
    const int32_t token[] = {10, 11, 12, 20, 21, 22, 30}, position[] = {0, 1, 2, 3, 4, 5, 3};
    assert_int_equal(b.n_tok, 7);
    assert_memory_equal(b.token, token, sizeof token);
    assert_memory_equal(b.position, position, sizeof position);
    const int64_t segment[3][3] = {{0, 3, -1}, {3, 3, 0}, {6, 1, 0}};
    assert_int_equal(b.n_seg, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(b.segment[i].start, segment[i][0]);
        assert_int_equal(b.segment[i].length, segment[i][1]);
        assert_int_equal(b.segment[i].parent, segment[i][2]);
    }
    assert_int_equal(b.max_path, 6);
    psw_arena_destroy(arena);
}

static void rows_predict_the_response_from_the_prompts_last_token_on(void **state)
{
    (void)state;
    struct psw_arena *arena = open_arena();
    const struct psw_example e = pair_of(BAD, 2);
    struct psw_batch b;
    pack(&e, 1, arena, &b);
    const int32_t source[] = {2, 3, 4, 5, 2, 6}, target[] = {20, 21, 22, 0, 30, 0};
    const int32_t seq[] = {0, 0, 0, 0, 1, 1}, item[] = {0, 0};
    const int64_t seq_row[] = {0, 4, 6};
    assert_int_equal(b.n_row, 6);
    assert_int_equal(b.n_seq, 2);
    assert_memory_equal(b.row.source, source, sizeof source);
    assert_memory_equal(b.row.target, target, sizeof target);
    assert_memory_equal(b.row.seq, seq, sizeof seq);
    assert_memory_equal(b.seq_row, seq_row, sizeof seq_row);
    assert_memory_equal(b.seq_item, item, sizeof item);
    psw_arena_destroy(arena);
}

static void unshared_pair_copies_the_prompt(void **state)
{
    (void)state;
    struct psw_arena *arena = open_arena();
    const struct psw_example e = pair_of(BAD, 2);
    struct psw_batch b;
    pack(&e, 0, arena, &b);
    const int32_t token[] = {10, 11, 12, 20, 21, 22, 10, 11, 12, 30};
    const int32_t source[] = {2, 3, 4, 5, 8, 9};
    assert_int_equal(b.n_tok, 10);
    assert_int_equal(b.n_seg, 2);
    assert_memory_equal(b.token, token, sizeof token);
    assert_memory_equal(b.row.source, source, sizeof source);
    assert_int_equal(b.segment[1].start, 6);
    assert_int_equal(b.segment[1].parent, -1);
    assert_int_equal(b.max_path, 6);
    psw_arena_destroy(arena);
}

/** Every response token is an input, and the one row of a response reads its last. */
static void last_only_makes_one_row_per_whole_response(void **state)
{
    (void)state;
    struct psw_arena *arena = open_arena();
    const struct psw_example e = pair_of(BAD, 2), one = pair_of(EOS, 1);
    static const int32_t TOKEN[2][12] = {{10, 11, 12, 20, 21, 22, 0, 10, 11, 12, 30, 0},
                                         {10, 11, 12, 20, 21, 22, 0, 30, 0}};
    static const int32_t SOURCE[2][2] = {{6, 11}, {6, 8}};
    for (unsigned share = 0; share < 2; share++) {
        struct psw_batch b, empty;
        pack(&e, PSW_PACK_LAST | share, arena, &b);
        assert_int_equal(b.n_tok, share ? 9 : 12);
        assert_memory_equal(b.token, TOKEN[share], (size_t)b.n_tok * sizeof *b.token);
        assert_int_equal(b.max_path, 7);
        assert_int_equal(b.n_seq, 2);
        assert_int_equal(b.n_row, 2);
        for (int s = 0; s < 2; s++) {
            assert_int_equal(b.row.source[s], SOURCE[share][s]);
            assert_int_equal(b.row.target[s], 0);
            assert_int_equal(b.row.seq[s], s);
            assert_int_equal(b.seq_row[s], s);
        }
        assert_int_equal(b.seq_row[2], 2);
        pack(&one, PSW_PACK_LAST | share, arena, &empty); /* an EOS alone is read, too */
        assert_int_equal(empty.n_tok, share ? 8 : 11);
        assert_int_equal(empty.n_row, 2);
        assert_int_equal(empty.row.source[1], empty.n_tok - 1);
    }
    psw_arena_destroy(arena);
}

/** Tokens on the path that ends at a row's source, from the segments alone. */
static int64_t path_of_row(const struct psw_batch *b, int64_t row, int32_t *out)
{
    int64_t n = 0, at = b->row.source[row], seg = 0;
    while (at >= b->segment[seg].start + b->segment[seg].length) seg++;
    for (int64_t end = at + 1; seg >= 0; seg = b->segment[seg].parent) {
        for (int64_t i = end - 1; i >= b->segment[seg].start; i--) out[n++] = b->token[i];
        const int32_t up = b->segment[seg].parent;
        end = up < 0 ? 0 : b->segment[up].start + b->segment[up].length;
    }
    return n;
}

static void sharing_does_not_change_what_a_row_sees(void **state)
{
    (void)state;
    struct psw_arena *arena = open_arena();
    const struct psw_example a = pair_of(BAD, 2), c = pair_of(EOS, 1);
    const struct psw_example *const list[] = {&a, &c, &a};
    struct psw_batch shared, copied;
    psw_batch_pack(list, 3, 1, arena, &shared);
    psw_batch_pack(list, 3, 0, arena, &copied);
    assert_int_equal(shared.n_row, copied.n_row);
    for (int64_t row = 0; row < shared.n_row; row++) {
        int32_t x[16], y[16];
        const int64_t n = path_of_row(&shared, row, x);
        assert_int_equal(n, path_of_row(&copied, row, y));
        assert_memory_equal(x, y, (size_t)n * sizeof *x);
        assert_int_equal(shared.position[shared.row.source[row]], n - 1);
        assert_int_equal(shared.row.target[row], copied.row.target[row]);
    }
    psw_arena_destroy(arena);
}

static void empty_reply_makes_a_row_but_no_segment(void **state)
{
    (void)state;
    struct psw_arena *arena = open_arena();
    const struct psw_example e = pair_of(EOS, 1);
    struct psw_batch b;
    pack(&e, 1, arena, &b);
    assert_int_equal(b.n_seg, 2);
    assert_int_equal(b.n_seq, 2);
    assert_int_equal(b.row.source[4], 2);
    assert_int_equal(b.row.target[4], 0);
    psw_arena_destroy(arena);
}

static void prompt_alone_has_tokens_and_no_rows(void **state)
{
    (void)state;
    struct psw_arena *arena = open_arena();
    const struct psw_example e = {.prompt = PROMPT, .n_prompt = 3};
    for (unsigned how = 0; how < 4; how++) {
        struct psw_batch b;
        pack(&e, how, arena, &b);
        assert_int_equal(b.n_tok, 3);
        assert_int_equal(b.n_seg, 1);
        assert_int_equal(b.n_row, 0);
        assert_int_equal(b.seq_row[0], 0);
        assert_int_equal(b.max_path, 3);
    }
    psw_arena_destroy(arena);
}

static void packing_takes_what_measuring_and_reserving_planned(void **state)
{
    (void)state;
    struct psw_arena *arena = open_arena(), *plan = NULL, *reserve = NULL;
    assert_int_equal(psw_arena_create_measuring("plan", &plan, NULL), PSW_OK);
    assert_int_equal(psw_arena_create_measuring("reserve", &reserve, NULL), PSW_OK);
    const struct psw_example a = pair_of(BAD, 2), c = pair_of(EOS, 1);
    const struct psw_example *const list[] = {&a, &c};
    struct psw_batch measured, planned, packed, bound = {0};
    const unsigned how = PSW_PACK_SHARE | PSW_PACK_LAST;
    psw_batch_measure(list, 2, how, &measured);
    psw_batch_pack(list, 2, how, plan, &planned);
    psw_batch_pack(list, 2, how, arena, &packed);
    assert_null(planned.token);
    assert_memory_equal(&measured, &planned, sizeof planned);
    psw_batch_widen(&bound, &measured);
    assert_memory_equal(&bound, &measured, sizeof bound);
    psw_batch_reserve(&bound, reserve);
    assert_int_equal(psw_arena_peak_bytes(plan), psw_arena_peak_bytes(arena));
    assert_int_equal(psw_arena_peak_bytes(plan), psw_arena_peak_bytes(reserve));
    psw_arena_destroy(reserve);
    psw_arena_destroy(plan);
    psw_arena_destroy(arena);
}

static void bound_holds_any_batch_of_the_examples(void **state)
{
    (void)state;
    const struct psw_example list[2] = {pair_of(BAD, 2), pair_of(EOS, 1)};
    const struct psw_example *const batch[] = {&list[0], &list[0], &list[1]};
    struct psw_batch bound, shape, widened;
    psw_batch_bound(list, 2, 3, 1, &bound);
    psw_batch_measure(batch, 3, 1, &shape);
    widened = bound;
    psw_batch_widen(&widened, &shape);
    assert_memory_equal(&widened, &bound, sizeof bound);
    assert_int_equal(bound.n_tok, 21);
    assert_int_equal(bound.max_path, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_pair_is_a_prompt_with_two_children),
        cmocka_unit_test(rows_predict_the_response_from_the_prompts_last_token_on),
        cmocka_unit_test(unshared_pair_copies_the_prompt),
        cmocka_unit_test(last_only_makes_one_row_per_whole_response),
        cmocka_unit_test(sharing_does_not_change_what_a_row_sees),
        cmocka_unit_test(empty_reply_makes_a_row_but_no_segment),
        cmocka_unit_test(prompt_alone_has_tokens_and_no_rows),
        cmocka_unit_test(bound_holds_any_batch_of_the_examples),
        cmocka_unit_test(packing_takes_what_measuring_and_reserving_planned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
