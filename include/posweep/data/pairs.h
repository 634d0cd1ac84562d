/* Real preference pairs from files: JSON lines (.jsonl, .jsonl.gz) or one JSON array (.json),
 * each row an object with `chosen` and `rejected` strings. Without a `prompt` key the rows are
 * HH-RLHF dialogues and the prompt ends with the last "\n\nAssistant:"; with one (TRL, full-hh)
 * the sides are replies; where all sides of all such rows of a file begin with their prompt,
 * they repeat it, and it is taken off. Such a file is read twice. Other keys are ignored.
 *
 * Tokens are the bytes of the text, ids 0-255, and EOS = 256. A response is its bytes and an
 * EOS that counts towards max_response. Too long: the prompt loses its beginning and a response
 * its end; or the row is dropped. Both are counted.
 *
 * A response that was cut has no EOS: SFT, pairs and reward model alike see a text that goes
 * on, so nothing teaches a policy to end where the limit was. Its tokens count as they are (n±
 * without an EOS), and a reward model reads its score at its last byte, as of a sample that did
 * not end. The cut is at a character boundary and no further back: without an EOS behind it,
 * the end of a word says no more than its middle, and responses would be shorter than allowed.
 * A row of which a reply would keep nothing is dropped as too long. */
#ifndef POSWEEP_DATA_PAIRS_H
#define POSWEEP_DATA_PAIRS_H

#include <posweep/data/dataset.h>
#include <posweep/data/limits.h>

/** What to read, and how. */
struct psw_pairs_opts {
    const char *pairs;   /* training pairs */
    const char *heldout; /* held-out pairs; NULL or "": split off from the training file */
    const char *sft; /* SFT items; NULL or "": the chosen side of the training pairs. Rows of
                        pairs give their chosen side; {prompt, completion|response} too */
    double heldout_share;     /* of the split, by hash of the prompt's opening; 0 = 0.05 */
    int64_t limit;            /* read the first rows of each file only; 0 = all */
    int32_t max_prompt;       /* tokens; 0 = no limit */
    int32_t max_response;     /* tokens with EOS; 0 = no limit */
    int drop_long;            /* drop rows that are too long instead of cutting them */
    int drop_equal;           /* drop rows with chosen == rejected */
    int keep_prompt_mismatch; /* keep rows whose prompts differ: longest common dialogue prefix
                               */
    struct psw_data_limits limits; /* zeroed: of this machine */
};

/** Read a data set. Rows with chosen == rejected are kept unless drop_equal; rows with
 * different prompts are dropped unless keep_prompt_mismatch. Held-out rows whose opening (the
 * text up to the first "\n\nAssistant:") occurs in the training rows are dropped. Errors:
 * PSW_ENOENT, PSW_EPERM, PSW_EIO; PSW_EDATA with file:line:column for broken JSON, text that is
 * not UTF-8, missing or wrongly typed keys, a truncated gzip stream, no rows; PSW_EUNSUP for
 * Parquet, Git LFS pointers and message lists. */
psw_status psw_pairs_open(const struct psw_pairs_opts *opts, struct psw_dataset **out,
                          struct psw_error *err);

#endif
