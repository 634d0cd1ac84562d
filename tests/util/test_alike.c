/* Items of one key, against a search of the whole list. */
#include <support/support.h>

#include <posweep/util/alike.h>

enum { N = 300, N_KEY = 40 };

static void items_of_a_key_are_linked_in_order(void **state)
{
    (void)state;
    uint64_t key[N];
    struct psw_alike alike = {0};
    for (int64_t i = 0; i < N; i++)
        key[i] = (uint64_t)(i * i * 7919 % N_KEY) * 0x9e3779b97f4a7c15u;
    assert_int_equal(psw_alike_init(key, N, &alike, NULL), PSW_OK);
    for (int64_t i = 0; i < N; i++) {
        int64_t first = 0, next = i + 1;
        while (key[first] != key[i]) first++;
        while (next < N && key[next] != key[i]) next++;
        assert_int_equal(alike.first[i], first);
        assert_int_equal(alike.next[i], next);
    }
    psw_alike_clear(&alike);
    assert_null(alike.first);
}

static void an_empty_list_has_no_items(void **state)
{
    (void)state;
    struct psw_alike alike = {0};
    assert_int_equal(psw_alike_init(NULL, 0, &alike, NULL), PSW_OK);
    psw_alike_clear(&alike);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_of_a_key_are_linked_in_order),
        cmocka_unit_test(an_empty_list_has_no_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
