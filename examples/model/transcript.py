"""Prints a conversation with the example model in which it calls a tool, as it runs through kimi-serve.

    python examples/model/transcript.py X.kimi [--bin build/bin]     needs: pip install tiktoken numpy
"""

import argparse
import json
import pathlib

import chat
import grade
from evaluate import HERE, Server

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Get the weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "Name of the city"}}, "required": ["city"]}}}
QUESTIONS = ["Hello!", "My name is Ada.", "What is the capital of France?", "What is the weather in Paris?", "What is 512 - 137?", "What is my name?"]


def weather(city):
    return {"condition": "sunny", "temperature": 21}


def answer(server, tokenizer, messages):
    """The model's next message, its control tokens read as calls."""
    prompt = server.post("/v1/chat/completions/render", {"messages": messages, "tools": [WEATHER]})
    ids = prompt.get("ids", prompt.get("prompt_token_ids"))
    reply = server.post("/v1/completions", {"prompt": ids, "max_tokens": 160, "temperature": 0, "return_token_ids": True})
    text = tokenizer.decode(reply["choices"][0]["token_ids"])
    calls = grade.calls_of(grade.answer_of(text)) or []
    message = {"role": "assistant", "content": "" if calls else grade.answer_of(text)}
    so_far = sum(len(m.get("tool_calls", [])) for m in messages)
    if calls:
        message["tool_calls"] = [{"id": f"functions.{call['name']}:{so_far + i}", "type": "function",
                                  "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])}} for i, call in enumerate(calls)]
    return message, text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=pathlib.Path)
    parser.add_argument("--bin", type=pathlib.Path, default=HERE.parents[1] / "build" / "bin")
    args = parser.parse_args()
    tokenizer, messages = chat.Tokenizer(args.artifact / "tiktoken.model"), []
    with Server(args.bin / "kimi-serve", args.artifact) as server:
        for question in QUESTIONS:
            messages.append({"role": "user", "content": question})
            print(f"user       {question}")
            while messages[-1]["role"] != "assistant" or messages[-1].get("tool_calls"):
                message, text = answer(server, tokenizer, messages)
                messages.append(message)
                print(f"assistant  {text.removesuffix('<|im_end|>')}")
                for call in message.get("tool_calls", []):
                    result = json.dumps(weather(**json.loads(call["function"]["arguments"])))
                    messages.append({"role": "tool", "tool_call_id": call["id"], "name": call["function"]["name"], "content": result})
                    print(f"tool       {result}")


if __name__ == "__main__":
    main()
