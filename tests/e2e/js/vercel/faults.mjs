// A refusal before the first word, and a stream that breaks off after it.
import { generateText, streamText } from "ai";

import { chosen as model, question as prompt, refusal, report, settings } from "./scenario.mjs";

// ollama-ai-provider-v2 warns of a line that it does not know, such as that of an error, and goes on.
const warnings = [];
console.warn = (...told) => warnings.push(told.map(String).join(" "));

const refused = await refusal(() => generateText({ model, prompt, ...settings }));
const heard = [];
const stream = streamText({ model, prompt, onError: () => {}, ...settings });
const broken = await refusal(async () => {
    for await (const part of stream.fullStream) {
        heard.push(part);
    }
});
const finish = heard.find((part) => part.type === "finish")?.finishReason;
const said = heard.map((part) => part.text ?? "").join("");
report({ refused, said, broken, finish, warnings });
