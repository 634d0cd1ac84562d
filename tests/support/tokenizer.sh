# shellcheck shell=sh
# make_tokenizer FOLDER: the tokenizer.json of a small model for scenario tests. Byte-level, with a
# token for each ASCII character that can be seen, the blank and the line break; merges of some
# common pairs; BOS before every text; EOS; and the marks of turns of ChatML.
make_tokenizer() {
    mkdir -p "$1" && awk 'BEGIN {
        n = split("Ġ t,Ġ a,h e,i n,e r,o n,Ġt he,Ġ w,a n,a t,o u,H u,m an,Hu man,A s,As s,i s,t an,is tan,Ass istan,Assistan t", merge, ",")
        for (i = 33; i < 127; i++) {
            c = sprintf("%c", i)
            vocab = vocab sprintf("\"%s\": %d, ", c == "\"" || c == "\\" ? "\\" c : c, i - 33)
        }
        vocab = vocab "\"Ġ\": 94, \"Ċ\": 95"
        for (i = 1; i <= n; i++) {
            made = merge[i]
            sub(" ", "", made)
            vocab = vocab sprintf(", \"%s\": %d", made, 95 + i)
            merges = merges (i > 1 ? ", " : "") "\"" merge[i] "\""
        }
        m = split("<s>,</s>,<|im_start|>,<|im_end|>", special, ",")
        for (i = 1; i <= m; i++)
            added = added sprintf("%s{\"id\": %d, \"content\": \"%s\", \"special\": true}", i > 1 ? ", " : "", 95 + n + i, special[i])
        printf "{\"added_tokens\": [%s],\n", added
        printf " \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false},\n"
        printf " \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"<s>\"}}, {\"Sequence\": {\"id\": \"A\"}}],\n"
        printf "  \"special_tokens\": {\"<s>\": {\"ids\": [%d]}}},\n", 96 + n
        printf " \"decoder\": {\"type\": \"ByteLevel\"},\n"
        printf " \"model\": {\"type\": \"BPE\", \"vocab\": {%s},\n  \"merges\": [%s]}}\n", vocab, merges
    }' >"$1/tokenizer.json"
}
