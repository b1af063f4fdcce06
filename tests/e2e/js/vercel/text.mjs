import { generateText, streamText } from "ai";

import { chosen, gathered, question as prompt, report, settings } from "./scenario.mjs";

const whole = await generateText({ model: chosen, prompt, ...settings });
const stream = streamText({ model: chosen, prompt, ...settings });
const parts = await gathered(stream.textStream);
report({
    whole: whole.text,
    parts,
    usage: [whole.usage, await stream.usage].map((usage) => [usage.inputTokens, usage.outputTokens]),
    finish: [whole.finishReason, await stream.finishReason],
});
