#include <support/support.h>

#include <math.h>
#include <posweep/store/record.h>
#include <stdlib.h>
#include <string.h>

static struct psw_record *make(void)
{
    struct psw_record *r = NULL;
    assert_int_equal(psw_record_create(&r, NULL), PSW_OK);
    const double g[6] = {1, 2, 3, 4, 5, NAN};
    const float f[2] = {0.5f, -1.5f};
    const int32_t tokens[3] = {7, 8, -9};
    const char *const names[] = {"total", "pos", "neg"};
    psw_record_put(r, "G", PSW_F64, psw_shape_2d(2, 3), g);
    psw_record_put(r, "kappa", PSW_F32, psw_shape_1d(2), f);
    psw_record_put(r, "token", PSW_I32, psw_shape_1d(3), tokens);
    psw_record_put(r, "empty", PSW_F64, psw_shape_1d(0), NULL);
    psw_record_put_i64(r, "step", INT64_MIN);
    psw_record_put_text(r, "message", "caf\xc3\xa9");
    psw_record_put_labels(r, "component", names, 3);
    return r;
}

static void packed_record_unpacks_to_the_same_fields(void **state)
{
    (void)state;
    struct psw_record *r = make(), *back = NULL;
    const void *bytes = NULL;
    size_t n_bytes = 0;
    assert_int_equal(psw_record_pack(r, &bytes, &n_bytes, NULL), PSW_OK);
    assert_int_equal(psw_record_unpack(bytes, n_bytes, &back, NULL), PSW_OK);
    assert_int_equal(psw_record_n_field(back), psw_record_n_field(r));
    for (int64_t i = 0; i < psw_record_n_field(r); i++) {
        const struct psw_field *a = psw_record_field(r, i), *b = psw_record_field(back, i);
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->type, b->type);
        assert_int_equal(a->shape.n_dim, b->shape.n_dim);
        assert_memory_equal(a->shape.dim, b->shape.dim, sizeof a->shape.dim);
        assert_memory_equal(a->data, b->data,
                            (size_t)psw_shape_count(a->shape) * psw_type_bytes(a->type));
        assert_int_equal((uintptr_t)b->data % 8, 0);
    }
    assert_string_equal(psw_record_text(back, "component"), "total\npos\nneg");
    assert_true(psw_record_i64(back, "step", 0, 0) == INT64_MIN);
    assert_int_equal(psw_record_i64(back, "token", 2, 0), -9);
    assert_true(psw_record_f64(back, "kappa", 1) == -1.5);
    psw_record_destroy(back);
    psw_record_destroy(r);
}

static void missing_fields_give_the_missing_value(void **state)
{
    (void)state;
    struct psw_record *r = make();
    assert_null(psw_record_get(r, "nothing"));
    assert_null(psw_record_field(r, 99));
    assert_true(isnan(psw_record_f64(r, "nothing", 0)));
    assert_true(isnan(psw_record_f64(r, "message", 0)));
    assert_int_equal(psw_record_i64(r, "G", 0, -7), -7);
    assert_string_equal(psw_record_text(r, "G"), "");
    psw_record_destroy(r);
}

static void record_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    struct psw_record *r = make(), *back = NULL;
    const void *bytes = NULL;
    size_t n_bytes = 0;
    assert_int_equal(psw_record_pack(r, &bytes, &n_bytes, NULL), PSW_OK);
    for (size_t n = 0; n < n_bytes; n++) {
        unsigned char *cut = malloc(n + 1); /* its own block: a sanitizer sees any overrun */
        memcpy(cut, bytes, n);
        assert_int_equal(psw_record_unpack(cut, n, &back, NULL), PSW_EDATA);
        free(cut);
    }
    psw_record_destroy(r);
}

static void record_with_a_flipped_bit_is_refused(void **state)
{
    (void)state;
    struct psw_record *r = make(), *back = NULL;
    const void *bytes = NULL;
    size_t n_bytes = 0;
    assert_int_equal(psw_record_pack(r, &bytes, &n_bytes, NULL), PSW_OK);
    unsigned char *bad = malloc(n_bytes);
    for (size_t i = 0; i < n_bytes; i++) {
        memcpy(bad, bytes, n_bytes);
        bad[i] ^= 0x10;
        assert_int_equal(psw_record_unpack(bad, n_bytes, &back, NULL), PSW_EDATA);
    }
    free(bad);
    psw_record_destroy(r);
}

static void field_put_twice_is_reported_by_pack(void **state)
{
    (void)state;
    struct psw_record *r = make();
    struct psw_error err;
    const void *bytes;
    size_t n_bytes;
    psw_record_put_f64(r, "G", 1);
    psw_record_put_f64(r, "later", 1); /* after a fault nothing more is taken */
    assert_int_equal(psw_record_pack(r, &bytes, &n_bytes, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "\"G\" is there twice"));
    psw_record_clear(r);
    psw_record_put_f64(r, "G", 1);
    assert_int_equal(psw_record_pack(r, &bytes, &n_bytes, &err), PSW_OK);
    psw_record_destroy(r);
}

static void shape_that_overflows_is_refused(void **state)
{
    (void)state;
    struct psw_record *r = NULL;
    const void *bytes;
    size_t n_bytes;
    assert_int_equal(psw_record_create(&r, NULL), PSW_OK);
    psw_record_put(r, "x", PSW_F64, psw_shape_2d((int64_t)1 << 40, (int64_t)1 << 40), "");
    assert_int_equal(psw_record_pack(r, &bytes, &n_bytes, NULL), PSW_EINVAL);
    psw_record_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_record_unpacks_to_the_same_fields),
        cmocka_unit_test(missing_fields_give_the_missing_value),
        cmocka_unit_test(record_cut_at_any_byte_is_refused),
        cmocka_unit_test(record_with_a_flipped_bit_is_refused),
        cmocka_unit_test(field_put_twice_is_reported_by_pack),
        cmocka_unit_test(shape_that_overflows_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
