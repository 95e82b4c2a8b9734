"""Conversations as token ids, in the two layouts that the checkpoints use, and which of them are the model's own.

The layouts are those of tests/golden/families/chat-template-{0905,thinking}.jinja; tests/examples checks that kimi-text
renders the same ids.
"""

import base64
import json

import tiktoken

# The pattern of every published Kimi-K2 tokenizer.
PATTERN = "|".join([
    r"""[\p{Han}]+""",
    r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
    r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
    r"""\p{N}{1,3}""", r""" ?[^\s\p{L}\p{N}]+[\r\n]*""", r"""\s*[\r\n]+""", r"""\s+(?!\S)""", r"""\s+"""])

# Offsets from the number of ranks, as in every release.
SPECIALS = {"<|im_end|>": 2, "<|im_user|>": 3, "<|im_assistant|>": 4, "<|im_system|>": 10, "<|tool_calls_section_begin|>": 11,
            "<|tool_calls_section_end|>": 12, "<|tool_call_begin|>": 13, "<|tool_call_argument_begin|>": 14, "<|tool_call_end|>": 15,
            "<|im_middle|>": 17, "<think>": 22, "</think>": 23}
NUM_SPECIALS = 256
PAD = 255
GREETING = "You are Kimi, an AI assistant created by Moonshot AI."
LAYOUTS = ("0905", "thinking")


class Tokenizer:
    def __init__(self, path):
        lines = (line.split() for line in open(path))
        ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
        self.num_ranks = len(ranks)
        self.bytes_of = {rank: token for token, rank in ranks.items()}
        self.encoding = tiktoken.Encoding("example", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
        self.special = {name: self.num_ranks + offset for name, offset in SPECIALS.items()}
        self.name_of = {id_: name for name, id_ in self.special.items()}
        self.end, self.pad = self.special["<|im_end|>"], self.num_ranks + PAD
        self.vocabulary = self.num_ranks + NUM_SPECIALS

    def encode(self, text):
        """Control tokens that a text spells stay text."""
        return self.encoding.encode_ordinary(text)

    def decode(self, ids):
        """Control tokens by their names."""
        parts = [self.bytes_of[i] if i in self.bytes_of else self.name_of.get(i, f"<|reserved_{i}|>").encode() for i in ids]
        return b"".join(parts).decode(errors="replace")


class Renderer:
    """Grows the ids of one conversation, and beside each whether the model writes it."""

    def __init__(self, tokenizer, layout):
        assert layout in LAYOUTS, layout
        self.tokenizer, self.thinks = tokenizer, layout == "thinking"
        self.ids, self.is_own = [], []

    def mark(self, name, own=False):
        self.ids.append(self.tokenizer.special[name])
        self.is_own.append(own)

    def text(self, text, own=False):
        ids = self.tokenizer.encode(text)
        self.ids += ids
        self.is_own += [own] * len(ids)

    def begin(self, start, name):
        self.mark(start)
        self.text(name)
        self.mark("<|im_middle|>")

    def turn(self, start, name, body):
        self.begin(start, name)
        self.text(body)
        self.mark("<|im_end|>")

    def assistant(self, message, keeps_thought, own):
        self.begin("<|im_assistant|>", "assistant")
        if self.thinks:
            self.mark("<think>", own)
            self.text(message["reasoning_content"] if keeps_thought else "", own)
            self.mark("</think>", own)
        self.text(message["content"], own)
        if message.get("tool_calls"):
            self.mark("<|tool_calls_section_begin|>", own)
            for call in message["tool_calls"]:
                self.mark("<|tool_call_begin|>", own)
                self.text(call["id"], own)
                self.mark("<|tool_call_argument_begin|>", own)
                self.text(call["function"]["arguments"], own)
                self.mark("<|tool_call_end|>", own)
            self.mark("<|tool_calls_section_end|>", own)
        self.mark("<|im_end|>", own)


def render(tokenizer, layout, messages, tools=None, for_answer=False):
    """(ids, is_own). A thinking model keeps the thoughts behind the last finished answer only, so there only what stands
    behind the answer before the last is its own; `for_answer` ends with the opening of an assistant's turn."""
    out = Renderer(tokenizer, layout)
    if tools:
        out.turn("<|im_system|>", "tool_declare", json.dumps(tools, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    if messages[0]["role"] != "system":
        out.turn("<|im_system|>", "system", GREETING)
        if not out.thinks:
            out.text("\n")
    answers = [i for i, m in enumerate(messages) if m["role"] == "assistant" and not m.get("tool_calls")]
    # Training reads a conversation as it was when its last answer was written.
    history = answers[-1] if for_answer and answers else answers[-2] if len(answers) > 1 else -1
    for i, message in enumerate(messages):
        if message["role"] == "assistant":
            out.assistant(message, i > history, own=not out.thinks or i > history)
        elif message["role"] == "tool":
            out.turn("<|im_system|>", message["name"], f"## Return of {message['tool_call_id']}\n{message['content']}")
        else:
            out.turn(f"<|im_{message['role']}|>", message["role"], message["content"])
    if for_answer:
        out.begin("<|im_assistant|>", "assistant")
    return out.ids, out.is_own
