"""OpenAI's own client talks to a chat-server with the stub model, and finds what it expects.

    python xtask/peers/openai_client.py URL KEY MODEL

URL ends with /v1. The server has one model and lets one request wait; the model says again what was
said, and counts to 200 when it is told `count`. Any fault ends the script with status 1. Called by
crates/chat-server/tests/it/openai_client.rs.
"""

import asyncio
import sys

import openai

url, key, model = sys.argv[1:]
client = openai.OpenAI(base_url=url, api_key=key, max_retries=0)


def said(text):
    return [{"role": "user", "content": text}]


def refused(kind, **more):
    try:
        client.chat.completions.create(**{"model": model, "messages": said("hi"), **more})
    except kind as error:
        return error
    raise AssertionError(f"{more} is not refused")


# Models.
assert [card.id for card in client.models.list()] == [model]
assert client.models.retrieve(model).object == "model"

# Whole.
whole = client.chat.completions.create(
    model=model, messages=said("Where 🐙 do you swim?"), temperature=0.5, top_p=0.9, seed=3, n=2, max_tokens=50
)
assert [choice.index for choice in whole.choices] == [0, 1]
assert whole.choices[0].message.content == "Where 🐙 do you swim?"
assert whole.choices[0].message.role == "assistant"
assert whole.choices[0].finish_reason == "stop"
assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens == 15
assert whole.model_extra["tutor"]["seed"] == 3
assert client.chat.completions.create(
    model=model, messages=said("a b c"), max_completion_tokens=2
).choices[0].finish_reason == "length"
assert client.chat.completions.create(
    model=model, messages=said("a b c"), stop=["c"], extra_body={"candidates": 4}
).choices[0].message.content == "a b "

# In pieces.
pieces = []
usage = None
for chunk in client.chat.completions.create(
    model=model, messages=said("one two three"), stream=True, stream_options={"include_usage": True}
):
    usage = chunk.usage or usage
    pieces += [choice.delta.content for choice in chunk.choices if choice.delta.content]
assert pieces == ["one ", "two ", "three"], pieces
assert usage.completion_tokens == 3
with client.chat.completions.stream(model=model, messages=said("one two")) as stream:
    final = stream.get_final_completion()
assert final.choices[0].message.content == "one two"
assert final.choices[0].finish_reason == "stop"

# Leaving in the middle frees the only model.
stream = client.chat.completions.create(model=model, messages=said("count"), stream=True)
for count, _ in enumerate(stream):
    if count == 3:
        break
stream.close()
assert client.chat.completions.create(model=model, messages=said("next")).choices[0].message.content == "next"

# Errors are the client's own kinds.
error = refused(openai.BadRequestError, tools=[{"type": "function", "function": {"name": "f"}}])
assert error.param == "tools", error
assert refused(openai.BadRequestError, temperature=3).param == "temperature"
assert refused(openai.NotFoundError, model="gpt-4o").code == "model_not_found"
client.api_key = "another"
assert refused(openai.AuthenticationError).code == "invalid_api_key"
client.api_key = key
assert refused(openai.APIStatusError, messages=said("x" * (2 << 20))).status_code == 413


async def crowd():
    """Of many at once, some are told to wait; a client that tries again gets its reply."""
    hasty = openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0)
    ask = lambda client: client.chat.completions.create(model=model, messages=said("one two"))
    replies = await asyncio.gather(*[ask(hasty) for _ in range(20)], return_exceptions=True)
    limited = [reply for reply in replies if isinstance(reply, openai.RateLimitError)]
    assert limited and len(limited) < 20, replies
    assert all(int(error.response.headers["retry-after"]) >= 1 for error in limited)
    assert all(reply.choices for reply in replies if reply not in limited)
    patient = openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=5)
    assert all((await asyncio.gather(*[ask(patient) for _ in range(4)])))


asyncio.run(crowd())
