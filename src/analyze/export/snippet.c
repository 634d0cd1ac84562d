/* Snippets: what is of this file (its path, cells, left-out runs) as literals, then the same
 * code for every file. */
#include <posweep/analyze/snippet.h>

#include <posweep/analyze/cells.h>
#include <posweep/config/nearest.h>

#include <math.h>
#include <string.h>

enum { MOST_PANELS = 12 };

static const char PYTHON[] =
    "counts = (ds.status == 2) & ~ds.run.isin(left_out)  # 2: done\n"
    "figure, axes = plt.subplots(1, len(cells), sharey=True, squeeze=False,\n"
    "                            figsize=(3.2 * len(cells), 3))\n"
    "for axis, (name, group) in zip(axes[0], cells.items()):\n"
    "    cell = ds.isel(run=(counts & (ds.group == group)).values)\n"
    "    n = int((cell.step[0] >= 0).sum()) - 1  # at the last checkpoint G is noise alone\n"
    "    step = cell.step[0, :n].values.astype(int)\n"
    "    g = (cell[G] / cell[norm]).isel(checkpoint=slice(n)).sel(component=components)\n"
    "    g = g.assign_coords(step=(\"checkpoint\", step)).swap_dims(checkpoint=\"step\")\n"
    "    mean = g.mean(\"run\")\n"
    "    print(name)\n"
    "    print(mean.transpose(\"step\", \"component\").to_pandas())\n"
    "    axis.axhline(0, color=\"grey\", linewidth=0.8)\n"
    "    for i, component in enumerate(components):\n"
    "        of = g.sel(component=component).transpose(\"step\", \"run\").values\n"
    "        axis.plot(step, of, color=f\"C{i}\", linewidth=0.6, alpha=0.5)\n"
    "        axis.plot(step, mean.sel(component=component).values, color=f\"C{i}\",\n"
    "                  linewidth=2, label=component)\n"
    "    axis.set(title=name, xlabel=\"step\")\n"
    "axes[0][0].set_ylabel(G + \" / |v|\")\n"
    "axes[0][0].legend()\n"
    "figure.tight_layout()\n"
    "plt.show()\n";

static const char R[] =
    "get <- function(name) h5read(path, name)  # dimensions are reversed: run is the last\n"
    "counts <- get(\"status\") == 2 & !(get(\"run\") %in% left_out)  # 2: done\n"
    "scaled <- sweep(get(G), c(2, 3), get(norm), \"/\")  # [component, checkpoint, run]\n"
    "rows <- match(components, get(\"component\"))\n"
    "step <- get(\"step\")\n"
    "par(mfrow = n2mfrow(length(cells)))\n"
    "for (name in names(cells)) {\n"
    "  run <- which(counts & get(\"group\") == cells[[name]])\n"
    "  n <- sum(step[, run[1]] >= 0, na.rm = TRUE) - 1  # at the last checkpoint G is noise\n"
    "  at <- step[seq_len(n), run[1]]\n"
    "  g <- scaled[rows, seq_len(n), run, drop = FALSE]\n"
    "  mean_g <- apply(g, 1:2, mean)\n"
    "  rownames(mean_g) <- components\n"
    "  cat(name, \"\\n\")\n"
    "  print(data.frame(step = at, t(mean_g)))\n"
    "  plot(range(at), range(0, g, na.rm = TRUE), type = \"n\", main = name, xlab = \"step\",\n"
    "       ylab = paste(G, \"/ |v|\"))\n"
    "  abline(h = 0, col = \"grey\")\n"
    "  for (i in seq_along(components)) {\n"
    "    for (k in seq_along(run)) lines(at, g[i, , k], col = i + 1, lwd = 0.6)\n"
    "    lines(at, mean_g[i, ], col = i + 1, lwd = 3)\n"
    "  }\n"
    "  legend(\"topright\", components, col = seq_along(components) + 1, lwd = 3, bty = "
    "\"n\")\n"
    "}\n";

