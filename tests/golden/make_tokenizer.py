"""Writes families/tiktoken.model: 256 byte ranks in the usual tiktoken order, then 256 merges trained below.

Run once; the result is stored. A checkpoint of vocabulary V uses the first V - 256 lines: every merge joins two
parts of lower rank, so every prefix of the file is a tokenizer too.
"""

import base64
import collections
import pathlib
import re

TEXT = """
The compiler reads the model once and writes down every decision. The runtime loads what was written and runs it.
What is the capital of France? The capital of France is Paris. What is one plus one? One plus one is two.
You are Kimi, an assistant that answers in plain words. Hello! How can I help you today? Thank you very much.
Tell me a short story about the sea. There was a small boat that wanted to see the other side of the water.
Write a function that returns the sum of the numbers in a list, and explain how it works step by step.
for number in numbers: total = total + number; return total. int main() { return 0; }
The weather in the city is sunny today, with a light wind from the north. Tomorrow there will be rain.
It is better to say what is true than to say what is easy. When the answer is not known, say so.
Naïve café, über, señor. Привет, мир. 你好，世界。你好吗？今天天气很好。
The quick brown fox jumps over the lazy dog. This sentence is here because it has all of the letters.
Reading weights from memory is the limit of decoding; the time to the first token is the limit of the prompt.
"""


def byte_order():
    """Printable bytes first, the order of every published tiktoken file: a rank is then not its byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return printable + [byte for byte in range(256) if byte not in printable]


def train(text, num_merges):
    words = collections.Counter(re.findall(r" ?[^\W\d_]+| ?[^\s\w]+|\s+|\d", text))
    pieces = {word: [bytes([b]) for b in word.encode()] for word in words}
    merges = []
    while len(merges) < num_merges:
        pairs = collections.Counter()
        for word, count in words.items():
            for pair in zip(pieces[word], pieces[word][1:]):
                pairs[pair] += count
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best[0] + best[1])
        for word, parts in pieces.items():
            pieces[word] = merge(parts, best)
    return merges


def merge(parts, pair):
    joined, i = [], 0
    while i < len(parts):
        if i + 1 < len(parts) and parts[i] == pair[0] and parts[i + 1] == pair[1]:
            joined.append(pair[0] + pair[1])
            i += 2
        else:
            joined.append(parts[i])
            i += 1
    return joined


def main():
    tokens = [bytes([byte]) for byte in byte_order()] + train(TEXT, 256)
    assert len(set(tokens)) == 512
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens)]
    (pathlib.Path(__file__).parent / "families" / "tiktoken.model").write_text("".join(lines))


if __name__ == "__main__":
    main()
