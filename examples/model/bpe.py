"""Trains a byte-pair encoding in tiktoken's file format: 256 bytes, then merges by how often pairs occur in the corpus."""

import base64
import collections

import regex

from chat import PATTERN


def byte_order():
    """Printable bytes first, the order of every published tiktoken file: a rank is then not its byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return printable + [byte for byte in range(256) if byte not in printable]


def count_words(texts):
    """Pieces of the pattern, without those of digits: a number stays a row of single digits."""
    pattern = regex.compile(PATTERN, regex.V1)
    words = collections.Counter()
    for text in texts:
        words.update(piece for piece in pattern.findall(text) if not any(c.isdigit() for c in piece))
    return words


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


def train(texts, num_ranks):
    """The tokens in order of rank. Ties go to the larger pair of bytes, so that the result depends on the texts alone."""
    words = count_words(texts)
    parts = {word: [bytes([b]) for b in word.encode()] for word in words}
    counts, where = collections.Counter(), collections.defaultdict(set)
    for word, pieces in parts.items():
        for pair in zip(pieces, pieces[1:]):
            counts[pair] += words[word]
            where[pair].add(word)
    tokens = [bytes([byte]) for byte in byte_order()]
    while len(tokens) < num_ranks:
        best = max(counts, key=lambda pair: (counts[pair], pair))
        assert counts[best] > 1, f"the corpus has pairs for {len(tokens)} ranks only"
        tokens.append(best[0] + best[1])
        for word in list(where[best]):
            before = parts[word]
            after = parts[word] = merge(before, best)
            for pair in zip(before, before[1:]):
                counts[pair] -= words[word]
            for pair in zip(after, after[1:]):
                counts[pair] += words[word]
                where[pair].add(word)
        del counts[best], where[best]
    return tokens


def save(tokens, path):
    assert len(set(tokens)) == len(tokens)
    path.write_text("".join(f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens)))