static const char JULIA[] =
    "panels = h5open(path) do f  # dimensions are reversed: run is the last\n"
    "    get(name) = read(f[name])\n"
    "    counts = (get(\"status\") .== 2) .& .!in.(get(\"run\"), Ref(left_out))  # 2: done\n"
    "    rows = [findfirst(==(c), get(\"component\")) for c in components]\n"
    "    scaled = get(G) ./ reshape(get(norm), 1, size(get(norm))...)\n"
    "    map(cells) do (name, group)\n"
    "        run = findall(counts .& (get(\"group\") .== group))\n"
    "        step = get(\"step\")[:, run[1]]\n"
    "        n = count(>=(0), step) - 1  # at the last checkpoint G is noise alone\n"
    "        g = scaled[rows, 1:n, run]\n"
    "        means = dropdims(mean(g, dims=3), dims=3)\n"
    "        println(name)\n"
    "        display([step[1:n] means'])\n"
    "        p = plot(title=name, xlabel=\"step\", ylabel=G * \" / |v|\")\n"
    "        hline!(p, [0], color=:grey, label=\"\")\n"
    "        for i in eachindex(components)\n"
    "            plot!(p, step[1:n], g[i, :, :], color=i, linewidth=0.6, label=\"\")\n"
    "            plot!(p, step[1:n], means[i, :], color=i, linewidth=3, label=components[i])\n"
    "        end\n"
    "        p\n"
    "    end\n"
    "end\n"
    "display(plot(panels...))\n";

/** How a language writes what is of the file. */
static const struct language {
    const char *name, *comment, *begin, *set;
    const char *list[2];     /* around a list of texts */
    const char *map[3];      /* before, between key and value, after */
    const char *item_before; /* around an item of a map */
    const char *item_after;
    const char *empty;  /* a list of no texts */
    const char *escape; /* bytes that need a backslash besides " and \ */
    const char *load;   /* after the literals, before the code */
    const char *code;
} LANGUAGES[] = {
    {"python",
     "#",
     "import matplotlib.pyplot as plt\nimport xarray as xr\n\n",
     "=",
     {"[", "]"},
     {"{", ": ", "}"},
     "",
     "",
     "[]",
     "",
     "ds = xr.open_dataset(path)\n",
     PYTHON},
    {"r",
     "#",
     "library(rhdf5)  # Bioconductor\n\n",
     "<-",
     {"c(", ")"},
     {"c(", " = ", ")"},
     "",
     "",
     "character(0)",
     "",
     "",
     R},
    {"julia",
     "#",
     "using HDF5, Plots, Statistics\n\n",
     "=",
     {"[", "]"},
     {"[", ", ", "]"},
     "(",
     ")",
     "String[]",
     "$",
     "",
     JULIA},
};
enum { N_LANGUAGE = sizeof LANGUAGES / sizeof *LANGUAGES };

static const struct language *find_language(const char *name, struct psw_error *err)
{
    const char *names[N_LANGUAGE];
    char did[PSW_DID_BYTES];
    for (int i = 0; i < N_LANGUAGE; i++) {
        names[i] = LANGUAGES[i].name;
        if (strcmp(names[i], name) == 0) return &LANGUAGES[i];
    }
    psw_did_you_mean(psw_nearest(name, names, N_LANGUAGE), did);
    psw_fail(err, PSW_EINVAL, "no language \"%.40s\"%s There are python, r and julia", name,
             did[0] ? did : ".");
    return NULL;
}

/** A literal. All three read \" \\ and \uXXXX alike. */
static void put_literal(FILE *out, const struct language *l, const char *text)
{
    fputc('"', out);
    for (const char *at = text; *at; at++) {
        if (*at == '"' || *at == '\\' || strchr(l->escape, *at)) fputc('\\', out);
        if ((unsigned char)*at < 0x20)
            fprintf(out, "\\u%04x", (unsigned)*at);
        else
            fputc(*at, out);
    }
    fputc('"', out);
}

static void put_assignment(FILE *out, const struct language *l, const char *name,
                           const char *text)
{
    fprintf(out, "%s %s ", name, l->set);
    put_literal(out, l, text);
    fputc('\n', out);
}

/** The cells of which a run counts, by their label, with the hash that tells them; the first
 *  MOST_PANELS of them. Returns how many there are. */
