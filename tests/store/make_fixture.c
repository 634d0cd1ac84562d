/* make_fixture OUT.h5 [whole | begun]: the made-up sweep as a file, for readers in other
 * languages. */
#include <store/fixture.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3 ||
        (argc == 3 && strcmp(argv[2], "whole") != 0 && strcmp(argv[2], "begun") != 0)) {
        fprintf(stderr, "make_fixture OUT.h5 [whole | begun]\n");
        return 64;
    }
    const char *kind = argc == 3 ? argv[2] : "";
    if (strcmp(kind, "whole") == 0)
        fixture_write_whole(argv[1]);
    else if (strcmp(kind, "begun") == 0)
        fixture_write_begun(argv[1]);
    else
        fixture_write(argv[1], NULL);
    int64_t n_violation = 0;
    struct psw_error err;
    if (psw_results_check(argv[1], stderr, &n_violation, &err) != PSW_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    return n_violation != 0;
}
