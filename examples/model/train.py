"""Trains the example model and writes its checkpoints: corpus, tokenizer, training, FP8 and INT4, in one command.

    python examples/model/train.py OUT                 one H200, less than 8 minutes
    python examples/model/train.py OUT --steps 20      does it run at all? also without a GPU

OUT/instruct-fp8   answers at once; K2-Instruct-0905's chat layout; linear layers in e4m3, 128 x 128 blocks
OUT/thinking-int4  writes its thoughts first; K2-Thinking's layout; routed experts in int4, groups of 32
"""

import argparse
import json
import pathlib
import random
import time

import torch
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

import batches
import bpe
import config
import export
import quantise
from corpus import mixture
from optimiser import Optimiser

SEED = 20
TOKENS = 16384        # of a step
LENGTH = 512          # of a row
LONG_EVERY = 16       # one step in so many has rows of 2048
BIAS_RATE = 1e-3      # of the router's correction, towards equal load
RATES = {"muon": 0.008, "adam": 1.5e-3}


def say(text, start=time.monotonic()):
    print(f"{time.monotonic() - start:6.1f} s  {text}", flush=True)


def train_tokenizer(path, num_samples=20000):
    rng = random.Random(SEED)
    texts = []
    for sample in (mixture.for_training(rng) for _ in range(num_samples)):
        texts += [text for m in sample.messages for text in (m["content"], m.get("reasoning_content", ""))]
        texts += [call["function"]["arguments"] for m in sample.messages for call in m.get("tool_calls", [])]
        texts += [json.dumps(sample.tools, sort_keys=True, separators=(",", ":"))] if sample.tools else []
    bpe.save(bpe.train(texts, config.NUM_RANKS), path)


def build_model(settings, device):
    """float32 values in a bf16 model; every matrix keeps the size of what goes through it."""
    fields = {key: value for key, value in settings.items() if key not in ("model_type", "quantization_config")}
    experts = "grouped_mm" if device == "cuda" else "eager"
    model = DeepseekV3ForCausalLM._from_config(DeepseekV3Config(**fields), attn_implementation="sdpa", experts_implementation=experts,
                                               dtype=torch.float32)
    torch.manual_seed(SEED)
    depth = 2 * settings["num_hidden_layers"]
    for name, p in model.named_parameters():
        if p.ndim < 2:
            continue  # norms begin at 1
        std = 0.05 if "embed_tokens" in name else p.shape[-1] ** -0.5
        is_output = "down_proj" in name or "o_proj" in name
        p.data.normal_(0, std / depth**0.5 if is_output else std)
    return model.to(device)


