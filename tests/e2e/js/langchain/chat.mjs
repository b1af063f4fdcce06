import { chat, gathered, question, report } from "./scenario.mjs";

const whole = await chat().invoke(question);
const parts = await gathered(await chat().stream(question));
const last = parts.at(-1);
report({
    whole: whole.content,
    parts: parts.map((part) => part.content),
    usage: [whole.usage_metadata, last.usage_metadata],
    done_reason: [whole.response_metadata.done_reason, last.response_metadata.done_reason],
});
