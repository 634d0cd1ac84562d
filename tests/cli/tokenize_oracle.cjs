// node tokenize_oracle.cjs N: N random texts, one {"text"} a line.
// node tokenize_oracle.cjs FOLDER <texts: their {"ids"} by @huggingface/tokenizers, which is found by
// NODE_PATH.
const { readFileSync, existsSync } = require("node:fs");

// Pieces that meet every rule: blanks, contractions, digits, marks, scripts, special tokens. Not
// U+FEFF and U+0085, of which JavaScript and the Rust library do not agree whether they are blank.
const PIECES = [" ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "a", "b", "Hello", "world", "'s", "'LL", "'t", "'ſ",
  "é", "e\u0301", "\u0301", "ß", "½", "²", "123", "4567", "٣", "Ⅷ", "日本語", "한국어", "🙂", "👩\u200d👩",
  "\u00a0", "\u2003", "\u180e", "\u200b", "<|endoftext|>", "<s>", "</s>", "<|im_start|>", "<|end|>",
  "<|eot_id|>", ".", ",", "!!", "...", "---", "_", "x_y", "$", "€", "`", "the ", "The", " quick", "\u212b",
  "\u2581", "Ġ", "ﬁ", "\u0000", "İ", "ǅ", "\u0958", "a\u0327\u0301", "\u1e9b\u0323", "𝒜", "\ue000", "<0x0A>"];

function texts(n) {
  let seed = 1;
  const below = (m) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 4294967296) * m);
  };
  for (let i = 0; i < n; i++) {
    let text = "";
    for (let k = 1 + below(24); k > 0; k--) text += PIECES[below(PIECES.length)];
    console.log(JSON.stringify({ text }));
  }
}

function ids(folder) {
  const { Tokenizer } = require("@huggingface/tokenizers");
  const read = (name) => (existsSync(`${folder}/${name}`) ? JSON.parse(readFileSync(`${folder}/${name}`, "utf8")) : {});
  const tokenizer = new Tokenizer(read("tokenizer.json"), read("tokenizer_config.json"));
  for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
    const got = tokenizer.encode(JSON.parse(line).text).ids.map(Number);
    console.log(`{"ids": [${got.join(", ")}]}`);
  }
}

const argument = process.argv[2];
if (/^\d+$/.test(argument)) texts(Number(argument));
else ids(argument);