class Trainer:
    """One step on static tensors: forward, backward, move. On a GPU each shape of batch is captured into a CUDA graph once."""

    def __init__(self, model, rounding_of, device):
        self.device = device
        self.optimiser = Optimiser(model, rounding_of, device)
        self.model = model.to(torch.bfloat16 if device == "cuda" else torch.float32)
        self.gates = [layer.mlp.gate for layer in model.model.layers if hasattr(layer.mlp, "gate")]
        for gate in self.gates:
            gate.e_score_correction_bias = gate.e_score_correction_bias.float()
            gate.load = torch.zeros(gate.num_experts, device=device)
            gate.register_forward_hook(self.count_load)
        self.graphs, self.inputs, self.loss = {}, {}, torch.zeros((), device=device)
        self.rounds = False

    @staticmethod
    def count_load(gate, _, output):
        chosen = output[2].flatten()
        gate.load.zero_().scatter_add_(0, chosen, torch.ones_like(chosen, dtype=torch.float32))

    def run(self, batch):
        documents = batch["documents"]
        same = documents[:, None, :, None] == documents[:, None, None, :]
        mask = same & torch.ones(same.shape[-2:], dtype=torch.bool, device=self.device).tril()
        self.optimiser.show(self.rounds)
        hidden = self.model.model(input_ids=batch["ids"], attention_mask=mask, position_ids=batch["positions"], use_cache=False).last_hidden_state
        logits = self.model.lm_head(hidden).float()
        losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten(), reduction="none")
        weights = batch["weights"].flatten()
        loss = (losses * weights).sum() / weights.sum()
        for p in self.model.parameters():
            p.grad = None
        loss.backward()
        self.optimiser.move()
        with torch.no_grad():
            is_own = (weights == 1).float()
            self.loss.copy_((losses * is_own).sum() / is_own.sum())
            for gate in self.gates:  # noaux_tc: experts with less than their share become easier to choose
                gate.e_score_correction_bias.add_(BIAS_RATE * torch.sign(gate.load.mean() - gate.load))

    def step(self, batch, rates):
        self.optimiser.set_rate(**rates)
        if self.device == "cpu":
            return self.run(batch)
        shape = (batch["ids"].shape, self.rounds)
        if shape not in self.inputs:
            self.inputs[shape] = {name: value.to(self.device) for name, value in batch.items()}
            return self.warm_up(shape)
        for name, value in self.inputs[shape].items():
            value.copy_(batch[name], non_blocking=True)
        if shape not in self.graphs:
            self.graphs[shape] = torch.cuda.CUDAGraph()
            # thread_local: the loader's own thread may pin memory meanwhile.
            with torch.cuda.graph(self.graphs[shape], capture_error_mode="thread_local"):
                self.run(self.inputs[shape])
        self.graphs[shape].replay()

    def warm_up(self, shape):
        """The first step of a shape runs outside a graph: libraries set themselves up."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self.run(self.inputs[shape])
        torch.cuda.current_stream().wait_stream(stream)


def schedule(step, steps, peak):
    """Up over the first 100 steps, level, down to nothing over the last 40 %."""
    share = min(1, (step + 1) / min(100, steps), (steps - step) / (0.4 * steps))
    return {name: rate * share * peak for name, rate in RATES.items()}


def train(trainer, tokenizer_path, layout, steps, peak, rounds_from, workers):
    loader = batches.load(tokenizer_path, layout, steps, TOKENS, LENGTH, LONG_EVERY, SEED, workers=workers)
    for step, batch in enumerate(loader):
        trainer.rounds = step >= rounds_from * steps
        trainer.step(batch, schedule(step, steps, peak))
        if step % max(1, steps // 20) == 0 or step == steps - 1:
            loads = [gate.load for gate in trainer.gates]
            worst = max((load.max() / load.mean()).item() for load in loads)
            say(f"{layout} step {step} of {steps}: loss {trainer.loss.item():.4f}, busiest expert {worst:.2f} times its share")


def masters(trainer):
    """name → float32 tensor, with what is no parameter."""
    state = {weight.name: weight.master for weight in trainer.optimiser.weights}
    for name, buffer in trainer.model.named_buffers():
        if name.endswith("e_score_correction_bias"):
            state[name] = buffer
    return state


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=13000, help="of the instruct model; the thinking model adds 45 %%")
    parser.add_argument("--workers", type=int, default=14, help="processes that make batches")
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    args.out.mkdir(parents=True, exist_ok=True)

    tokenizer_path = args.out / "tiktoken.model"
    train_tokenizer(tokenizer_path)
    say("tokenizer trained")
    trainer = Trainer(build_model(config.instruct(), device), quantise.fp8_of, device)
    say(f"{sum(w.master.numel() for w in trainer.optimiser.weights) / 1e6:.2f} million parameters on {torch.cuda.get_device_name() if device == 'cuda' else 'the CPU'}")
    train(trainer, tokenizer_path, "0905", args.steps, 1.0, 0.5, args.workers)
    export.write(args.out / "instruct-fp8", config.instruct(), masters(trainer), tokenizer_path, "0905")
    say("instruct-fp8 written")

    model = build_model(config.thinking(), device)
    model.load_state_dict(masters(trainer), strict=True)
    thinker = Trainer(model, quantise.int4_of, device)
    train(thinker, tokenizer_path, "thinking", int(0.45 * args.steps), 0.5, 0.0, args.workers)
    export.write(args.out / "thinking-int4", config.thinking(), masters(thinker), tokenizer_path, "thinking")
    say("thinking-int4 written")


if __name__ == "__main__":
    main()
