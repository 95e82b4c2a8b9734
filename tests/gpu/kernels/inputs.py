"""Random valid arguments of kernels: what a step gives them, and weights that mean something."""
import torch

from values import CHUNK, DTYPES, shape_of

BLOCK = 64  # positions of a cache block
EXTRA_BLOCKS = 3  # cache blocks that belong to no sequence
INVALID = 0x7F  # the e4m3 code that is not a number: what no kernel may read
LIKELY = 60  # tokens whose logits are larger: biases and penalties are about these, so that they change what is drawn
BIASES, PENALTIES = 3, LIKELY  # entries of a row
SYMBOLS = ["one", "tokens", "sequences", "logit_rows", "table_blocks", "cache_blocks", "bias_entries", "penalty_entries",
           "context_tokens"]


class Step:
    """The inputs of a step in which sequences bring `lengths` tokens each, the longest up to `context` positions."""

    def __init__(self, lengths, context, model, device, seed=1):
        self.device, self.random = device, torch.Generator(device).manual_seed(seed)
        self.tokens, self.vocabulary = sum(lengths), model["vocabulary"]
        self.experts, self.choices = model["experts"], model["choices"]
        last = self.integers(0, context, (len(lengths),))
        last[0] = context - 1
        last = torch.maximum(last, torch.tensor(lengths, device=device, dtype=torch.int32) - 1)
        sequences = [torch.arange(int(end) + 1 - n, int(end) + 1, device=device) for n, end in zip(lengths, last)]
        self.positions = torch.cat(sequences).int()
        self.token_sequences = torch.repeat_interleave(torch.arange(len(lengths), device=device),
                                                       torch.tensor(lengths, device=device)).int()
        self.sequence_offsets = torch.tensor([0, *torch.tensor(lengths).cumsum(0).tolist()], device=device).int()
        used = (last // BLOCK + 1).tolist()
        self.cache_blocks = sum(used) + EXTRA_BLOCKS
        order = torch.randperm(self.cache_blocks, generator=self.random, device=device).int()
        self.block_tables = torch.zeros(len(lengths), max(used) + 1, dtype=torch.int32, device=device)
        for row, count in enumerate(used):
            self.block_tables[row, :count], order = order[:count], order[count:]
        tables = self.block_tables[self.token_sequences.long(), self.positions.long() // BLOCK]
        self.cache_slots = tables * BLOCK + self.positions % BLOCK
        self.sizes = {"one": 1, "tokens": self.tokens, "sequences": len(lengths), "logit_rows": self.tokens,
                      "table_blocks": self.block_tables.shape[1], "cache_blocks": self.cache_blocks,
                      "bias_entries": BIASES * self.tokens, "penalty_entries": PENALTIES * self.tokens,
                      "context_tokens": int(self.positions.sum()) + self.tokens}

    def integers(self, low, high, shape):
        return torch.randint(low, high, shape, generator=self.random, device=self.device).int()

    def uniform(self, low, high, shape):
        return torch.rand(shape, generator=self.random, device=self.device) * (high - low) + low

    def normal(self, shape):
        return torch.randn(shape, generator=self.random, device=self.device)

    def distinct(self, rows, columns, largest):
        """`columns` different numbers below `largest` in each row."""
        orders = [torch.randperm(largest, generator=self.random, device=self.device) for _ in range(rows)]
        return torch.stack([order[:columns] for order in orders]).int()

    def input(self, name, shape):
        """A column of the step table; each row's sampling is set up in another way."""
        rows = torch.arange(self.tokens, device=self.device)
        own = {"positions", "token_sequences", "sequence_offsets", "block_tables", "cache_slots"}
        makers = {
            "token_ids": lambda: self.integers(0, self.vocabulary, shape),
            "logit_rows": lambda: self.integers(0, self.tokens, shape),
            "temperature": lambda: torch.tensor([0.0, 0.7, 1.0, 1.5], device=self.device)[rows % 4],
            "top_p": lambda: torch.tensor([1.0, 0.9, 0.3], device=self.device)[rows % 3],
            "min_p": lambda: torch.tensor([0.0, 0.01], device=self.device)[rows // 4 % 2],
            "top_k": lambda: torch.tensor([0, 5, 40], device=self.device)[rows // 2 % 3].int(),
            "seeds": lambda: self.integers(-2**31, 2**31 - 1, shape), "draw_index": lambda: self.integers(0, 1000, shape),
            "mask_rows": lambda: (rows % 5 == 3).int(), "token_mask": lambda: self.integers(-2**31, 2**31 - 1, shape),
            "bias_offsets": lambda: (torch.arange(self.tokens + 1, device=self.device) * BIASES).int(),
            "bias_tokens": lambda: self.distinct(self.tokens, BIASES, LIKELY).flatten(),
            "bias_values": lambda: self.normal(shape) * 3,
            "penalty_offsets": lambda: (torch.arange(self.tokens + 1, device=self.device) * PENALTIES).int(),
            "penalty_tokens": lambda: self.distinct(self.tokens, PENALTIES, LIKELY).flatten(),
            "penalty_counts": lambda: self.integers(0, 4, shape),
            "repetition_penalty": lambda: torch.tensor([1.0, 1.2], device=self.device)[rows % 2],
            "presence_penalty": lambda: torch.tensor([0.0, 2.0, 0.5], device=self.device)[rows // 2 % 3],
            "frequency_penalty": lambda: torch.tensor([1.0, 0.3, -0.5], device=self.device)[rows % 3],
            "logprob_counts": lambda: (rows * 7 % 21).int()}
        return getattr(self, name) if name in own else makers[name]()


def experts_of(step):
    """Distinct experts of every token, the first few far more often than others: [T, choices]"""
    scores = step.uniform(0, 1, (step.tokens, step.experts))
    scores[:, :4] += 0.5
    return scores.topk(step.choices, 1)[1].int()


def dispatched(ids, experts):
    """As kimi.dispatch orders them."""
    order = ids.flatten().argsort(stable=True)
    slots = torch.empty_like(order)
    slots[order] = torch.arange(len(order), device=ids.device)
    counts = torch.bincount(ids.flatten(), minlength=experts)
    return [(order // ids.shape[1]).int(), slots.reshape(ids.shape).int(),
            torch.cat([counts.new_zeros(1), counts.cumsum(0)]).int()]


def fill_codes(step, codes, element):
    """In pieces: normal e4m3 codes that are numbers, or any pair of INT4 codes."""
    flat = codes.view(-1)
    for begin in range(0, len(flat), CHUNK):
        part = flat[begin:begin + CHUNK]
        if element == "i4":
            part.copy_(torch.randint(0, 256, part.shape, generator=step.random, device=step.device))
        else:
            part.copy_((step.normal(part.shape) * 64).clamp(-448, 448).to(torch.float8_e4m3fn).view(torch.uint8))


def fill_plain(step, data, factor, offset=0.0):
    flat = data.view(-1)
    for begin in range(0, len(flat), CHUNK):
        part = flat[begin:begin + CHUNK]
        part.copy_(step.normal(part.shape) * factor + offset)


class Weights:
    """The weights of one kernel, kept over its cases. Of stacked experts only those that a step chooses are valid."""

    def __init__(self):
        self.made, self.valid = {}, {}

    def get(self, kernel, index, shape, element, step, chosen):
        if index not in self.made:
            stored = [*shape[:-1], shape[-1] // 2] if element == "i4" else shape
            self.made[index] = torch.empty(stored, dtype=DTYPES[element], device=step.device)
            if chosen is None or len(shape) < 3:
                self._fill(kernel, index, self.made[index], element, step)
            elif step.device != "cpu":  # where memory is only touched where it is used, it stays so
                self.made[index].view(torch.uint8).fill_(INVALID)
        if chosen is not None and len(shape) == 3:
            for expert in sorted(set(chosen) - self.valid.setdefault(index, set())):
                self._fill(kernel, index, self.made[index][expert], element, step)
            self.valid[index] |= set(chosen)
        return self.made[index]

    def _fill(self, kernel, index, data, element, step):
        source, quantised = kernel["sources"][index], kernel["sources"][index]["quantised"]
        if source["name"] == "rope_table":
            angles = step.uniform(0, 6.2832, (data.shape[0], data.shape[2]))
            data[:, 0], data[:, 1] = angles.cos(), angles.sin()
        elif quantised.startswith("codes"):
            fill_codes(step, data, element)
        elif quantised:  # scales: the product's values come to a size of about 1 / sqrt(K)
            columns = shape_of(kernel["inputs"][index - 1]["type"])[0][-1]
            size = 1 / ((64 if data.dtype == torch.float32 else 4.6) * columns**0.5)
            data.copy_(step.uniform(size, 2 * size, data.shape))
        elif data.dim() == 1:
            fill_plain(step, data, 0.1, 1.0 if data.dtype == torch.bfloat16 else 0.0)  # a norm's weight, a router's bias
        else:
            fill_plain(step, data, data.shape[-1]**-0.5)


def activation(step, kernel, index, shape, element):
    source = kernel["sources"][index]
    if source["op"] == "quantise":
        if element == "f32":
            return step.uniform(0.005, 0.01, shape)
        codes = torch.empty(shape, dtype=torch.uint8, device=step.device)
        fill_codes(step, codes, element)
        return codes
    sizes = {"absorb_query": 0.5, "route_experts": 0.3}
    if kernel["ops"] == ["sample"]:
        logits = step.normal(shape) * 3
        logits[:, :LIKELY] += 8
        if len(logits) > 4:
            logits[2, 7], logits[4, 9] = torch.nan, torch.inf
        return logits
    data = step.normal(shape) * sizes.get(source["op"], 1.0)
    if "rms_norm" in kernel["ops"]:
        data[0::2] *= 1e-3  # rows of which an eps is a part
    return data.to(DTYPES[element])


def arguments_of(kernel, step, weights):
    """The kernel's arguments, in order."""
    ids = experts_of(step) if step.choices else None
    sorted_pairs = dispatched(ids, step.experts) if step.choices else None
    chosen = ids.unique().tolist() if "expert_linear" in kernel["ops"] else None
    results = []
    for index, (argument, source) in enumerate(zip(kernel["inputs"], kernel["sources"])):
        sizes, element = shape_of(argument["type"])
        runtime = iter(extent(step, *dim) for dim in argument["dims"])
        shape = [next(runtime) if size < 0 else size for size in sizes]
        if source["kind"] == "weight":
            data = weights.get(kernel, index, shape, element, step, chosen)
        elif source["kind"] == "input":
            data = step.input(source["name"], shape)
        elif source["kind"] == "cache":
            data = step.normal(shape).to(DTYPES[element])
        elif source["op"] == "dispatch":
            data = sorted_pairs[source["result"]]
        elif source["op"] == "route_experts" and element == "i32":
            data = ids
        else:
            data = activation(step, kernel, index, shape, element)
        results.append(data.contiguous())
    return results


def extent(step, symbol, times, by):
    return -(-step.sizes[symbol] * times // by)