static int64_t put_cells(FILE *out, const struct language *l, struct psw_results *results,
                         const struct psw_cells *cells)
{
    int64_t n = 0;
    fprintf(out, "cells %s %s\n", l->set, l->map[0]);
    for (int64_t c = 0; c < cells->n_cell; c++) {
        const struct psw_cell *cell = &cells->cell[c];
        if (cell->n_used == 0 || n++ >= MOST_PANELS) continue;
        fputs(n > 1 ? ",\n    " : "    ", out);
        fputs(l->item_before, out);
        put_literal(out, l, cell->label);
        fputs(l->map[1], out);
        put_literal(out, l, psw_results_text(results, "group", cell->run[0]));
        fputs(l->item_after, out);
    }
    fprintf(out, "\n%s", l->map[2]);
    if (n > MOST_PANELS)
        fprintf(out, "  %s the first %d of %lld", l->comment, MOST_PANELS, (long long)n);
    fputc('\n', out);
    return n;
}

/** Finished runs that ran away from their SFT model. */
static void put_left_out(FILE *out, const struct language *l, struct psw_results *results,
                         const struct psw_cells *cells)
{
    int n = 0;
    fprintf(out, "left_out %s ", l->set);
    for (int64_t c = 0; c < cells->n_cell; c++)
        for (int64_t i = 0; i < cells->cell[c].n_run; i++) {
            const enum psw_apart apart = cells->cell[c].apart[i];
            if (apart == PSW_APART_NOT || apart == PSW_APART_UNENDED) continue;
            fputs(n++ ? ", " : l->list[0], out);
            put_literal(out, l, psw_results_text(results, "run", cells->cell[c].run[i]));
        }
    fprintf(out, "%s  %s ran away from their SFT model\n", n ? l->list[1] : l->empty,
            l->comment);
}

static void put_components(FILE *out, const struct language *l, struct psw_results *results)
{
    static const char *const NAMES[] = {"total", "pos", "neg"};
    int n = 0;
    fprintf(out, "components %s ", l->set);
    for (int i = 0; i < 3; i++) {
        if (psw_results_component(results, NAMES[i]) < 0) continue;
        fputs(n++ ? ", " : l->list[0], out);
        put_literal(out, l, NAMES[i]);
    }
    fprintf(out, "%s\n", n ? l->list[1] : l->empty);
}

/** The direction that all cells have. */
static const struct psw_along_columns *along_of(const struct psw_cells *cells)
{
    enum psw_along along = PSW_ALONG_SOFT;
    for (int64_t c = 0; c < cells->n_cell; c++)
        if (cells->cell[c].n_used > 0 && cells->cell[c].along != PSW_ALONG_SOFT)
            along = PSW_ALONG_SAMPLED;
    return psw_along_columns(along);
}

psw_status psw_snippet(FILE *out, struct psw_results *results, const char *path,
                       const char *language, struct psw_error *err)
{
    const struct language *l = find_language(language, err);
    const struct psw_selection all = {0};
    struct psw_traces traces;
    struct psw_cells cells = {0};
    if (!l) return PSW_EINVAL;
    psw_status rc = psw_traces_init(results, &traces, err);
    if (rc == PSW_OK) rc = psw_cells_init(results, &traces, &all, &cells, err);
    if (rc != PSW_OK) return rc;
    int64_t n_used = 0;
    for (int64_t c = 0; c < cells.n_cell; c++) n_used += cells.cell[c].n_used;
    if (n_used == 0) {
        psw_cells_clear(&cells);
        return psw_fail(
            err, PSW_EDATA,
            "no run has ended that `posweep show` counts: there is nothing to draw");
    }
    const struct psw_along_columns *along = along_of(&cells);
    fprintf(out, "%s G over |v| along training: a panel per method, variant and setting\n%s",
            l->comment, l->begin);
    put_assignment(out, l, "path", path);
    put_assignment(out, l, "G", along->g);
    put_assignment(out, l, "norm", along->norm);
    put_components(out, l, results);
    put_cells(out, l, results, &cells);
    put_left_out(out, l, results, &cells);
    fprintf(out, "%s%s", l->load, l->code);
    psw_cells_clear(&cells);
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the snippet") : PSW_OK;
}
