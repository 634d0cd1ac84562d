/* The schema's tables for people: `posweep help results` and `posweep help geometry`. */
#include <posweep/store/schema.h>

static const char *type_name(enum psw_type type)
{
    static const char *const NAMES[] = {
        [PSW_F32] = "float32", [PSW_F64] = "float64", [PSW_I8] = "int8",  [PSW_I32] = "int32",
        [PSW_I64] = "int64",   [PSW_U8] = "uint8",    [PSW_TEXT] = "text"};
    return NAMES[type];
}

static void print_table(FILE *out, enum psw_schema_kind kind)
{
    int n_row = 0;
    const struct psw_schema_row *rows = psw_schema_rows_of(kind, &n_row);
    fprintf(out,
            "| dataset | dimensions | type | unit | what it is |\n|---|---|---|---|---|\n");
    for (int i = 0; i < n_row; i++) {
        const struct psw_schema_row *r = &rows[i];
        char dims[PSW_MAX_DIMS][PSW_FIELD_BYTES];
        const int n_dim = psw_schema_dims(r, dims);
        fprintf(out, "| `%s` | ", r->name);
        for (int d = 0; d < n_dim; d++) fprintf(out, "%s%s", d ? ", " : "", dims[d]);
        fprintf(out, " | %s | %s | %s%s%s%s |\n", type_name(r->type), r->unit, r->long_name,
                r->text ? ". " : "", r->text ? r->text : "",
                r->flags & PSW_S_VOLATILE ? " *(volatile)*" : "");
    }
}

void psw_schema_markdown(FILE *out)
{
    print_table(out, PSW_SCHEMA_RESULTS);
}

void psw_schema_spectrum_markdown(FILE *out)
{
    print_table(out, PSW_SCHEMA_SPECTRUM);
    fputs("\nOf `posweep spectrum --of tensors`:\n\n", out);
    print_table(out, PSW_SCHEMA_TENSORS);
}

void psw_schema_compare_markdown(FILE *out)
{
    print_table(out, PSW_SCHEMA_COMPARE);
}
