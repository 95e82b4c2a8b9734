"""Whether an answer is right. An item's `want` says what is graded:

    text         exactly this text
    contains     this word or phrase somewhere
    last_number  the last number of the answer
    json         this object, as JSON and nothing else
    calls        these tool calls, in this order, by name and arguments; [] is none
"""

import json
import re


def answer_of(text):
    """What stands behind the thoughts, without the end of the turn."""
    return text.split("</think>")[-1].removesuffix("<|im_end|>")


def calls_of(text):
    """The tool calls of an answer; None where one is not well-formed. An id is functions.NAME:NUMBER."""
    section = re.search(r"<\|tool_calls_section_begin\|>(.*?)<\|tool_calls_section_end\|>", text, re.DOTALL)
    if not section:
        return []
    calls = []
    for id_, arguments in re.findall(r"<\|tool_call_begin\|>(.*?)<\|tool_call_argument_begin\|>(.*?)<\|tool_call_end\|>", section[1], re.DOTALL):
        name = re.fullmatch(r"functions\.([\w-]+):\d+", id_)
        value = read_json(arguments)
        if not name or not isinstance(value, dict):
            return None
        calls.append({"name": name[1], "arguments": value})
    return calls


def read_json(text):
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def is_right(want, text):
    answer = answer_of(text)
    if "calls" in want:
        return calls_of(answer) == want["calls"] and (bool(want["calls"]) or answer == want["text"])
    if "json" in want:
        return read_json(answer) == want["json"]
    if "last_number" in want:
        numbers = re.findall(r"-?\d+", answer)
        return bool(numbers) and int(numbers[-1]) == want["last_number"]
    if "contains" in want:
        return re.search(rf"(?<!\w){re.escape(want['contains'])}(?!\w)", answer) is not None
    return answer == want["text"]


def is_valid_json(want, text):
    """An object with the wanted keys and types, whatever its values."""
    types = {"string": str, "integer": int, "boolean": bool, "array": list}
    value = read_json(answer_of(text))
    properties = want["schema"]["properties"]
    return isinstance(value, dict) and value.keys() == properties.keys() and all(
        type(value[key]) is types[schema["type"]] for key, schema in properties.items())
