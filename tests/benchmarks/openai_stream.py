"""The least that prints a streamed answer with the official library; one of the peers."""

import openai

answer = openai.OpenAI().chat.completions.create(
    model="m", messages=[{"role": "user", "content": "hi"}], stream=True
)
for chunk in answer:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
