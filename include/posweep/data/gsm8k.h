/* Questions with a verifiable answer: JSON lines (.jsonl, .jsonl.gz) or one JSON array (.json),
 * each row an object with `question` and `answer` strings, the answer ending with a line
 * "#### number" (GSM8K). Other keys are ignored. There are no pairs: the data serve SFT and
 * methods that sample.
 *
 * The prompt is the question and a line break, the response the answer, as it stands, and an
 * EOS; tokens are bytes (tokenizer.h). The scorer gives 1 where the line behind the last "####"
 * of a finished response is the number of the data, else 0. Numbers are compared as they are
 * meant: "$1,000.50" equals "1000.5". A question too long loses its beginning or its row; an
 * answer too long always loses its row, for its end is what counts. */
#ifndef POSWEEP_DATA_GSM8K_H
#define POSWEEP_DATA_GSM8K_H

#include <posweep/data/dataset.h>
#include <posweep/data/limits.h>

/** What to read, and how. */
struct psw_gsm8k_opts {
    const char *sft;      /* training rows */
    const char *heldout;  /* held-out rows; NULL or "": split off from the training file */
    double heldout_share; /* of the split, by hash of the question; 0 = 0.05 */
    int64_t limit;        /* read the first rows of each file only; 0 = all */
    int32_t max_prompt;   /* tokens with the line break; 0 = no limit */
    int32_t max_response; /* tokens with EOS; 0 = no limit */
    int drop_long;        /* drop rows whose question is too long instead of cutting it */
    struct psw_data_limits limits; /* zeroed: of this machine */
};

/** Read a data set: sft and prompts_heldout, counted in counts_sft and counts_heldout. Rows
 * without a final answer are dropped, and so are rows whose prompt has another answer or is on
 * the other side. Errors: as psw_pairs_open; PSW_EDATA also where no answer has a final one. */
psw_status psw_gsm8k_open(const struct psw_gsm8k_opts *opts, struct psw_dataset **out,
                          struct psw_error *err);

enum { PSW_GSM8K_NUMBER_BYTES = 32 };

/** What stands before the final number. */
#define PSW_GSM8K_MARK "####"

/** Normalise a number, with blanks around it allowed: the sign and "$" in either order, commas
 *  between digits dropped, no needless zeros, "-0" is "0". Returns 0, out "", for what is no
 *  number or needs more room. */
int psw_gsm8k_number(const char *text, size_t n_bytes, char out[PSW_GSM8K_NUMBER_BYTES]);

#endif
