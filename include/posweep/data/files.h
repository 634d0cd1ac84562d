/* Data from files: JSON lines (.jsonl, .jsonl.gz) or one JSON array (.json), an object in each
 * row. Other keys than those of the form are ignored.
 *
 * Files of pairs, SFT items and prompts are of any form of source/form.c: texts or
 * conversations, told by the keys of their first row, or asked for by name. A dialogue of
 * HH-RLHF ends its prompt with the last "\n\nAssistant:". Replies beside a `prompt` text are
 * replies; where all sides of all such rows of a file begin with their prompt, they repeat it,
 * and it is taken off. Such a file is read twice. Conversations become texts by a chat template
 * (chat/template.h), which may also go around texts.
 *
 * `gsm8k`, questions with a verifiable answer: `question` and `answer` strings, the answer
 * ending with a line "#### number"; `verl`, the same with `reward_model.ground_truth`. There
 * are no pairs: the data serve SFT and methods that sample. The prompt is the question and a
 * line break, the response the answer as it stands, or both as a template has them.
 *
 * A response is its tokens and an EOS that counts towards max_response. Too long: the prompt
 * loses its beginning and a response its end; or the row is dropped. Both are counted. An
 * answer of gsm8k always loses its row, for its end is what counts.
 *
 * A response that was cut has no EOS: SFT, pairs and reward model alike see a text that goes
 * on, so nothing teaches a policy to end where the limit was. Its tokens count as they are (n±
 * without an EOS), and a reward model reads its score at its last token, as of a sample that
 * did not end. The cut is at a character boundary and no further back: without an EOS behind
 * it, the end of a word says no more than its middle, and responses would be shorter than
 * allowed. A row of which a reply would keep nothing is dropped as too long. */
#ifndef POSWEEP_DATA_FILES_H
#define POSWEEP_DATA_FILES_H

#include <posweep/data/dataset.h>
#include <posweep/data/limits.h>

struct psw_template; /* chat/template.h, inside */

/** A file of prompts alone: of rollouts, or of final responses and evaluation. */
struct psw_prompt_file {
    const char *path, *form; /* form NULL: by the keys of the first row */
    int64_t limit;           /* 0 = all */
};

/** What to read, and how. */
struct psw_file_opts {
    const char *pairs;   /* training pairs */
    const char *heldout; /* held-out rows; NULL or "": split off from the training file */
    const char *sft; /* SFT items. gsm8k, verl: the training rows. Of pairs: NULL or "" is the
                        chosen side of the training pairs */
    struct psw_prompt_file prompts, final_prompts; /* of pairs: path NULL or "": none */
    struct {
        const struct psw_tokenizer *tokenizer;    /* NULL: byte; outlives the data set */
        const char *tokenizer_path;               /* of its files */
        const struct psw_template *chat_template; /* NULL: hh. borrowed */
        const char *template_path;                /* of its file */
    } text;
    struct {
        const char *form; /* a name of form.c, where it serves what a file is read for; NULL: by
                             the keys of the first row */
        int64_t limit;    /* read the first rows of each file only; 0 = all */
        int all_turns;  /* SFT: every turn of an assistant is an item, not the last one only */
        int drop_equal; /* hh: drop rows with chosen == rejected */
        int keep_prompt_mismatch; /* hh: keep rows whose prompts differ: longest common dialogue
                                     prefix */
    } rows;
    struct {
        int32_t max_prompt;   /* tokens; 0 = no limit */
        int32_t max_response; /* tokens with EOS; 0 = no limit */
        int drop_long;        /* drop rows that are too long instead of cutting them */
    } length;
    double heldout_share; /* of the split, by hash of how the prompt begins; 0 = 0.05 */
    struct {              /* of a look at a file */
        int keeps_all;    /* nothing is held out */
        const char *as;   /* "pairs", "sft" or "prompts"; NULL: by the keys of a row */
    } look;
    struct {
        const char *folder;  /* of the index of large files; NULL or "": none is kept */
        int64_t least_bytes; /* files of so much together are large; 0: 16 MiB */
    } index;
    struct psw_data_limits limits; /* zeroed: of this machine */
};

/** Read a data set. hh: rows with chosen == rejected are kept unless drop_equal; rows with
 * different prompts are dropped unless keep_prompt_mismatch; held-out rows whose opening (the
 * text up to the first "\n\nAssistant:") occurs in the training rows are dropped. gsm8k: rows
 * without a final answer are dropped, and so are rows whose prompt has another answer or is on
 * the other side. Errors: PSW_ENOENT, PSW_EPERM, PSW_EIO; PSW_EDATA with file:line:column for
 * broken JSON, text that is not UTF-8, missing or wrongly typed keys, a truncated gzip stream,
 * no rows of use; PSW_EUNSUP for Parquet, Git LFS pointers and message lists. */
psw_status psw_files_open(enum psw_source source, const struct psw_file_opts *opts,
                          struct psw_dataset **out, struct psw_error *err);

/** Read one file, whatever is in it, into the list that fits (pairs, sft, or prompts_heldout),
 * with the tokenizer and the chat template of these names ("": bytes, hh). Of opts the limits
 * and the form are heeded. Owns: the caller destroys. Errors: as psw_files_open; PSW_EDATA for
 * keys that are of no form. */
psw_status psw_files_look(const char *path, const char *tokenizer, const char *chat_template,
                          const struct psw_file_opts *opts, struct psw_dataset **out,
                          struct psw_error *err);

#endif
