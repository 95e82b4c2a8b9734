"""Rows of packed conversations, made by worker processes while the model trains."""

import random

import numpy as np
import torch

from chat import Tokenizer, render
from corpus import mixture

LONG = 2048      # tokens of a row of the long batches
PROMPT = 0.2     # weight of a token that the model does not write: repeated names and forms there teach it to copy


class Row:
    """Conversations side by side. Each is its own document: positions begin anew, attention does not cross."""

    def __init__(self, length):
        self.ids = np.zeros(length, np.int64)
        self.labels = np.zeros(length, np.int64)
        self.weights = np.zeros(length, np.float32)
        self.positions = np.zeros(length, np.int64)
        self.documents = np.full(length, -1, np.int64)
        self.used = self.count = 0

    def add(self, ids, is_own):
        """False where it does not fit."""
        end = self.used + len(ids)
        if end > len(self.ids):
            return False
        part = slice(self.used, end)
        self.ids[part], self.positions[part], self.documents[part] = ids, np.arange(len(ids)), self.count
        # The label of a position is the token after it.
        self.labels[self.used : end - 1] = ids[1:]
        self.weights[self.used : end - 1] = np.where(is_own[1:], 1, PROMPT)
        self.used, self.count = end, self.count + 1
        return True


def next_conversation(rng, tokenizer, layout, length):
    """Ids and ownership of one conversation that fits into `length` tokens."""
    while True:
        if length >= LONG and rng.random() < 0.5:
            sample = mixture.long_conversation(rng, rng.randrange(8, 50))
        else:
            sample = mixture.for_training(rng)
        ids, is_own = render(tokenizer, layout, sample.messages, sample.tools)
        if len(ids) <= length:
            return ids, is_own


def pack(rng, tokenizer, layout, rows, length):
    """First fit: a row is left when three conversations in turn did not fit."""
    packed = []
    for _ in range(rows):
        row, misses = Row(length), 0
        while misses < 3:
            misses += not row.add(*next_conversation(rng, tokenizer, layout, length))
        packed.append(row)
    return {name: np.stack([getattr(row, name) for row in packed]) for name in ("ids", "labels", "weights", "positions", "documents")}


class Batches(torch.utils.data.IterableDataset):
    """Batch i depends on (seed, layout, i) alone, whatever the number of workers. One batch in `long_every` has long rows."""

    def __init__(self, tokenizer_path, layout, num_batches, tokens, length, long_every, seed):
        self.tokenizer_path, self.layout, self.num_batches = tokenizer_path, layout, num_batches
        self.tokens, self.length, self.long_every, self.seed = tokens, length, long_every, seed

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        first, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        tokenizer = Tokenizer(self.tokenizer_path)
        for i in range(first, self.num_batches, stride):
            length = LONG if i % self.long_every == self.long_every - 1 else self.length
            yield pack(random.Random(f"{self.seed}/{self.layout}/{i}"), tokenizer, self.layout, self.tokens // length, length)


def load(*args, workers):
    """In order: worker w makes batches w, w + workers, ..., and the loader takes one of each in turn."""
    return torch.utils.data.DataLoader(Batches(*args), batch_size=None, num_workers=workers,
                                       prefetch_factor=8 if workers else None, pin_memory=torch.cuda.is_available())
